"""Files that are whole or absent: temporary file in the same folder, flush to disk, atomic rename."""

from __future__ import annotations

import filecmp
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)


@contextmanager
def atomic_write(path: Path, mode: str = "w", *, sync: bool = True, keep: bool = False) -> Iterator[IO]:
    """Open a file that appears at `path` only when the block ends without an error.

    A reader sees the old file or the new one, never a part. The temporary name is unique per writer, so two
    processes that write the same path at once both succeed and the last rename wins. Without `sync` nothing waits for
    the disk: for thousands of small files that are made again at no cost, should the machine lose power. `keep`: a file
    that lies at `path` and holds something else is set aside, and a warning says so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    encoding = None if "b" in mode else "utf-8"
    try:
        with open(temporary, mode, encoding=encoding) as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if keep and path.is_file() and not filecmp.cmp(temporary, path, shallow=False):
            log.warning("%s was there: kept as %s", path, set_aside(path).name)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
