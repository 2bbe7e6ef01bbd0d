"""`bench.py status` and `cancel`: what was launched and what became of it, for people and for scripts. Torch-free."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.cli.terminal import table
from benchmarks.launch import scheduler
from benchmarks.launch.journal import Journal
from benchmarks.launch.status import RunsStatus
from benchmarks.store.heartbeat import duration
from benchmarks.store.run_folder import RunStatus, State
from common.errors import UserError
from common.text import printable

ORDER: tuple[State, ...] = ("running", "queued", "unknown", "failed", "stale", "corrupt", "done")
LISTED = 20  # queued runs are told by name up to so many
WATCH_SECONDS = 5.0


def text(runs: Path, states: Iterable[RunStatus]) -> str:
    """Counts, then a table of the runs that are not done."""
    known = [one for one in states if one.state != "absent"]
    if not known:
        return _none(runs)
    counts = Counter(one.state for one in known)
    lines = [", ".join(f"{counts[state]} {state}" for state in ORDER if counts[state])]
    rows: list[tuple[str, str, str]] = []
    for state in ORDER[:-1]:
        some = [one for one in known if one.state == state]
        if state == "queued" and len(some) > LISTED:
            jobs = sorted({one.job.partition("_")[0] for one in some if one.job})
            rows.append((state, f"{len(some)} runs", f"in jobs {', '.join(jobs)}" if jobs else ""))
            continue
        rows += [(state, printable(str(one.path.relative_to(runs))), _detail(one)) for one in some]
    if rows:
        lines += ["", table(("state", "run", "detail"), rows)]
    if counts["failed"] + counts["stale"]:
        lines += ["", "`python bench.py retry` runs the failed and the stale ones again, each from its last checkpoint"]
    return "\n".join(lines)


def as_json(runs: Path, states: Iterable[RunStatus]) -> str:
    """A list of objects, one a run."""
    return json.dumps([_fields(runs, one) for one in states if one.state != "absent"], indent=1)


def status(runs: Path, *, as_json_list: bool = False) -> str:
    """The state of every run below `runs`."""
    if not runs.is_dir():
        return "[]" if as_json_list else _none(runs)
    survey = RunsStatus(runs)
    states = _sorted(survey.look().values())
    if as_json_list:
        return as_json(runs, states)
    return "\n".join([text(runs, states), *(printable(f"note: {one}") for one in survey.launches.unreadable())])


def watch(runs: Path, pause: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """The status again and again, until nothing is queued or running."""
    survey = RunsStatus(runs)
    while True:
        states = _sorted(survey.look().values())
        yield text(runs, states)
        if not any(one.state in ("queued", "running", "unknown") for one in states):
            return
        pause(WATCH_SECONDS)


def cancel(runs: Path) -> str:
    """Cancel the SLURM jobs that were submitted from this runs folder, and nothing else. Raises UserError."""
    launches = [launch for launch in Journal(runs).all() if launch.arrays and not launch.cancelled]
    names = [launch.job_name(array) for launch in launches for array in range(len(launch.arrays))]
    queue = scheduler.tasks(names)
    if queue is None:
        raise UserError("cancel: SLURM does not answer (squeue); nothing was cancelled")
    jobs = sorted({task.array_job for task in queue.values()})
    if not scheduler.cancel(jobs):
        raise UserError(f"cancel: SLURM did not take the order; try `scancel {' '.join(jobs)}`")
    for launch in launches:
        launch.model_copy(update={"cancelled": True}).save(runs)
    if not jobs:
        return f"nothing that was submitted from {runs} is queued or running on SLURM"
    return f"cancelled {len(queue)} jobs: {', '.join(jobs)}; finished runs and checkpoints are kept"


def _none(runs: Path) -> str:
    return printable(f"no runs under {runs}")


def _sorted(states: Iterable[RunStatus]) -> list[RunStatus]:
    return sorted(states, key=lambda one: one.path)


def _detail(one: RunStatus) -> str:
    progress = (one.progress if one.state == "running" else None) or {}
    speed, left = progress.get("images_per_second"), progress.get("seconds_left")
    facts = [
        one.detail,
        f"{speed:,.0f} images/s" if speed else "",
        f"{duration(left)} left" if left is not None else "",
        f"job {one.job}" if progress and one.job else "",
    ]
    return printable(", ".join(filter(None, facts))) + (f"\nlog: {printable(str(one.log))}" if one.log else "")


def _fields(runs: Path, one: RunStatus) -> dict[str, Any]:
    progress = one.progress or {}
    return {
        "run": str(one.path.relative_to(runs)),
        "state": one.state,
        "detail": one.detail,
        **{key: progress.get(key) for key in ("epoch", "epochs", "images_per_second", "seconds_left")},
        "node": progress.get("host"),
        "job": one.job,
        "log": str(one.log) if one.log else None,
    }
