"""The runs folder: where each run lies, what state it is in, and nothing of a user's ever deleted."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any, Literal

from pydantic import Field

from benchmarks.plan.spec import RunSpec
from benchmarks.store import lease
from benchmarks.store.heartbeat import Heartbeat
from benchmarks.store.record import BadRecord, Record, read_record, write_record
from common.files import atomic_write, free_aside, set_aside
from common.foreign import MIB, Foreign, Model, Unreadable, read_bytes, read_model
from common.text import Line, Lines

# absent: never started, by nobody who lives; unknown: SLURM does not answer.
State = Literal["queued", "running", "done", "failed", "stale", "corrupt", "absent", "unknown"]

# At one look, a lease of another machine that was not touched for so long is a dead run's (they beat every 2 s).
STALE_SECONDS = 120.0
LOW_BYTES = 256 * MIB  # a few checkpoints of a ResNet-18 with its optimizer
MOST_TEXT = 100_000  # characters of a failure's message, and of its traceback's end


@dataclass(frozen=True)
class RunStatus:
    """One run at a glance: from its folder alone or, by `launch.status`, from what was launched as well."""

    path: Path  # of its folder
    state: State
    detail: str = ""  # its progress, the failure's last line, or why its record is corrupt
    progress: dict[str, Any] | None = None
    launch: str = ""  # the command that a running one is done by
    job: str | None = None  # its SLURM job's number
    log: Path | None = None
    final: bool = False  # it failed in its latest launch: nobody is to try it again


class Failure(Foreign):
    """What `failure.json` says."""

    message: Line = ""
    traceback: Lines = ""
    launch: Line = ""  # the command that it happened under
    time: float = 0.0


class Attempts(Foreign):
    """What `attempts.json` says: starts of a run under one launch that have ended no epoch since."""

    launch: Line
    epoch: int
    count: int = Field(ge=0, lt=10**6)


def _file(name: str) -> cached_property[Path]:
    return cached_property(lambda folder: folder.path / name)


class RunFolder:
    """The files of one run. Who does the run holds its `lease`, and writes only as long as it does."""

    def __init__(self, path: Path, held: lease.Lease | None = None) -> None:
        self.path = path
        self.lease = held

    # Made when asked for: a plan looks at thousands of folders for their records alone.
    record = _file("record.json")
    spec = _file("spec.json")  # what the run is of, from its start on: reports read it of unfinished runs
    history = _file("history.csv")
    predictions = _file("predictions.npz")
    weights = _file("weights.safetensors")  # final ones, of a finished run
    checkpoint = _file("checkpoint.pt")  # of an unfinished one
    failure = _file("failure.json")
    progress = _file("progress.json")
    attempts = _file("attempts.json")
    log = _file("run.log")

    def status(self, now: float | None = None) -> RunStatus:
        """What state the run is in, from its files alone. `now`: the file server's time, if it is known."""
        try:
            read_record(self.record)
            return RunStatus(self.path, "done")
        except FileNotFoundError:
            pass
        except BadRecord as error:
            return RunStatus(self.path, "corrupt", f"{self.record.name}: {error}")
        seen, (beat, remark) = lease.look(self.path), _mark(self.progress, Heartbeat)
        progress = beat.model_dump() if beat else None
        epoch = f"epoch {beat.epoch}/{beat.epochs or '?'}" if beat else "the first epoch"
        epoch += f" ({remark})" if remark else ""
        if seen and _lives(seen, time.time() if now is None else now):
            return RunStatus(self.path, "running", f"{epoch} on {seen.holder.host}", progress, seen.holder.launch)
        failure, remark = _mark(self.failure, Failure)
        if failure or remark:
            return RunStatus(self.path, "failed", failure.message if failure else remark, progress)
        if seen and lease.stopped_here(seen.holder):
            pid = seen.holder.pid
            return RunStatus(self.path, "stale", f"process {pid} is stopped in {epoch}; `kill -CONT {pid}`", progress)
        if seen or beat:
            return RunStatus(self.path, "stale", f"stopped in {epoch}; the next start goes on from there", progress)
        return RunStatus(self.path, "absent")

    def resumable(self) -> bool:
        """Whether there is a checkpoint to go on from: the newest, or the one before where saving was cut short."""
        return self.checkpoint.exists() or previous_checkpoint(self.checkpoint).exists()

    def finished(self) -> Record | None:
        """The run's record, where there is a valid one: a corrupt one is not taken for a result."""
        try:
            return read_record(self.record)
        except (FileNotFoundError, BadRecord):
            return None

    def done(self, other_than: str | None = None) -> bool:
        """Whether it is finished, by a record of another fingerprint than `other_than`, which is to be done again."""
        return self.finished() is not None and (other_than is None or self.fingerprint() != other_than)

    def fingerprint(self) -> str | None:
        """What tells this record from a later one of the same run; None where there is none."""
        try:
            return hashlib.sha256(read_bytes(self.record)).hexdigest()
        except (FileNotFoundError, Unreadable):
            return None

    @contextmanager
    def writing(self, path: Path, mode: str = "w") -> Iterator[IO]:
        """Open one of the run's files; it appears whole when the block ends, if the run is then still this process's.

        Raises lease.Superseded if it is not.
        """
        with atomic_write(path, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if self.lease:  # between here and the renaming lies nothing that could wait
                self.lease.check()

    def clear_for_run(self, redo: str | None = None) -> None:
        """Make way for a run: a corrupt record, and all of a run whose record has the fingerprint `redo`, is set aside;
        a failure mark and what a killed writer left half-written are removed."""
        if redo is not None and self.fingerprint() == redo:
            aside = free_aside(self.path)
            aside.mkdir()
            # The record first: from then on, whatever happens, the run is one to be done. Leases stay where they hold.
            for path in sorted(self.path.iterdir(), key=lambda path: path != self.record):
                if not path.name.startswith("lease-"):
                    path.replace(aside / path.name)
        elif os.path.lexists(self.record):
            set_aside(self.record)
        for path in self._own():  # a pipe would hang the run, a folder cannot be replaced, a link leads out of here
            if os.path.lexists(path) and not S_ISREG(path.lstat().st_mode):
                set_aside(path)
        self.failure.unlink(missing_ok=True)
        self._remove_temporary()

    def _own(self) -> tuple[Path, ...]:
        """The files that a run writes, its record apart."""
        states = (self.checkpoint, previous_checkpoint(self.checkpoint), self.progress, self.failure, self.attempts)
        return (*states, self.spec, self.history, self.predictions, self.log)

    def _remove_temporary(self) -> None:
        """Remove what killed writers, and those that have lost the run, left half-written."""
        for path in self.path.glob(".*.tmp"):
            with suppress(OSError):
                path.unlink()

    def write_failure(self, message: str, traceback: str, launch: str = "") -> None:
        """Leave the reason of a failure for `status`; `launch` is the command that it happened under."""
        with self.writing(self.failure) as file:
            text, trace = message[:MOST_TEXT] + low_space(self.path), traceback[-MOST_TEXT:]
            mark = Failure(message=text, traceback=trace, launch=launch, time=time.time())
            file.write(mark.model_dump_json(indent=1))

    def failed_under(self) -> tuple[str, float] | None:
        """Which failure this is (launch, time), or None where there is none."""
        failure, remark = _mark(self.failure, Failure)
        return (failure.launch, failure.time) if failure else ("", 0.0) if remark else None

    def read_spec(self) -> RunSpec | None:
        """What the run is of; None where its folder does not say so, or means another run."""
        try:
            spec = read_model(self.spec, RunSpec)
        except (FileNotFoundError, Unreadable):
            return None
        return spec if self.path.parts[-4:] == spec.folder.parts else None

    def saved_epoch(self) -> int:
        """How many epochs the run has saved, as far as it has said so."""
        beat, _ = _mark(self.progress, Heartbeat)
        return beat.epoch if beat else 0

    def count_attempt(self, launch: str) -> int:
        """Note a start of the run; returns how many under this launch have ended no epoch since, this one included."""
        epoch = self.saved_epoch()
        before, _ = _mark(self.attempts, Attempts)
        same = before is not None and (before.launch, before.epoch) == (launch, epoch)
        mark = Attempts(launch=launch, epoch=epoch, count=before.count + 1 if before and same else 1)
        with self.writing(self.attempts) as file:
            file.write(mark.model_dump_json())
        return mark.count

    def write_record(self, record: Record) -> None:
        """Finish the run: from here on it is done."""
        if self.lease:
            self.lease.check()
        write_record(self.record, record)
        self._clear_after_run()

    def tidy(self) -> None:
        """Finish the clean-up of a run whose process died right after writing its record."""
        with suppress(OSError):  # a folder that is only to be read
            if self.attempts.exists():
                lease.forget(self.path)
                self._clear_after_run()

    def _clear_after_run(self) -> None:
        """Remove what only an unfinished run needs; what tells that this was not done goes last."""
        saved = (self.checkpoint, previous_checkpoint(self.checkpoint))
        for path in (self.progress, self.failure, *saved, self.attempts):
            path.unlink(missing_ok=True)
        self._remove_temporary()


def previous_checkpoint(path: Path) -> Path:
    """Where the checkpoint before the newest lies."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def low_space(folder: Path) -> str:
    """What to add to a failure where the disk is almost full: torch says `unexpected pos` of it."""
    with suppress(OSError):
        if (free := shutil.disk_usage(folder).free) < LOW_BYTES:
            return f" (its disk is full or nearly so: {free / MIB:,.0f} MiB free)"
    return ""


def _mark(path: Path, model: type[Model]) -> tuple[Model | None, str]:
    """One of a run's small files, and a remark where there is one that cannot be read."""
    try:
        return read_model(path, model), ""
    except FileNotFoundError:
        return None, ""
    except Unreadable as error:
        return None, f"{path.name} is unreadable: {error}"


def _lives(seen: lease.Seen, now: float) -> bool:
    """Whether a lease's holder seems to live, at one look: exact on its own machine, by the file's age elsewhere and of
    a stopped process, which does not touch it."""
    if seen.holder.where == lease.where() and not lease.stopped_here(seen.holder):
        return not lease.died_here(seen.holder)
    return abs(now - seen.beat / 1e9) < STALE_SECONDS
