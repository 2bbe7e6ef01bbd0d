"""Who does a run, where several launchers and jobs share one runs folder, on one machine or over NFS.

A lease is a file `lease-N` in the run's folder, created exclusively; its holder touches it every two seconds. A lease
that is no longer touched is a dead one, and whoever creates `lease-N+1` takes the run over: the highest number holds
it. Nothing relies on locks or on clocks that agree: that a heartbeat *changes* is seen on one's own monotonic clock. A
holder that was silent for too long, but lives, finds the higher number before it writes, and steps back.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

BEAT_SECONDS = 2.0
DEAD_VARIABLE = "UNCERTAINTY_BENCH_DEAD_SECONDS"  # for tests, and for file systems that show changes later than this


class Superseded(RuntimeError):
    """Somebody else does this run now. What was not yet written is dropped."""


@dataclass(frozen=True)
class Seen:
    """A lease as others see it. `beat` changes as long as its holder lives."""

    number: int
    beat: int
    holder: dict[str, Any]


class Lease:
    """A run held by this process."""

    def __init__(self, path: Path, owner: str) -> None:
        self.path, self.owner = path, owner
        self._released = threading.Event()

    @classmethod
    def take(cls, folder: Path, after: int, launch: str = "") -> Lease | None:
        """Take the run over from lease number `after` (0: nobody's), under a launch's id. None: somebody was faster."""
        folder.mkdir(parents=True, exist_ok=True)
        path, owner = _path(folder, after + 1), uuid.uuid4().hex
        holder = {"owner": owner, **process(), "job": os.environ.get("SLURM_JOB_ID"), "launch": launch}
        try:
            with open(path, "x", encoding="utf-8") as file:
                json.dump(holder, file)
        except FileExistsError:
            return None
        except OSError:  # no space for its content: it would be taken for a lease until it is found dead
            path.unlink(missing_ok=True)
            raise
        for number in _numbers(folder):
            if number <= after:
                _path(folder, number).unlink(missing_ok=True)
        lease = cls(path, owner)
        if lease.held():
            return lease
        path.unlink(missing_ok=True)  # a higher number was there already
        return None

    def held(self) -> bool:
        """Whether the run is still this process's. Raises OSError where the folder cannot be read."""
        if max(_numbers(self.path.parent), default=0) != _number(self.path):
            return False
        try:
            return bool(json.loads(self.path.read_text(encoding="utf-8"))["owner"] == self.owner)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return False

    def check(self) -> None:
        """Raise Superseded if the run is no longer this process's."""
        if not self.held():
            raise Superseded(f"{self.path.parent}: another process does this run now")

    def keep(self, lost: Callable[[], None]) -> None:
        """Touch the lease from a thread until it is released; `lost` is called there if the run was taken over."""

        def beat() -> None:
            while not self._released.wait(BEAT_SECONDS):
                try:
                    if not self.held():
                        lost()
                        return
                    os.utime(self.path)
                except OSError:  # a full or sleeping file server: whether the run is lost is seen when it is back
                    continue

        threading.Thread(target=beat, daemon=True, name="lease").start()

    def release(self) -> None:
        """Give the run up; others see it at once."""
        self._released.set()
        with contextlib.suppress(OSError):
            if self.held():
                self.path.unlink()


class Observer:
    """Tells living leases from dead ones, by looking at them again and again."""

    def __init__(self) -> None:
        self.patience = float(os.environ.get(DEAD_VARIABLE, "60"))
        self._changed: dict[Path, tuple[Seen, float]] = {}

    def look(self, folder: Path) -> tuple[bool, int]:
        """(whether a living process holds the run, the number that one has to take it over from)."""
        seen = look(folder)
        if seen is None:
            self._changed.pop(folder, None)
            return False, 0
        if died_here(seen.holder):
            return False, seen.number
        before, since = self._changed.get(folder, (None, 0.0))
        if seen != before:
            self._changed[folder] = (seen, time.monotonic())
            return True, seen.number
        return time.monotonic() - since < self.patience, seen.number


def look(folder: Path) -> Seen | None:
    """The lease on a run, or None where there is none."""
    number = max(_numbers(folder), default=0)
    if not number:
        return None
    try:
        with open(_path(folder, number), encoding="utf-8") as file:  # opening is what makes NFS look at the server
            beat, text = os.fstat(file.fileno()).st_mtime_ns, file.read()
    except OSError:  # released, or taken over, between the two looks
        return None
    try:
        holder = json.loads(text)
    except ValueError:  # being written, or its writer died over it
        holder = {}
    return Seen(number, beat, holder if isinstance(holder, dict) else {})


def forget(folder: Path) -> None:
    """Remove the lease of a process that was on this machine and is gone."""
    with contextlib.suppress(OSError):
        seen = look(folder)
        if seen and died_here(seen.holder):
            _path(folder, seen.number).unlink(missing_ok=True)


def process() -> dict[str, Any]:
    """This process, named so that others on the same machine can tell whether it lives."""
    return {"pid": os.getpid(), "started": _started(os.getpid()), "where": where(), "host": host()}


def host() -> str:
    """The node's name."""
    return os.environ.get("SLURMD_NODENAME") or os.uname().nodename


@cache
def where() -> str:
    """Within what a process number means something: this boot of this machine, and the container's own numbering."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}:{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return os.uname().nodename


def died_here(holder: dict[str, Any]) -> bool:
    """Whether a process (as `process` names it) was on this machine and is gone; known without waiting."""
    pid = holder.get("pid")
    if holder.get("where") != where() or not isinstance(pid, int) or pid < 1:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    now = _started(pid)  # another number than before: the process number was given out again
    return now is not None and holder.get("started") is not None and now != holder["started"]


def _started(pid: int) -> int | None:
    """When a process started, in ticks since the boot; 0 for one that has ended and is not yet reaped."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return 0 if state in "ZX" else int(fields[18])


def _path(folder: Path, number: int) -> Path:
    return folder / f"lease-{number}"


def _number(path: Path) -> int:
    return int(path.name.removeprefix("lease-"))


def _numbers(folder: Path) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return [int(name[6:]) for name in names if name.startswith("lease-") and name[6:].isdigit()]
