"""`status` reads a record once: what it then knows holds for exactly that file."""

import os

import pytest

from benchmarks.launch.status import RunsStatus
from benchmarks.store import run_folder, verified
from tests.benchmarks.store.test_foreign_files import record_of


@pytest.fixture
def runs(specs, tmp_path, monkeypatch):
    """A runs folder of three finished runs, which a first look has read."""
    monkeypatch.setattr(verified, "WORTH", 1)
    store = RunsStatus(tmp_path / "runs").store
    for spec in specs("baseline", seeds=(0, 1, 2)):
        store.run(spec).path.mkdir(parents=True)
        store.run(spec).write_record(record_of(spec))
    assert states(store.root) == ["done"] * 3
    return store.root


def states(runs):
    return sorted(one.state for one in RunsStatus(runs).look().values())


def test_a_known_record_is_not_read_again(runs, monkeypatch):
    def refuse(path):
        raise AssertionError(path)

    monkeypatch.setattr(run_folder, "read_record", refuse)
    assert states(runs) == ["done"] * 3


def test_what_happened_since_is_seen(runs):
    first, second, third = sorted(runs.rglob("record.json"))
    first.unlink()
    second.write_text(second.read_text()[:-5])
    os.utime(third, ns=(third.stat().st_mtime_ns + 1,) * 2)
    assert states(runs) == ["absent", "corrupt", "done"]


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"records": {"a": 1}}', b'{"records": {"x": [1, 2]}}'])
def test_a_foreign_file_is_passed_over(runs, content):
    (runs / verified.FILE).write_bytes(content)
    assert states(runs) == ["done"] * 3


def test_a_folder_that_cannot_be_written_is_looked_at_all_the_same(runs, monkeypatch):
    def refuse(path):
        raise OSError(30, "Read-only file system")

    (runs / verified.FILE).unlink()
    monkeypatch.setattr(verified, "atomic_write", refuse)
    assert states(runs) == ["done"] * 3
    assert not (runs / verified.FILE).exists()
