"""What a cache entry is keyed by: digests of files, folders and decoders; and where the cache lies."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from common.files import atomic_write, user_path
from datasets.cache.walk import walk
from datasets.errors import DataError

ENVIRONMENT = "UNCERTAINTY_BENCH_CACHE"
FULL = {errno.ENOSPC, errno.EDQUOT}
_FORMAT = 2  # of an entry's folder; part of every key


_temporary: list[Path] = []  # the folder that takes new entries while somebody must leave nothing behind


@contextlib.contextmanager
def leaving_nothing() -> Iterator[None]:
    """Within it, what is not cached yet is decoded into a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        _temporary.append(Path(folder))
        try:
            yield
        finally:
            _temporary.pop()


def cache_folders(root: Path) -> list[Path]:
    """Where entries are looked for, in this order; the first writable one is written to. `root`: the data folder."""
    if chosen := os.environ.get(ENVIRONMENT):
        return [user_path(chosen)]
    user = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return [root / ".cache", user_path(user) / "uncertainty-bench"]


def writable(folders: list[Path]) -> Path:
    """The first folder that can be written, made if need be. Raises DataError where none can."""
    if _temporary:
        return _temporary[-1]
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in FULL:
                raise DataError(f"disk full: cannot create the cache folder {folder}") from None
            continue
        if os.access(folder, os.W_OK):
            return folder
    places = " nor ".join(map(str, folders))
    raise DataError(f"no cache folder can be written: not {places}; set {ENVIRONMENT} to a writable folder")


def key_of(*parts: Any) -> str:
    """A key (16 hex digits) of values that JSON can hold: file digests, sizes, versions."""
    text = json.dumps([_FORMAT, *parts], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def file_digest(path: Path, root: Path) -> str:
    """Digest of a file's content, wherever it lies; remembered by path, size and mtime so as to read it only once."""
    stat = path.stat()
    state = [str(path.resolve()), stat.st_size, stat.st_mtime_ns]
    return _remembered(state, root, lambda: _content(path))


def listing_digest(base: Path) -> str:
    """Digest of the place of `base` and of the names, sizes and times of all files below it: none is read to find them
    unchanged. Without the place, other images of equal names, sizes and times would pass for these."""
    digest = hashlib.sha256(f"{base.resolve()}\n".encode(errors="surrogateescape"))
    for name, entry in walk(base, descending=True):
        stat = entry.stat()
        digest.update(f"{name}|{stat.st_size}|{stat.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def content_digest(base: Path, files: Iterable[Path], root: Path) -> str:
    """Digest of the names and contents of these `files` below `base`, wherever it lies; read once while unchanged.

    Files beside them do not matter.
    """
    names = _in_order([str(path.relative_to(base)) for path in files])
    state = hashlib.sha256()
    for name in names:
        stat = (base / name).stat()
        state.update(f"{name}|{stat.st_size}|{stat.st_mtime_ns}\n".encode(errors="surrogateescape"))

    def read() -> str:
        digest = hashlib.sha256()
        for name in names:
            digest.update(f"{name}|{_content(base / name)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    return _remembered([str(base.resolve()), state.hexdigest()], root, read)


def _in_order(names: Iterable[str]) -> list[str]:
    """As `walk` gives them, later folders first: the identities of data sets were made so."""
    files: dict[str, list[str]] = {}
    folders: dict[str, set[str]] = {"": set()}
    for name in set(names):
        folder = name.rpartition("/")[0]
        files.setdefault(folder, []).append(name)
        while folder:
            parent = folder.rpartition("/")[0]
            folders.setdefault(parent, set()).add(folder)
            folder = parent
    ordered, pending = [], [""]
    while pending:
        folder = pending.pop()
        ordered += sorted(files.get(folder, ()))
        pending += sorted(folders.get(folder, ()))
    return ordered


def _content(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remembered(state: list[Any], root: Path, compute: Callable[[], str]) -> str:
    """`compute()`, or what it gave the last time that the thing at `state[0]` was in this state."""
    memory = f".digests/{key_of(state[0])}.json"
    for folder in cache_folders(root):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads((folder / memory).read_text(encoding="utf-8"))
            if known["state"] == state:
                return str(known["digest"])
    digest = compute()
    with contextlib.suppress(OSError), atomic_write(writable(cache_folders(root)) / memory) as out:
        json.dump({"state": state, "digest": digest}, out)
    return digest
