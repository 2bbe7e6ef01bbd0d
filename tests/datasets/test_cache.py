from __future__ import annotations

import dataclasses
import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets.base import ImageSet, Splits
from datasets.cache import digests
from datasets.cache import store as cache
from datasets.cache.store import cached, file_digest, key_of
from datasets.errors import DataError

KEY = "k1"
CHECKOUT = Path(__file__).parents[2]


def make(value: int = 7) -> Splits:
    images = np.full((5, 4, 4, 1), value, np.uint8)
    soft = np.full((5, 2), 0.5, np.float32)
    part = ImageSet.of(images, np.array([0, 1, 0, 1, 1]), ("no", "yes"), soft)
    return Splits(train=part, test=ImageSet.of(images[:2], np.array([0, 1]), ("no", "yes")), notes=("a note",))


def make_all() -> Splits:
    """With everything that an entry can hold."""
    made = make()
    names = np.array(["a", "b", "ü", "d", "e"])
    train = dataclasses.replace(made.train, names=names, human_labels={"worse": np.arange(5)}, first_code=1)
    return dataclasses.replace(made, train=train)


def refuse() -> Splits:
    raise AssertionError("built again although cached")


def entry(root: Path) -> Path:
    return root / ".cache/thing" / KEY


def leftovers(root: Path) -> list[str]:
    return [path.name for path in (root / ".cache/thing").iterdir() if path.suffix in (".tmp", ".old")]


@pytest.fixture(autouse=True)
def _own_user_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.ENVIRONMENT, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))


def test_what_comes_back_is_what_was_built(tmp_path: Path) -> None:
    first = cached("thing", KEY, tmp_path, make)
    second = cached("thing", KEY, tmp_path, refuse)
    for splits in (first, second):
        assert isinstance(splits.train.images, np.memmap) and not splits.train.images.flags.writeable
        assert np.array_equal(splits.train.images, make().train.images)
        assert splits.train.labels.tolist() == [0, 1, 0, 1, 1] and splits.train.labels.dtype == np.int64
        assert splits.train.soft_labels is not None and splits.test.soft_labels is None
        assert splits.train.fingerprint == make().train.fingerprint
        assert splits.train.class_names == ("no", "yes") and splits.notes == ("a note",)
        assert splits.validation is None
    assert leftovers(tmp_path) == []


def test_another_key_is_another_entry(tmp_path: Path) -> None:
    cached("thing", KEY, tmp_path, make)
    assert cached("thing", "k2", tmp_path, lambda: make(8)).train.images[0, 0, 0, 0] == 8
    assert key_of("a", 1) != key_of("a", 2) != key_of("a", None)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, flip_a_byte, Path.unlink, empty])
