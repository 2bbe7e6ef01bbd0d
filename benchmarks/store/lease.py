"""Who does a run, where several launchers and jobs share one runs folder, on one machine or over NFS.

A lease is a file `lease-N` in the run's folder, created exclusively; its holder touches it every two seconds. A lease
that is no longer touched is a dead one, and whoever creates `lease-N+1` takes the run over: the highest number holds
it. Nothing relies on locks or on clocks that agree: that a heartbeat *changes* is seen on one's own monotonic clock. A
holder that was silent for too long, but lives, finds the higher number before it writes, and steps back.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from common.errors import UserError
from common.foreign import Foreign, Unreadable, parse_json, read_with_time, validated
from common.text import Line, printable

BEAT_SECONDS = 2.0
DEAD_VARIABLE = "UNCERTAINTY_BENCH_DEAD_SECONDS"  # for tests, and for file systems that show changes later than this


class Superseded(RuntimeError):
    """Somebody else does this run now. What was not yet written is dropped."""


class Process(Foreign):
    """A process, named so that others on the same machine can tell whether it lives."""

    pid: int = 0  # 0: not known
    started: int | None = None  # ticks since the machine's boot
    where: Line = ""
    host: Line = "?"


class Holder(Process):
    """What a lease says of who holds it."""

    owner: Line = ""
    job: Line | None = None
    launch: Line = ""


@dataclass(frozen=True)
class Seen:
    """A lease as others see it. `beat` changes as long as its holder lives."""

    number: int
    beat: int
    holder: Holder


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
        job = os.environ.get("SLURM_JOB_ID")
        holder = Holder(owner=owner, job=job, launch=launch, **process().model_dump())
        before = look(folder)
        try:
            with open(path, "x", encoding="utf-8") as file:
                file.write(holder.model_dump_json())
        except FileExistsError:
            return None
        except OSError:  # no space for its content: it would be taken for a lease until it is found dead
            path.unlink(missing_ok=True)
            raise
        for number in _numbers(folder):
            if number <= after:
                with contextlib.suppress(OSError):  # a folder of that name is nobody's lease, and in nobody's way
                    _path(folder, number).unlink()
        lease = cls(path, owner)
        if lease.held():
            if before:
                _wake(before.holder)
            return lease
        path.unlink(missing_ok=True)  # a higher number was there already
        return None

    def held(self) -> bool:
        """Whether the run is still this process's. Raises OSError where the folder cannot be read."""
        if max(_numbers(self.path.parent), default=0) != _number(self.path):
            return False
        try:
            return _holder(self.path)[1].owner == self.owner
        except FileNotFoundError:
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


def patience() -> float:
    """Seconds after which a lease that is no longer touched is a dead one's. Raises UserError for a bad variable."""
    text = os.environ.get(DEAD_VARIABLE, "60")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UserError(f"{DEAD_VARIABLE}: must be a number of seconds above 0, as 60, not '{printable(text):.80}'")
    return seconds


class Observer:
    """Tells living leases from dead ones, by looking at them again and again."""

    def __init__(self) -> None:
        self.patience = patience()
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
        return Seen(number, *_holder(_path(folder, number)))
    except OSError:  # released, or taken over, between the two looks
        return None


def _holder(path: Path) -> tuple[int, Holder]:
    """A lease's beat and holder, of whom nothing is known where it cannot be read. Raises OSError."""
    try:
        text, beat = read_with_time(path)  # opening is what makes NFS look at the server
        return beat, validated(parse_json(text), Holder)
    except FileNotFoundError:
        if not path.is_symlink():  # a link to nothing holds the run until it is taken over, as any unreadable lease
            raise
    except Unreadable:  # being written, or its writer died over it, or it is no lease at all
        pass
    return path.lstat().st_mtime_ns, Holder()


def forget(folder: Path) -> None:
    """Remove the lease of a process that was on this machine and is gone."""
    with contextlib.suppress(OSError):
        seen = look(folder)
        if seen and died_here(seen.holder):
            _path(folder, seen.number).unlink(missing_ok=True)


def process() -> Process:
    """This process."""
    return Process(pid=os.getpid(), started=_state(os.getpid())[1], where=where(), host=host())


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


def died_here(process: Process) -> bool:
    """Whether a process was on this machine and is gone; known without waiting."""
    if process.where != where() or process.pid < 1:
        return False
    try:
        os.kill(process.pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    now = _state(process.pid)[1]  # another number than before: the process number was given out again
    return now is not None and process.started is not None and now != process.started


def stopped_here(process: Process) -> bool:
    """Whether a process is on this machine and stopped (SIGSTOP, Ctrl-Z): it lives, and does nothing."""
    state, started = _state(process.pid)
    return process.where == where() and state in ("T", "t") and process.started in (None, started)


def _wake(process: Process) -> None:
    """Let a stopped process whose run was taken over find that out, and end: it may hold a GPU's memory."""
    if process.started and stopped_here(process):
        with contextlib.suppress(OSError):
            os.kill(process.pid, signal.SIGCONT)


def _state(pid: int) -> tuple[str, int | None]:
    """A process's state (one letter, as /proc has it) and when it started, in ticks since the boot; 0 for one that has
    ended and is not yet reaped, None where nothing is known."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return "", None
    return state, 0 if state in "ZX" else int(fields[18])


def _path(folder: Path, number: int) -> Path:
    return folder / f"lease-{number}"


def _number(path: Path) -> int:
    return int(path.name.removeprefix("lease-"))


def _numbers(folder: Path) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return [int(found[1]) for name in names if (found := re.fullmatch(r"lease-([1-9][0-9]*)", name))]
