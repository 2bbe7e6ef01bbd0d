"""Decoded data sets on disk as .npy files that are memory-mapped back: decoded once, however many runs follow.

An entry is the folder `<cache>/<name>/<key>/`. It is built under a temporary name and renamed when whole, so a reader
sees all of it or nothing, whoever else builds or is killed. A file lock only spares the second builder the work; file
systems without locks lose nothing but that.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.files import atomic_write
from datasets.base import ImageSet, Splits, fingerprint_of
from datasets.cache.digests import ENVIRONMENT, FULL, cache_folders, file_digest, key_of, writable
from datasets.errors import DataError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ENVIRONMENT", "Stored", "cached", "cached_in", "file_digest", "key_of", "stored"]
_VERIFY = 1 << 28  # bytes up to which images are hashed again on loading (0.1 s per 100 MB); above, sizes must do
_HUMAN = "human_"  # before the name of human labels in a file's name


def cached(name: str, key: str, root: Path, build: Callable[[], Splits]) -> Splits:
    """The splits stored under `name` and `key`, or those of `build()`, stored first.

    `key` must change with whatever the result depends on (see `key_of`, `file_digest`). Images come
    back memory-mapped and read-only; labels and soft labels in memory. A damaged entry is built again. Raises
    DataError when no cache folder can be written or the disk is full, and whatever `build` raises.
    """
    return cached_in(name, key, root, lambda _: build())


def cached_in(name: str, key: str, root: Path, build: Callable[[Path], Splits]) -> Splits:
    """As `cached`, with a builder that is given a folder in the cache: .npy files mapped there are kept, not copied."""
    folders = cache_folders(root)
    for folder in folders:  # a prepared cache may be read-only
        if (splits := _read(folder / name / key)) is not None:
            return splits
    home = writable(folders)
    entry = home / name / key
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with _lock(entry.with_name(f".{key}.lock")):
            splits = _read(entry)  # by somebody else while we waited
            if splits is None:
                _sweep(entry)
                _write(entry, build)
                splits = _read(entry)
    except OSError as error:
        if error.errno in FULL:
            free = shutil.disk_usage(home).free / 1e6
            raise DataError(
                f"disk full while caching '{name}' in {home} ({free:,.0f} MB free); "
                f"make room or set {ENVIRONMENT} to a folder on another disk"
            ) from None
        raise DataError(f"'{name}' cannot be cached in {home} or its files cannot be read: {error}") from None
    if splits is None:
        raise DataError(f"the cache of '{name}' in {entry} cannot be read back as written: is the disk sound?")
    return splits


@dataclass(frozen=True)
class Stored:
    """A cache entry at a glance."""

    folder: Path
    shape: tuple[int, ...]  # of the train images [N, H, W, C]
    fingerprint: str  # of the train split
    bytes: int  # of all its files


def stored(name: str, root: Path) -> list[Stored]:
    """The whole entries of a data set, the newest first: a look at their descriptions, no image is read."""
    found: list[tuple[float, Stored]] = []
    for home in cache_folders(root):
        for meta_file in (home / name).glob("[!.]*/meta.json"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                meta = json.loads(meta_file.read_text(encoding="utf-8"))
                train = meta["splits"]["train"]
                entry = Stored(
                    meta_file.parent, tuple(train["shape"]), train["fingerprint"], sum(meta["bytes"].values())
                )
                found.append((meta_file.stat().st_mtime, entry))
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0], reverse=True)]


def _write(entry: Path, build: Callable[[Path], Splits]) -> None:
    """Build and store, whole or not at all. Where another process was faster, its entry stays."""
    temporary = entry.with_name(f".{entry.name}.{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    temporary.mkdir()
    try:
        splits = build(temporary)
        meta: dict[str, Any] = {"notes": splits.notes, "splits": {}, "bytes": {}, "digests": {}}
        for split, part in splits.parts():
            meta["splits"][split] = {
                "class_names": part.class_names,
                "fingerprint": part.fingerprint,
                "first_code": part.first_code,
                "human_labels": list(part.human_labels),
                "shape": part.images.shape,
            }
            arrays = {"images": part.images, "labels": part.labels, "soft_labels": part.soft_labels}
            arrays |= {"names": part.names} | {f"{_HUMAN}{n}": given for n, given in part.human_labels.items()}
            for field, array in arrays.items():
                if array is not None:
                    file = temporary / f"{split}.{field}.npy"
                    _save(file, array)
                    meta["bytes"][file.name] = file.stat().st_size
                    if field != "images":  # those have the fingerprint
                        meta["digests"][file.name] = _digest(file.read_bytes())
        meta["digest"] = _digest_of(meta)
        with atomic_write(temporary / "meta.json") as out:
            json.dump(meta, out, indent=1)
        if entry.exists() and _read(entry) is None:
            trash = entry.replace(temporary.with_suffix(".old"))
            shutil.rmtree(trash, ignore_errors=True)
        try:
            temporary.rename(entry)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _save(path: Path, array: np.ndarray) -> None:
    """np.save, flushed to disk; numpy's own loses the error number of a full disk."""
    import numpy as np

    if isinstance(array, np.memmap) and _is_whole_file_in(array, path.parent):
        array.flush()
        Path(str(array.filename)).rename(path)
        return
    array = np.ascontiguousarray(array)
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.reshape(-1).view(np.uint8).data)  # as bytes: text has no buffer of its own
        file.flush()
        os.fsync(file.fileno())


