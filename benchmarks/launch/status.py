"""Where all runs of a folder stand: from what they have left there, and from what was launched on it. Torch-free."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.launch import scheduler
from benchmarks.launch.journal import Journal, Launch
from benchmarks.plan.paths import RunPath
from benchmarks.plan.spec import RunSpec
from benchmarks.store import lease
from benchmarks.store.run_folder import RunFolder, RunStatus
from benchmarks.store.runs import Store
from benchmarks.store.verified import Verified

ASK_SECONDS = 5.0


@dataclass(frozen=True)
class Place:
    """Which launch a run is in and, on SLURM, where."""

    launch: Launch
    spec: RunSpec
    array: int | None = None
    task: int = 0

    @property
    def job(self) -> str | None:
        """The job's number, as far as it was noted."""
        if self.array is None or self.array >= len(self.launch.jobs):
            return None
        single = len(self.launch.arrays[self.array]) == 1
        return self.launch.jobs[self.array] + ("" if single else f"_{self.task}")


class RunsStatus:
    """Looks at a runs folder, again and again where asked to."""

    def __init__(self, runs: Path) -> None:
        self.runs, self.store, self.launches, self.verified = runs, Store(runs), Journal(runs), Verified(runs)
        self._asked, self._names = float("-inf"), set[str]()
        self._answer: scheduler.Queue | None = None

    def look(self, specs: Iterable[RunSpec] | None = None) -> dict[str, RunStatus]:
        """Run id (of folders that are no run's own, the path) -> state; of these runs, or of all in the folder."""
        now = self.store.now()
        places = self._places()
        if specs is None:
            folders = self._folders(place.spec for place in places.values())
        else:
            folders = {spec.run_id: self.store.run(spec) for spec in specs}
        found = {run_id: self._on_disk(folder, now) for run_id, folder in folders.items()}
        self.verified.save()
        open_places = {
            run_id: places[run_id]
            for run_id, state in found.items()
            if run_id in places
            and (state.state != "done" or places[run_id].launch.again(RunFolder(state.path), run_id))
        }
        names = {p.launch.job_name(p.array) for p in open_places.values() if p.array is not None}
        queue = self._queue(names)
        for run_id, place in open_places.items():
            judge = _launched_here if place.array is None else _on_slurm
            found[run_id] = judge(found[run_id], place, queue, self.runs)
        return found

    def _folders(self, launched: Iterable[RunSpec]) -> dict[str, RunFolder]:
        """Every run's folder by its id. Of several with one id, the others are copies: each is known by its path."""
        own = {spec.run_id: self.store.run(spec) for spec in launched}
        for folder in self.store.folders():
            run_id = _run_id(folder)
            if (first := own.setdefault(run_id, folder)).path == folder.path:
                continue
            if _at_home(folder) and not _at_home(first):
                own[run_id], folder = folder, first
            own[str(folder.path)] = folder
        return own

    def _on_disk(self, folder: RunFolder, now: float) -> RunStatus:
        if self.verified.knows(folder):
            return RunStatus(folder.path, "done")
        status = folder.status(now)
        if status.state == "done":
            self.verified.add(folder)
            return status
        log = folder.log if status.state == "failed" else None
        return replace(status, job=(status.progress or {}).get("job"), log=log)

    def _queue(self, names: set[str]) -> scheduler.Queue | None:
        """What SLURM says of these job names; it is not asked more often than every five seconds."""
        if time.monotonic() - self._asked > ASK_SECONDS or not names <= self._names:
            self._answer, self._names, self._asked = scheduler.tasks(sorted(names)), names, time.monotonic()
        return self._answer

    def _places(self) -> dict[str, Place]:
        """The latest launch of each run."""
        places: dict[str, Place] = {}
        for launch in self.launches.all():
            if launch.cancelled:
                continue
            if not launch.arrays:
                for spec in launch.specs:
                    places.setdefault(spec.run_id, Place(launch, spec))
                continue
            by_id = {spec.run_id: spec for spec in launch.specs}
            for array, tasks in enumerate(launch.arrays):
                for task, run_ids in enumerate(tasks):
                    for run_id in run_ids:
                        if run_id in by_id:
                            places.setdefault(run_id, Place(launch, by_id[run_id], array, task))
        return places


def _run_id(folder: RunFolder) -> str:
    found = RunPath.parse(folder.path)
    return found.run_id if found else str(folder.path)


def _at_home(folder: RunFolder) -> bool:
    """Whether a folder holds the run that it is named for."""
    return folder.read_spec() is not None or folder.finished() is not None


def _launched_here(state: RunStatus, place: Place, queue: object, runs: Path) -> RunStatus:
    """A run of a local launch: queued as long as its launcher lives."""
    if state.state == "running":
        return state
    launcher = place.launch.launcher
    lives = launcher.where == lease.where() and not lease.died_here(launcher)
    if _failed_under(state, place):
        return replace(state, final=True)
    return replace(state, state="queued", detail=_next(state), log=None) if lives else state


def _on_slurm(state: RunStatus, place: Place, queue: scheduler.Queue | None, runs: Path) -> RunStatus:
    """A run of a SLURM launch: queued as long as its job is; failed when that has left without a result."""
    if _failed_under(state, place):
        return replace(state, final=True, job=place.job)
    if state.state == "running" and (queue is None or state.launch != place.launch.id):
        return state
    if queue is None:
        return replace(state, state="unknown", detail="SLURM does not answer", job=place.job)
    assert place.array is not None
    task = queue.get((place.launch.job_name(place.array), place.task))
    if task is not None and state.state == "running":
        return replace(state, job=task.job)
    if task is not None:
        where = f"next on {task.node}" if task.node else task.reason
        detail = ", ".join(filter(None, [f"job {task.job}", where, _next(state)]))
        return replace(state, state="queued", detail=detail, job=task.job, log=None)
    if len(place.launch.jobs) <= place.array and not lease.died_here(place.launch.launcher):
        return replace(state, state="queued", detail="being submitted", log=None)
    if state.state == "failed":  # in an earlier launch, and this one never came to it
        return replace(state, job=place.job)
    if state.state == "done":  # the record that was to be replaced is there still
        return replace(state, detail=f"its job {place.job or ''} ended without doing it again", job=place.job)
    log = None if place.job is None else place.launch.folder(runs) / f"{place.job}_0_log.out"
    last = f": {line}" if log and (line := _last_line(log)) else ""
    detail = f"its job {place.job or ''} ended without a result{last}".replace("  ", " ")
    return replace(state, state="failed", detail=detail, job=place.job, log=log)


def _failed_under(state: RunStatus, place: Place) -> bool:
    mark = RunFolder(state.path).failed_under()
    return state.state == "failed" and mark is not None and mark[0] == place.launch.id


def _next(state: RunStatus) -> str:
    """What a queued run has behind it."""
    if state.state == "done":
        return "done, and to be done again"
    done = (state.progress or {}).get("epoch")
    return f"goes on after epoch {done}" if done else ""


def _last_line(log: Path) -> str:
    """The last line of a job's output that says something."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
