"""Records and the runs folder: whole or absent, states told apart, nothing deleted."""

import errno
import json
import os
import time
from pathlib import Path

import pytest

from benchmarks.launch.todo import make_todo
from benchmarks.store.lease import Lease, Superseded, process
from benchmarks.store.record import SCHEMA, BadRecord, Record, read_record, write_record
from benchmarks.store.run_folder import STALE_SECONDS, RunFolder, previous_checkpoint
from benchmarks.store.runs import Store
from benchmarks.train import checkpoint
from common.files import atomic_write
from tests.benchmarks.train.test_checkpoint import STATE


@pytest.fixture
def folder(specs, tmp_path):
    (spec,) = specs("rul")
    run = Store(tmp_path / "runs").run(spec)
    run.path.mkdir(parents=True)
    return run


@pytest.fixture
def record(specs):
    (spec,) = specs("rul")
    return Record(
        run_id=spec.run_id,
        spec=spec,
        metrics={"last": {"epoch": 2, "accuracy": 0.5, "flip_auroc": None}},
        noise={},
        relabelling=[],
        timing={"seconds": 1.0},
        provenance={},
    )


def test_a_record_comes_back_as_it_was(folder, record):
    write_record(folder.record, record)
    assert read_record(folder.record) == record
    assert folder.status().state == "done" and folder.done()


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.previous.pt"])
def test_a_run_killed_while_it_saved_goes_on_from_the_checkpoint_before(folder, record, name):
    assert not make_todo([record.spec], Store(folder.path.parents[3])).partial
    (folder.path / name).touch()
    assert make_todo([record.spec], Store(folder.path.parents[3])).partial == (record.spec,)


def test_a_record_with_nan_is_refused_and_leaves_no_file(folder, record):
    record.metrics["last"]["accuracy"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        write_record(folder.record, record)
    assert list(folder.path.iterdir()) == []


def test_a_folder_that_may_not_be_entered_is_unreadable_alone(folder, record, specs, monkeypatch, bench):
    """One of mode 644: its names can be listed, nothing in it can be looked at. (Root may do all: it is pretended.)"""
    closed = Store(folder.path.parents[3]).run(specs("rul", seeds=(1,), noise=(0.4,))[0]).path
    closed.mkdir(parents=True)
    write_record(folder.record, record)
    stat, opened = Path.stat, os.open

    def forbidden(call):
        def guarded(path, *rest, **options):
            if Path(path).is_relative_to(closed):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return call(path, *rest, **options)

        return guarded

    monkeypatch.setattr(Path, "stat", forbidden(stat))
    monkeypatch.setattr(os, "open", forbidden(opened))
    assert [one.path for one in Store(folder.path.parents[3]).folders()] == sorted([folder.path, closed])
    told = bench("status", "--runs", str(folder.path.parents[3]))
    assert told.returncode == 0 and "1 corrupt, 1 done" in told.stdout
    assert "record.json: Permission denied" in told.stdout
    told = bench("report", "summary", "site", "--runs", str(folder.path.parents[3]), "--no-released")
    assert told.returncode == 0 and "record.json" not in told.stderr and "Permission denied" in told.stdout


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[: len(text) // 2], "not valid JSON"),
        (lambda text: "", "not valid JSON"),
        (lambda text: "[1, 2]", "schema None"),
        (lambda text: json.dumps({**json.loads(text), "schema_version": SCHEMA + 1}), f"schema {SCHEMA + 1}"),
        (lambda text: json.dumps({**json.loads(text), "metrics": 3}), "metrics"),
        (lambda text: json.dumps({**json.loads(text), "status": "running"}), "status"),
    ],
)
def test_a_damaged_record_is_no_result(folder, record, damage, reason):
    write_record(folder.record, record)
    folder.record.write_text(damage(folder.record.read_text()))
    with pytest.raises(BadRecord, match=reason):
        read_record(folder.record)
    assert not folder.done()
    status = folder.status()
    assert status.state == "corrupt" and reason in status.detail
    damaged = folder.record.read_text()
    folder.clear_for_run()
    assert not folder.record.exists()
    assert (folder.path / "record.json.aside-1").read_text() == damaged


def test_what_is_done_again_keeps_the_old_run_aside_once(folder, record):
    for number in (1, 2):
        write_record(folder.record, record)
        folder.log.write_text(f"log {number}")
        (folder.path / "lease-3").touch()
        old = folder.fingerprint()
        assert folder.done() and not folder.done(other_than=old)
        folder.clear_for_run(redo=old)
        assert [path.name for path in folder.path.iterdir()] == ["lease-3"]
        aside = folder.path.with_name(f"{folder.path.name}.aside-{number}")
        assert (aside / "record.json").exists() and (aside / "run.log").read_text() == f"log {number}"
    folder.log.write_text("the new run's")  # a requeued job has the same order
    folder.clear_for_run(redo=old)
    assert folder.log.read_text() == "the new run's"
    assert [one.path for one in Store(folder.path.parents[3]).folders()] == [folder.path]


