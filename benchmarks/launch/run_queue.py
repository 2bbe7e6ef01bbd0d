"""The runs of a pool that wait, and what became of the others."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from benchmarks.plan.spec import RunSpec
from benchmarks.store import lease
from benchmarks.store.run_folder import RunFolder, low_space
from benchmarks.store.runs import Store

if TYPE_CHECKING:
    from benchmarks.train.context import RunContext

HELD = 75  # exit code of a run's process that found somebody else at work on the run (sysexits' EX_TEMPFAIL)
UNSAID = 74  # of one that failed and could not leave its reason (sysexits' EX_IOERR)
LOST = 255  # what multiprocessing says of a process whose server was killed
Watch = Callable[[list[RunSpec], "RunsOutcome"], None]


@dataclass
class RunsOutcome:
    """What became of a plan. `reasons`: run id -> why, for those that failed."""

    done: list[RunSpec] = field(default_factory=list)
    failed: list[RunSpec] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)

    def fail(self, spec: RunSpec, reason: str) -> None:
        """Count a run as failed."""
        self.failed.append(spec)
        self.reasons[spec.run_id] = reason


@dataclass(frozen=True)
class Job:
    """A run in its process."""

    spec: RunSpec
    process: BaseProcess
    folder: RunFolder


class RunQueue:
    """The runs of a pool that wait: for a process, for their members, or for somebody else who does them."""

    def __init__(self, specs: Sequence[RunSpec], context: RunContext) -> None:
        self.waiting = {spec.run_id: spec for spec in specs}
        self.context, self.store, self.observer = context, Store(context.runs), lease.Observer()
        # Failures from before are no verdict on this attempt, unless they are this launch's own (before a requeue).
        marks = {spec.run_id: self.store.run(spec).failed_under() for spec in specs}
        self.before = {key: mark for key, mark in marks.items() if mark and mark[0] != context.launch}
        self.killed: dict[str, tuple[int, int]] = {}  # run id -> epoch, times it was killed in it
        self.held: dict[str, float] = {}  # run id -> when to look at it again

    def next(self, running: Iterable[RunSpec], outcome: RunsOutcome) -> tuple[RunSpec, int] | None:
        """The first run that can be started, with the lease to take it over from; None: not now.

        Runs that have ended elsewhere in the meantime are counted.
        """
        for spec in startable(self.waiting.values(), running):
            if (number := self._look(spec, outcome)) is not None:
                del self.waiting[spec.run_id]
                return spec, number
        return None

    def settle(self, outcome: RunsOutcome) -> None:
        """Count the runs that others were at work on and have ended, also while there is no process for a next one."""
        for run_id in list(self.held):
            self._look(self.waiting[run_id], outcome)

    def _look(self, spec: RunSpec, outcome: RunsOutcome) -> int | None:
        """The lease to take a waiting run over from; None: others are at work on it, or it has ended and is counted."""
        now = time.monotonic()
        if now < self.held.get(spec.run_id, 0.0):
            return None
        self.held.pop(spec.run_id, None)
        folder = self.store.run(spec)
        taken, number = self.observer.look(folder.path)
        if folder.done(self.context.redo.get(spec.run_id)):
            folder.tidy()
            outcome.done.append(spec)
        elif taken:
            self.held[spec.run_id] = now + max(lease.BEAT_SECONDS, 0.01 * len(self.held))
            return None
        elif self._failed(folder, spec):
            outcome.fail(spec, folder.status().detail)
        else:
            return number
        del self.waiting[spec.run_id]
        return None

    def elsewhere(self) -> list[RunSpec]:
        """The waiting runs that others are at work on."""
        return [spec for run_id, spec in self.waiting.items() if run_id in self.held]

    def ended(self, job: Job, outcome: RunsOutcome) -> None:
        """Note the end of a run's process. The run is done when its record says so, whatever the exit code."""
        spec, folder, code = job.spec, job.folder, job.process.exitcode or 0
        if folder.done(self.context.redo.get(spec.run_id)):
            folder.tidy()
            outcome.done.append(spec)
        elif code == HELD:
            self.waiting[spec.run_id] = spec
        elif self._failed(folder, spec):
            outcome.fail(spec, folder.status().detail)
        elif (code < 0 or code == LOST) and (times := self._count_kill(spec, folder)) < self.context.tries:
            self.waiting = {spec.run_id: spec, **self.waiting}
        else:
            how = f"ended with exit code {code}"
            if code < 0 or code == LOST:
                how = f"was killed by signal {signal.Signals(-code).name}" if code < 0 else "was lost"
                how += f", {times} times without ending an epoch (out of memory?)" if times > 1 else " (out of memory?)"
            if code == UNSAID:
                how = "could not write why it failed: is the disk of the runs folder full, its quota used up?"
            reason = f"the run's process {how}; it goes on from its checkpoint"
            try:
                folder.path.mkdir(parents=True, exist_ok=True)
                folder.write_failure(reason, "", self.context.launch)
            except OSError as error:  # a full or read-only disk: the outcome alone holds it
                reason += f"; {error}"
            reason += low_space(folder.path)
            outcome.fail(spec, reason)

    def _failed(self, folder: RunFolder, spec: RunSpec) -> bool:
        """Whether the run has failed since this pool began."""
        mark = folder.failed_under()
        return mark is not None and mark != self.before.get(spec.run_id)

    def _count_kill(self, spec: RunSpec, folder: RunFolder) -> int:
        """How often the run was killed without having ended an epoch in between."""
        now = folder.saved_epoch()
        epoch, times = self.killed.get(spec.run_id, (now, 0))
        self.killed[spec.run_id] = now, times + 1 if epoch == now else 1
        return self.killed[spec.run_id][1]


def startable(waiting: Iterable[RunSpec], running: Iterable[RunSpec]) -> list[RunSpec]:
    """The waiting runs none of whose members is still to end."""
    waiting = list(waiting)
    open_runs = {spec.run_id for spec in (*waiting, *running)}
    return [spec for spec in waiting if open_runs.isdisjoint(one.run_id for one in spec.members)]
