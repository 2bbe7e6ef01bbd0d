"""Files that are whole or absent: temporary file in the same folder, flush to disk, atomic rename."""

from __future__ import annotations

import errno
import filecmp
import logging
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from common.errors import UserError
from common.foreign import kind_of
from common.text import printable

log = logging.getLogger(__name__)


def user_path(text: str) -> Path:
    """The path as a user writes it, with `~` for a home folder, where there is one."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


@contextmanager
def atomic_write(path: Path, mode: str = "w", *, sync: bool = True, keep: bool = False) -> Iterator[IO]:
    """Open a file that appears at `path` only when the block ends without an error.

    A reader sees the old file or the new one, never a part. The temporary name is unique per writer, so two
    processes that write the same path at once both succeed and the last rename wins. Without `sync` nothing waits for
    the disk: for thousands of small files that are made again at no cost, should the machine lose power. `keep`: a file
    that lies at `path` and holds something else is set aside, and a warning says so. Raises FileExistsError where a
    folder, pipe, socket or device lies there, or a link to one: nobody means that to become a file.
    """
    if kind := special(path):
        raise FileExistsError(errno.EEXIST, f"is {kind}; give a file's name", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    encoding = None if "b" in mode else "utf-8"
    try:
        with open(temporary, mode, encoding=encoding) as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if keep and path.is_file() and not filecmp.cmp(temporary, path, shallow=False):
            log.warning("%s was there: kept as %s", printable(str(path)), printable(set_aside(path).name))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _temporary(path: Path, folder: Path | None = None) -> Path:
    return (folder or path.parent) / f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"


def special(path: Path) -> str | None:
    """What lies at a path where no file can be written over it: "a device", "a folder" ...; None for a file or nothing.

    What lies in /dev is a device even where it leads to a file, as /dev/stdout does in `> file`.
    """
    try:
        mode = path.stat().st_mode
    except OSError:  # nothing, or a link to nothing
        return None
    if stat.S_ISREG(mode):
        return "a device" if os.path.realpath(path.parent) == "/dev" else None
    return kind_of(mode)


def check_writable(path: Path) -> None:
    """Raise UserError where `atomic_write` could not write `path`: known before the work; nothing is left behind."""
    if kind := special(path):
        raise UserError(f"{path}: is {kind}; give a file's name")
    folder = next(above for above in path.absolute().parents if os.path.lexists(above))
    probe = _temporary(path, folder)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def set_aside(path: Path) -> Path:
    """Rename a file or folder that cannot be used to the first free `NAME.aside-N`; nothing is deleted."""
    target = free_aside(path)
    path.replace(target)
    return target


def free_aside(path: Path) -> Path:
    """The first `NAME.aside-N` that is not there yet."""
    number = 1
    while os.path.lexists(target := path.with_name(f"{path.name}.aside-{number}")):
        number += 1
    return target