def test_a_failure_is_shown_until_the_run_is_tried_again(folder):
    folder.write_failure("ValueError: no", "Traceback ...")
    assert (folder.status().state, folder.status().detail) == ("failed", "ValueError: no")
    folder.clear_for_run()
    assert folder.status().state == "absent"


@pytest.mark.parametrize(
    ("name", "state", "detail"),
    [
        ("failure.json", "failed", "failure.json is unreadable: it is a pipe, not a file"),
        ("progress.json", "running", "the first epoch (progress.json is unreadable: it is a pipe, not a file) on "),
    ],
)
def test_what_cannot_be_read_is_said_in_words(folder, name, state, detail):
    os.mkfifo(folder.path / name)
    if state == "running":
        Lease.take(folder.path, 0)
    found = folder.status()
    assert found.state == state and found.detail.removesuffix(process().host) == detail


@pytest.mark.parametrize(
    ("holder", "age", "state"),
    [
        ({}, 0, "running"),
        ({}, 9999, "running"),  # on its own machine, whether it lives is known: the process is there
        ({"where": "elsewhere"}, 0, "running"),
        ({"where": "elsewhere"}, STALE_SECONDS + 60, "stale"),
        ({"where": "elsewhere"}, -STALE_SECONDS - 60, "stale"),
        ({"pid": 2**22 + 1}, 0, "stale"),  # above the largest process number: surely gone
        ({"started": 1}, 0, "stale"),  # the number was given to another process since
        ({"where": "elsewhere", "pid": 2**22 + 1}, 0, "running"),  # another machine's numbers say nothing here
    ],
)
def test_running_and_stale_are_told_apart(folder, holder, age, state):
    folder.progress.write_text(json.dumps({"epoch": 1, "epochs": 9}))
    lease = folder.path / "lease-1"
    lease.write_text(json.dumps({**dict(process()), **holder}))
    os.utime(lease, (time.time() - age,) * 2)
    assert folder.status().state == state
    assert "epoch 1/9" in folder.status().detail


def test_a_run_without_a_claim_was_stopped(folder):
    folder.progress.write_text(json.dumps({"epoch": 1, "epochs": 9}))
    assert folder.status().state == "stale"


def test_a_clock_that_is_wrong_makes_no_run_stale(folder, monkeypatch):
    (folder.path / "lease-1").write_text(json.dumps({**dict(process()), "where": "elsewhere"}))
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert folder.status(Store(folder.path.parents[3]).now()).state == "running"


def test_who_lost_the_run_writes_nothing(folder, record):
    first = Lease.take(folder.path, 0)
    mine = RunFolder(folder.path, first)
    with mine.writing(mine.history) as file:
        file.write("epoch")
    assert Lease.take(folder.path, 1) is not None  # somebody took it for dead
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    with pytest.raises(Superseded), mine.writing(mine.history) as file:
        file.write("other")
    with pytest.raises(Superseded):
        mine.write_record(record)
    with pytest.raises(Superseded):
        mine.write_failure("x", "")
    with pytest.raises(Superseded):
        checkpoint.save(mine, STATE)
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


def test_attempts_are_counted_by_launch_and_epoch(folder):
    assert [folder.count_attempt("a") for _ in range(3)] == [1, 2, 3]
    assert folder.count_attempt("b") == 1
    folder.progress.write_text(json.dumps({"epoch": 1}))
    assert [folder.count_attempt("b") for _ in range(2)] == [1, 2]


def test_what_a_run_killed_right_after_its_record_left_is_removed(folder, record):
    write_record(folder.record, record)
    kept = {path.name for path in folder.path.iterdir()}
    folder.tidy()  # nothing to do
    folder.count_attempt("a")
    folder.progress.write_text("{}")
    previous_checkpoint(folder.checkpoint).touch()
    dead = {**dict(process()), "started": 1}
    (folder.path / "lease-1").write_text(json.dumps(dead))
    folder.tidy()
    assert {path.name for path in folder.path.iterdir()} == kept and folder.status().state == "done"


def test_a_living_claim_is_nobody_elses_to_remove(folder, record):
    write_record(folder.record, record)
    folder.count_attempt("a")
    assert Lease.take(folder.path, 0) is not None
    folder.tidy()
    assert (folder.path / "lease-1").exists()


def test_atomic_write_leaves_the_old_file_when_the_writer_fails(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as file:
        file.write("new, half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_atomic_write_keeps_what_somebody_has_there(tmp_path, caplog):
    path = tmp_path / "table.csv"
    for text in ("mine", "ours", "ours", "theirs"):
        with atomic_write(path, keep=True) as file:
            file.write(text)
    kept = {name.name: name.read_text() for name in tmp_path.iterdir()}
    assert kept == {"table.csv": "theirs", "table.csv.aside-1": "mine", "table.csv.aside-2": "ours"}
    first, second = (record.message for record in caplog.records)
    assert first.endswith("kept as table.csv.aside-1") and second.endswith("kept as table.csv.aside-2")