@pytest.mark.parametrize("name", ["train.images.npy", "test.labels.npy", "meta.json"])
def test_a_damaged_entry_is_built_again(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    cached("thing", KEY, tmp_path, make)
    damage(entry(tmp_path) / name)
    with pytest.raises(AssertionError, match="built again"):
        cached("thing", KEY, tmp_path, refuse)
    splits = cached("thing", KEY, tmp_path, make)
    assert np.array_equal(splits.train.images, make().train.images)
    assert cached("thing", KEY, tmp_path, refuse).train.labels.tolist() == [0, 1, 0, 1, 1]
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    ["meta.json", *(f"train.{part}.npy" for part in ("images", "labels", "soft_labels", "names", "human_worse"))],
)
def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path, name: str) -> None:
    cached("thing", KEY, tmp_path, make_all)
    content = (entry(tmp_path) / name).read_bytes()
    for place in range(0, len(content), max(1, len(content) // 25)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        (entry(tmp_path) / name).write_bytes(damaged)
        with pytest.raises(AssertionError, match="built again"):
            cached("thing", KEY, tmp_path, refuse)
    (entry(tmp_path) / name).write_bytes(content)
    assert cached("thing", KEY, tmp_path, refuse).train.human_labels["worse"].tolist() == [0, 1, 2, 3, 4]


def test_an_entry_of_the_first_release_is_still_read(tmp_path: Path) -> None:
    """It has no digests: gigabytes of images are not decoded again for them."""
    cached("thing", KEY, tmp_path, make_all)
    meta = json.loads((entry(tmp_path) / "meta.json").read_text())
    del meta["digest"], meta["digests"]
    (entry(tmp_path) / "meta.json").write_text(json.dumps(meta))
    assert cached("thing", KEY, tmp_path, refuse).train.soft_labels is not None


def test_a_failing_build_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> Splits:
        raise DataError("no such data")

    with pytest.raises(DataError, match="no such data"):
        cached("thing", KEY, tmp_path, fail)
    assert not entry(tmp_path).exists() and leftovers(tmp_path) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from datasets.cache import digests, store as cache
from tests.datasets.test_cache import make, KEY
save = cache._save
def half(path, array):
    if path.name.startswith("test"):
        os.kill(os.getpid(), signal.SIGKILL)
    save(path, array)
cache._save = half
cache.cached("thing", KEY, Path(sys.argv[1]), make)
"""


def test_a_builder_killed_half_way_leaves_no_entry_and_no_rubbish(tmp_path: Path) -> None:
    code = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=CHECKOUT, check=False).returncode
    assert code == -signal.SIGKILL
    assert not entry(tmp_path).exists() and len(leftovers(tmp_path)) == 1
    assert np.array_equal(cached("thing", KEY, tmp_path, make).train.images, make().train.images)
    assert leftovers(tmp_path) == []


def _slow_builder(root: Path, lock: bool, queue: multiprocessing.Queue) -> None:
    if not lock:  # a file system without locks
        cache.fcntl.flock = lambda *_: (_ for _ in ()).throw(OSError(errno.ENOLCK, "no locks"))
    built = []

    def build() -> Splits:
        built.append(1)
        time.sleep(0.4)
        return make()

    splits = cached("thing", KEY, root, build)
    queue.put((len(built), splits.train.fingerprint, bool((splits.train.images == 7).all())))


@pytest.mark.parametrize("lock", [True, False])
def test_two_builders_at_once(tmp_path: Path, lock: bool) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_slow_builder, args=(tmp_path, lock, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    results = [queue.get(timeout=20) for _ in workers]
    for worker in workers:
        worker.join()
    assert sum(built for built, _, _ in results) == (1 if lock else 2)
    assert {(fingerprint, whole) for _, fingerprint, whole in results} == {(make().train.fingerprint, True)}
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(path: Path, array: np.ndarray) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(cache, "_save", full)
    with pytest.raises(DataError, match="disk full while caching 'thing' in .*UNCERTAINTY_BENCH_CACHE"):
        cached("thing", KEY, tmp_path, make)
    assert not entry(tmp_path).exists() and leftovers(tmp_path) == []


def test_writing_to_a_full_device_keeps_the_error_number() -> None:
    with pytest.raises(OSError) as error:
        cache._save(Path("/dev/full"), np.zeros(100_000, np.uint8))
    assert error.value.errno == errno.ENOSPC


def test_the_environment_decides_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "elsewhere"))
    cached("thing", KEY, tmp_path / "data", make)
    assert (tmp_path / "elsewhere/thing" / KEY / "meta.json").exists()
    assert not (tmp_path / "data").exists()


def test_a_root_that_cannot_be_written_falls_back_to_the_user_cache(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_text("not a folder")
    cached("thing", KEY, root, make)
    cached("thing", KEY, root, refuse)
    assert (tmp_path / "user/uncertainty-bench/thing" / KEY).is_dir()


def test_no_writable_folder_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "file/cache"))
    with pytest.raises(DataError, match="no cache folder can be written.*UNCERTAINTY_BENCH_CACHE"):
        cached("thing", KEY, tmp_path, make)


def test_a_file_is_digested_once_and_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.csv"
    path.write_text("one")
    first = file_digest(path, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(digests.hashlib, "file_digest", None)  # reading again would fail
        assert file_digest(path, tmp_path) == first
    path.write_text("two")  # of the same size
    os.utime(path, ns=(0, 1))
    assert file_digest(path, tmp_path) != first
    copy = tmp_path / "moved.csv"
    copy.write_text("one")
    assert file_digest(copy, tmp_path) == first
