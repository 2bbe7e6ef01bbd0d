"""The runs folder: where each run lies, what state it is in, and nothing of a user's ever deleted."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal

from benchmarks.plan.spec import RunSpec
from benchmarks.store import lease
from benchmarks.store.record import BadRecord, Record, read_record, write_record
from common.files import atomic_write, free_aside, set_aside

# absent: never started, by nobody who lives; unknown: SLURM does not answer.
State = Literal["queued", "running", "done", "failed", "stale", "corrupt", "absent", "unknown"]

# At one look, a lease of another machine that was not touched for so long is a dead run's (they beat every 2 s).
STALE_SECONDS = 120.0


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
        seen, progress = lease.look(self.path), read_json(self.progress)
        epoch = f"epoch {progress.get('epoch', 0)}/{progress.get('epochs', '?')}" if progress else "the first epoch"
        if seen and _lives(seen, time.time() if now is None else now):
            where, launch = seen.holder.get("host", "?"), str(seen.holder.get("launch", ""))
            return RunStatus(self.path, "running", f"{epoch} on {where}", progress, launch)
        if failure := read_json(self.failure):
            return RunStatus(self.path, "failed", str(failure.get("message", "")), progress)
        if seen or progress:
            return RunStatus(self.path, "stale", f"stopped in {epoch}; the next start goes on from there", progress)
        return RunStatus(self.path, "absent")

    def resumable(self) -> bool:
        """Whether there is a checkpoint to go on from: the newest, or the one before where saving was cut short."""
        return self.checkpoint.exists() or previous_checkpoint(self.checkpoint).exists()

    def done(self, other_than: str | None = None) -> bool:
        """Whether a valid record is there, other than one with the fingerprint `other_than`, which is to be redone.

        A corrupt one is not taken for a result.
        """
        try:
            read_record(self.record)
        except (FileNotFoundError, BadRecord):
            return False
        return other_than is None or self.fingerprint() != other_than

    def fingerprint(self) -> str | None:
        """What tells this record from a later one of the same run; None where there is none."""
        try:
            return hashlib.sha256(self.record.read_bytes()).hexdigest()
        except FileNotFoundError:
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
        elif self.record.exists():
            set_aside(self.record)
        self.failure.unlink(missing_ok=True)
        for path in self.path.glob(".*.tmp"):
            path.unlink(missing_ok=True)

    def write_failure(self, message: str, traceback: str, launch: str = "") -> None:
        """Leave the reason of a failure for `status`; `launch` is the command that it happened under."""
        with self.writing(self.failure) as file:
            content = {"message": message, "traceback": traceback, "launch": launch, "time": time.time()}
            json.dump(content, file, indent=1)

    def failed_under(self) -> tuple[str, float] | None:
        """Which failure this is (launch, time), or None where there is none."""
        failure = read_json(self.failure)
        return (str(failure.get("launch", "")), float(failure.get("time") or 0)) if failure else None

    def read_spec(self) -> RunSpec | None:
        """What the run is of; None where its folder does not say so, or means another run."""
        try:
            spec = RunSpec.model_validate_json(self.spec.read_bytes())
        except (OSError, ValueError):
            return None
        return spec if self.path.name.endswith(f"-{spec.run_id}") else None

    def saved_epoch(self) -> int:
        """How many epochs the run has saved, as far as it has said so."""
        return int((read_json(self.progress) or {}).get("epoch", 0))

    def count_attempt(self, launch: str) -> int:
        """Note a start of the run; returns how many under this launch have ended no epoch since, this one included."""
        before, epoch = read_json(self.attempts) or {}, self.saved_epoch()
        same = (before.get("launch"), before.get("epoch")) == (launch, epoch)
        count = int(before.get("count", 0)) + 1 if same else 1
        with self.writing(self.attempts) as file:
            json.dump({"launch": launch, "epoch": epoch, "count": count}, file)
        return count

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


def previous_checkpoint(path: Path) -> Path:
    """Where the checkpoint before the newest lies."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file, or None where there is none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _lives(seen: lease.Seen, now: float) -> bool:
    """Whether a lease's holder seems to live, at one look: exact on its own machine, by the file's age elsewhere."""
    if seen.holder.get("where") == lease.where():
        return not lease.died_here(seen.holder)
    return abs(now - seen.beat / 1e9) < STALE_SECONDS
