"""Stored predictions as somebody left them: right, or unreadable with the reason, and the other runs' are read."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.store.arrays import check, read_arrays
from benchmarks.store.record import read_record
from common.errors import UserError
from common.foreign import Unreadable
from reports.build import build
from reports.release import release
from reports.runs.predictions import predictions, read_predictions, scores_of_run
from tests.reports.conftest import write
from tests.reports.test_release import add, arrays


@pytest.fixture(autouse=True)
def quick_tsne(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.release.embed", lambda features: features[:, :2].astype(np.float32))


CHECKOUT = Path(__file__).resolve().parents[2]
SMALL = {"size": 40, "trained": 30}


def saved(values: dict[str, np.ndarray], compress: bool = True) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(file, **values)
    return file.getvalue()


GOOD = arrays(**SMALL)


def test_what_a_run_writes_comes_back(tmp_path: Path) -> None:
    for compress in (True, False):
        (tmp_path / "a.npz").write_bytes(saved(GOOD | {"of_later": np.zeros((2, 3, 4))}, compress))
        found = read_arrays(tmp_path / "a.npz")
        check(found)
        for name, values in GOOD.items():
            assert (found[name] == values).all() and found[name].dtype == values.dtype, name
    (tmp_path / "b.npz").write_bytes(saved({"f": np.asfortranarray(np.arange(6).reshape(2, 3)), "e": np.empty((0, 3))}))
    found = read_arrays(tmp_path / "b.npz")
    assert found["f"].tolist() == [[0, 1, 2], [3, 4, 5]] and found["e"].shape == (0, 3)


def header(text: str) -> bytes:
    line = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line


def zipped(content: bytes, name: str = "test_logits.npy", count: int = 1) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(name if not number else f"{number}{name}", content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged"),
        (b"<html>", "damaged"),
        (saved(GOOD)[:-100], "damaged"),
        (zipped(b""), "damaged"),
        (zipped(b"\x93NUMPY\x09\x00"), "damaged"),
        (zipped(header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + bytes(8)), "type object"),
        (zipped(header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}") + bytes(4)), "type"),
        (zipped(header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}") + bytes(4)), "declared"),
        (zipped(header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}") + bytes(4)), "declared"),
        (zipped(header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}") + bytes(4)), "declared"),
        (zipped(header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}") + bytes(8)), "declared"),
        (zipped(header("{'descr': '<f4', 'fortran_order': False, 'shape': " + 3000 * "(" + "}")), "damaged"),
        (zipped(header("{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os'),)}")), "damaged"),
        (zipped(bytes(200 * 2**20)), "unpacks to more"),
        (zipped(b"x", count=500), "unpacks to more"),
    ],
)
def test_a_file_of_other_content_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(Unreadable, match=reason) as error:
        read_arrays(tmp_path / "a.npz")
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.mkdir(), "a folder"),
        (os.mkfifo, "a pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: (path.touch(), os.truncate(path, 2**40)), "more than"),
    ],
)
def test_what_is_no_file_says_so(tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    make(tmp_path / "a.npz")
    with pytest.raises(Unreadable, match=reason):
        read_arrays(tmp_path / "a.npz")


BAD = [
    ({"test_logits": None}, "test_logits is missing"),
    ({"test_labels": None}, "test_labels is missing"),
    ({"test_uncertainty": None}, "test_uncertainty is missing"),
    ({"test_logits": GOOD["test_logits"][0]}, "test_logits is float32"),
    ({"test_logits": GOOD["test_logits"].astype(int)}, "test_logits is int64"),
    ({"test_labels": GOOD["test_labels"][:-1]}, "test_labels is"),
    ({"test_labels": GOOD["test_labels"].astype(float)}, "test_labels is"),
    ({"test_labels": GOOD["test_labels"] + 5}, "test_labels holds"),
    ({"test_labels": GOOD["test_labels"] - 5}, "test_labels holds"),
    ({"test_uncertainty": GOOD["test_logits"]}, "test_uncertainty is"),
    ({"test_uncertainty": np.full(40, np.nan)}, "test_uncertainty is not finite"),
    ({"test_logits": np.full((40, 5), np.inf)}, "test_logits is not finite"),
    ({"test_soft_labels": np.zeros((40, 6))}, "test_soft_labels is"),
    ({"test_features": np.zeros((41, 8))}, "test_features is"),
    ({"test_features_rows": np.array([40]), "test_features": np.zeros((1, 8))}, "test_features_rows holds"),
    ({"example_index": np.arange(3)}, "example_images is"),
    ({"example_index": np.array([0, 1, 2, 99])}, "example_index holds"),
    ({"train_flipped": np.zeros(30)}, "train_flipped is"),
    ({"train_given": np.zeros(31, int)}, "train_given is"),
    ({"train_p_given": np.zeros(29)}, "train_p_given is"),
    ({"figure2_index": np.arange(3)}, "figure2_index is"),
    ({"tsne_points": np.zeros((3, 2))}, "tsne_points is"),
    ({"validation_logits": np.zeros((9, 4))}, "validation_logits is"),
    ({name: values[:0] for name, values in GOOD.items() if name.startswith(("test_", "example_"))}, "no test image"),
]


@pytest.mark.parametrize(("changes", "reason"), BAD)
def test_arrays_that_no_run_writes_say_why(changes: dict[str, np.ndarray | None], reason: str) -> None:
    changed = {name: values for name, values in {**GOOD, **changes}.items() if values is not None}
    with pytest.raises(Unreadable, match=reason) as error:
        check(changed)
    assert str(error.value).isprintable()


def test_one_damaged_run_stops_no_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = add(tmp_path / "runs", seed=0)
    for number, changes in enumerate(BAD[:8], start=1):
        changed = {name: values for name, values in {**arrays(), **changes[0]}.items() if values is not None}
        folder = write(tmp_path / "runs", seed=number)
        (folder / "predictions.npz").write_bytes(saved(changed))
    flipped = bytearray((whole / "predictions.npz").read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (write(tmp_path / "runs", seed=99) / "predictions.npz").write_bytes(flipped)
    build(["uncertainty", "calibration"], [tmp_path / "runs"], tmp_path / "out")
    text = (tmp_path / "out" / "uncertainty.md").read_text()
    assert "no readable predictions" in text and "9 of 10" in text
    assert predictions(whole) is not None and scores_of_run(whole)
    assert sum("seed-99" in line and "unreadable" in line for line in caplog.messages) >= 1


@given(st.one_of(st.binary(max_size=600), st.tuples(st.integers(0, 10**6), st.integers(0, 255))))
@settings(max_examples=300, deadline=2000, suppress_health_check=list(HealthCheck))
def test_any_bytes_are_arrays_or_unreadable(tmp_path: Path, content: bytes | tuple[int, int]) -> None:
    """Of two numbers: a good file with a byte changed."""
    if isinstance(content, tuple):
        good = bytearray(FEW)
        good[content[0] % len(good)] = content[1]
        content = bytes(good)
    (tmp_path / "a.npz").write_bytes(content)
    try:
        check(read_arrays(tmp_path / "a.npz"))
    except Unreadable as error:
        assert str(error).isprintable() and len(str(error)) < 400


FEW = saved({name: GOOD[name] for name in ("test_logits", "test_labels", "test_uncertainty", "train_flipped")}, False)


def test_a_bomb_takes_little_memory(tmp_path: Path) -> None:
    """As much as may be unpacked, from as little as it takes; in a process of its own, for its memory."""
    zeros = header("{'descr': '|u1', 'fortran_order': False, 'shape': (50331648,)}") + bytes(48 * 2**20)
    (
        (tmp_path / "a.npz").write_bytes(zipped(zeros, "a.npy", 2)),
        (tmp_path / "b.npz").write_bytes(zipped(zeros, "a.npy", 3)),
    )
    code = (
        "import resource, sys; from pathlib import Path; from benchmarks.store.arrays import *\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for name in sys.argv[1:]:\n"
        "    try: read_arrays(Path(name))\n    except Unreadable: pass\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.npz"), str(tmp_path / "b.npz")]
    started = time.monotonic()
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 200 and time.monotonic() - started < 30


def link(path: Path, to: Path) -> None:
    path.unlink()
    path.symlink_to(to)


def outside_shared(folder: Path) -> None:
    (folder / "predictions.npz").write_bytes(saved({**GOOD, "shared": np.array(["test_labels=../../../../x"])}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: link(folder / "history.csv", folder.parents[4] / "secret"), "is a link"),
        (lambda folder: link(folder / "predictions.npz", folder.parents[4] / "secret"), "is a link"),
        (lambda folder: link(folder / "record.json", folder.parents[4] / "secret"), "not valid JSON"),
        (lambda folder: ((folder / "history.csv").unlink(), os.mkfifo(folder / "history.csv")), "a pipe"),
        (outside_shared, "names no array"),
    ],
)
def test_release_follows_no_links_and_no_names(tmp_path: Path, damage: Callable[[Path], object], words: str) -> None:
    (tmp_path / "secret").write_text("a secret")
    folder = add(tmp_path / "runs")
    damage(folder)
    with pytest.raises(UserError, match=words):
        release([tmp_path / "runs"], tmp_path / "released")
    released = [path for path in (tmp_path / "released").rglob("*") if path.is_file()]
    assert not [path for path in released if b"secret" in path.read_bytes()]
    assert not list((tmp_path / "released").rglob("record.json"))


def test_release_writes_nowhere_else(tmp_path: Path) -> None:
    folder = add(tmp_path / "runs")
    record = json.loads((folder / "record.json").read_text())
    record["spec"]["method"] = "../../../../outside"
    (folder / "record.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="method"):
        release([tmp_path / "runs"], tmp_path / "a" / "b" / "released")
    linked = tmp_path / "released"
    good = add(tmp_path / "others")
    (linked / read_record(good / "record.json").spec.dataset).parent.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (linked / read_record(good / "record.json").spec.dataset).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is a link"):
        release([tmp_path / "others"], linked)
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "released", "elsewhere", "others"}
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_shared_array_is_looked_for_by_its_digest_alone(tmp_path: Path) -> None:
    folder = add(tmp_path / "runs")
    for entry in ("test_labels=", "test_labels", "test_labels=0123456789ABCDEF", "x=/etc/passwd", "=\x1b"):
        (folder / "predictions.npz").write_bytes(saved({**GOOD, "shared": np.array([entry])}))
        with pytest.raises(Unreadable, match="names no array") as error:
            read_predictions(folder)
        assert str(error.value).isprintable()