def _is_whole_file_in(array: np.memmap, folder: Path) -> bool:
    file = Path(str(array.filename))
    # A file kept under another split's name is there no more: this is a part of it, and copied.
    return file.parent == folder.resolve() and file.is_file() and file.stat().st_size == array.offset + array.nbytes


def _read(entry: Path) -> Splits | None:
    """The stored splits, or None where there are none or they are damaged."""
    try:
        meta = json.loads((entry / "meta.json").read_text(encoding="utf-8"))
        if meta.pop("digest", None) not in (None, _digest_of(meta)):  # entries of older releases have none
            return None
        if any((entry / name).stat().st_size != size for name, size in meta["bytes"].items()):
            return None
        parts = {split: _read_split(entry, split, meta) for split in meta["splits"]}
        return Splits(**parts, notes=tuple(meta["notes"]))
    except Exception:  # damaged files raise anything; they are made again
        return None


def _read_split(entry: Path, split: str, meta: dict[str, Any]) -> ImageSet:
    import numpy as np

    about = meta["splits"][split]

    def small(field: str) -> np.ndarray:
        content = (entry / f"{split}.{field}.npy").read_bytes()
        if meta.get("digests", {}).get(f"{split}.{field}.npy") not in (None, _digest(content)):
            raise ValueError("content differs from its digest")
        array: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
        return array

    def optional(field: str) -> np.ndarray | None:
        return small(field) if f"{split}.{field}.npy" in meta["bytes"] else None

    images = np.load(entry / f"{split}.images.npy", mmap_mode="r")
    labels = small("labels")
    if images.nbytes <= _VERIFY and fingerprint_of(images, labels) != about["fingerprint"]:
        raise ValueError("content differs from its fingerprint")
    return ImageSet(
        images,
        labels,
        tuple(about["class_names"]),
        about["fingerprint"],
        soft_labels=optional("soft_labels"),
        names=optional("names"),
        human_labels={name: small(f"{_HUMAN}{name}") for name in about["human_labels"]},
        first_code=about["first_code"],
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of(meta: dict[str, Any]) -> str:
    return _digest(json.dumps({**meta, "digest": None}, sort_keys=True).encode())


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`, where the file system has locks."""
    with open(path, "w") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sweep(entry: Path) -> None:
    """Remove what builders of this entry, killed on this host, have left."""
    for left in entry.parent.glob(f".{entry.name}.{socket.gethostname()}.*.*"):
        pid = left.name.split(".")[-3]
        try:
            os.kill(int(pid), 0)  # signal 0: only asks whether the process lives
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except (OSError, ValueError):
            continue
