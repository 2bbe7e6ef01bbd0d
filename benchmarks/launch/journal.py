"""What was launched on a runs folder: which runs, where their data lie, and the SLURM jobs that do them. Torch-free.

One file a `run` or `retry`, `RUNS/.launches/ID.json`, written before anything starts. `status` finds the runs there
that have left no trace yet, `cancel` the jobs. SLURM knows the jobs by a name made of the launch's id, so that they are
found even where the launcher died between submitting them and noting their numbers. Nothing of it can run any code.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from benchmarks.launch import scheduler
from benchmarks.plan.spec import RunSpec
from benchmarks.store import lease
from benchmarks.store.run_folder import RunFolder
from common.errors import UserError
from common.files import atomic_write
from common.foreign import MIB, Unreadable, read_model
from common.text import Line, StoredPath, StoredText, printable

FOLDER = ".launches"
LARGEST = 128 * MIB  # of a launch's file: a run takes 2 to 4 KB of it


def _user() -> str:
    """The user's name, or their number where a container knows no name of it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


class Launch(BaseModel):
    """One command's runs."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(default_factory=lambda: uuid.uuid4().hex[:12], pattern=r"^[0-9a-f]{12}$")
    created: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    user: str = Field(default_factory=_user)
    command: Line
    launcher: lease.Process = Field(default_factory=lease.process)
    data: StoredPath
    typed: dict[str, StoredText] = {}  # see benchmarks/plan/paths.py
    weights: StoredPath | None = None
    plugins: tuple[StoredPath, ...] = ()
    specs: tuple[RunSpec, ...]
    # SLURM only: array -> task -> ids of the runs that it does one after the other; and the arrays' job numbers.
    arrays: tuple[tuple[tuple[str, ...], ...], ...] = ()
    jobs: tuple[Annotated[str, Field(pattern=r"^[0-9]+$")], ...] = ()
    redo: dict[str, str] = {}  # run id -> fingerprint of the record that the run is to replace (--force)
    cancelled: bool = False

    def job_name(self, array: int) -> str:
        """What SLURM calls the jobs of an array."""
        return f"bench-{self.id}-{array}"

    def job_names(self) -> list[str]:
        """What SLURM calls its jobs, array by array."""
        return [self.job_name(array) for array in range(len(self.arrays))]

    def again(self, folder: RunFolder, run_id: str) -> bool:
        """Whether a run that is finished is still to be done again."""
        return run_id in self.redo and self.redo[run_id] == folder.fingerprint()

    def folder(self, runs: Path) -> Path:
        """Where submitit keeps what it submits, and the jobs' output."""
        return runs / FOLDER / self.id

    def save(self, runs: Path) -> None:
        """Write it. Raises UserError where the runs folder cannot be written."""
        try:
            with atomic_write(runs / FOLDER / f"{self.id}.json") as file:
                file.write(self.model_dump_json())
        except OSError as error:
            raise UserError(f"--runs {runs}: cannot be written ({error.strerror})") from None
        except ValueError:  # of JSON: a path of bytes that are no text
            raise UserError(f"--runs {runs} and --data {self.data}: the paths must be UTF-8") from None

    def forget(self, runs: Path) -> None:
        """Remove it and its folder, as if it had never been written."""
        shutil.rmtree(self.folder(runs), ignore_errors=True)
        with contextlib.suppress(OSError):
            (runs / FOLDER / f"{self.id}.json").unlink()


class Journal:
    """The launches on a runs folder, newest first; read once each."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._read: dict[Path, tuple[int, Launch | Unreadable]] = {}

    def all(self) -> list[Launch]:
        """Every launch that can be read."""
        found = [launch for launch in self._files().values() if isinstance(launch, Launch)]
        return sorted(found, key=lambda launch: launch.created, reverse=True)

    def unreadable(self) -> list[str]:
        """The others, each with the reason."""
        bad = [(path, error) for path, error in self._files().items() if isinstance(error, Unreadable)]
        return [f"{printable(str(path))}: unreadable: {error}" for path, error in sorted(bad)]

    def _files(self) -> dict[Path, Launch | Unreadable]:
        found = {}
        for path in (self.runs / FOLDER).glob("*.json"):
            try:
                changed = path.stat().st_mtime_ns
                if path not in self._read or self._read[path][0] != changed:
                    self._read[path] = changed, _read(path)
            except OSError:  # forgotten between the two looks
                continue
            found[path] = self._read[path][1]
        return found

    def prune(self) -> None:
        """Remove the launches that have ended, all of whose runs have a record: nothing is left to be said of them."""
        done = [launch for launch in self.all() if all(self._folder(spec).record.exists() for spec in launch.specs)]
        queue = scheduler.tasks(name for launch in done for name in launch.job_names())
        for launch in done:
            if not self._at_work(launch, queue):
                launch.forget(self.runs)

    def _at_work(self, launch: Launch, queue: scheduler.Queue | None) -> bool:
        """Whether somebody may still do runs of a launch, all of which have a record: again, by --force."""
        names = launch.job_names()
        if names and (queue is None or any(name in names for name, _ in queue)):
            return True
        submitted = names and len(launch.jobs) == len(names)
        again = any(launch.again(self._folder(spec), spec.run_id) for spec in launch.specs)
        return not submitted and again and not lease.died_here(launch.launcher)

    def _folder(self, spec: RunSpec) -> RunFolder:
        return RunFolder(self.runs / spec.folder)


def _read(path: Path) -> Launch | Unreadable:
    try:
        launch = read_model(path, Launch, LARGEST)
    except Unreadable as error:
        return error
    # Its id names the folder that `prune` removes.
    return launch if path.stem == launch.id else Unreadable(f"it is of launch {launch.id}")
