"""Progress of many runs: bars with the time left on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.launch.run_queue import RunsOutcome
from benchmarks.plan.spec import RunSpec
from benchmarks.store.heartbeat import duration
from benchmarks.store.runs import Store

LINE_SECONDS = 30.0  # between two plain lines when nothing ends


class ProgressBar:
    """Follows a launcher through the runs' progress files; works the same wherever the runs are."""

    def __init__(self, store: Store, specs: Sequence[RunSpec]) -> None:
        self.store, self.total = store, len(specs)
        self.started = self.printed = time.monotonic()
        self.reported = 0
        self.console = Console()
        self.bars: Progress | None = None
        self.tasks: dict[str, TaskID] = {}
        if sys.stdout.isatty():
            self.bars = Progress(
                TextColumn("{task.description}", markup=False),  # names and settings of others: no markup
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=self.console,
            )
            self.overall = self.bars.add_task("all runs", total=self.total, note="")

    def __enter__(self) -> ProgressBar:
        if self.bars:
            self.bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.bars:
            self.bars.stop()

    def __call__(self, running: list[RunSpec], outcome: RunsOutcome) -> None:
        """Called by the launcher about twice a second."""
        ended = len(outcome.done) + len(outcome.failed)
        shares = {spec.run_id: self._share(spec) for spec in running}
        left = self._left(ended + sum(shares.values()))
        if self.bars:
            self._draw(self.bars, running, shares, ended, left)
            return
        now = time.monotonic()
        if ended > self.reported or now - self.printed > LINE_SECONDS:
            self.reported, self.printed = ended, now
            names = "; ".join(f"{spec} {shares[spec.run_id]:.0%}" for spec in running)
            failed = f", {len(outcome.failed)} failed" if outcome.failed else ""
            line = f"{ended}/{self.total} runs ended{failed}, {left} left"
            print(line + (f", now: {names}" if names else ""), flush=True)

    def _share(self, spec: RunSpec) -> float:
        progress = self.store.run(spec).status().progress
        return float(progress["done"]) if progress else 0.0

    def _left(self, finished: float) -> str:
        elapsed = time.monotonic() - self.started
        if finished <= 0 or elapsed < 3:
            return "? "
        return duration(elapsed / finished * (self.total - finished))

    def _draw(self, bars: Progress, running: list[RunSpec], shares: dict[str, float], ended: int, left: str) -> None:
        bars.update(self.overall, completed=ended, note=f"{left} left")
        current = {spec.run_id: spec for spec in running}
        for run_id in [known for known in self.tasks if known not in current]:
            bars.remove_task(self.tasks.pop(run_id))
        for run_id, spec in current.items():
            if run_id not in self.tasks:
                self.tasks[run_id] = bars.add_task(str(spec), total=spec.recipe.epochs, note="")
            bars.update(self.tasks[run_id], completed=int(shares[run_id] * spec.recipe.epochs))
