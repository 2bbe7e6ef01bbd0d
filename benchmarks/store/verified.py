"""Which records of a runs folder were read and found good before, so that `status` reads each of them once.

A record counts as known as long as its file's time and size are those of when it was read. Reports, and whoever skips a
finished run, read the records themselves.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from benchmarks.store.run_folder import RunFolder
from common.files import atomic_write
from common.foreign import MIB, Unreadable, read_model

FILE = ".verified.json"
WORTH = 100  # new ones that are worth a file: fewer are read again in less time
MOST_BYTES = 256 * MIB


class Known(BaseModel):
    """What the file says: a record's path below the runs folder -> (time in ns, bytes) when it was read."""

    records: dict[str, tuple[int, int]] = {}


class Verified:
    """The known records of a runs folder."""

    def __init__(self, runs: Path) -> None:
        self.runs, self.new = runs, 0
        self.known: dict[str, tuple[int, int]] = {}
        with suppress(FileNotFoundError, Unreadable):  # all are read again then
            self.known = read_model(runs / FILE, Known, MOST_BYTES).records

    def knows(self, folder: RunFolder) -> bool:
        """Whether the folder's record was found good before and has not been touched since."""
        return (stamp := _stamp(folder.record)) is not None and self.known.get(self._name(folder)) == stamp

    def add(self, folder: RunFolder) -> None:
        """Note a record that was just found good."""
        if (stamp := _stamp(folder.record)) is not None:
            self.known[self._name(folder)] = stamp
            self.new += 1

    def save(self) -> None:
        """Keep what is known for the next time, where it is worth it and the folder can be written."""
        if self.new >= WORTH:
            with suppress(OSError), atomic_write(self.runs / FILE) as file:
                file.write(Known(records=self.known).model_dump_json())
            self.new = 0

    def _name(self, folder: RunFolder) -> str:
        return os.path.join(*folder.path.parts[-4:])  # noqa: PTH118 -- asked of every run there is


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
