"""How far the suites are: done, running, failed and missing, from the run folders alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.plan import suite as suites
from benchmarks.plan.paths import RunPath
from benchmarks.plan.spec import Noise, RunSpec
from benchmarks.plan.suite import SUITES, Suite
from benchmarks.store.run_folder import RunFolder, RunStatus
from benchmarks.store.runs import Store
from common.foreign import Unreadable, read_model
from reports.runs.frame import Loaded, setup_of
from reports.runs.select import Cell, belongs, command, select

if TYPE_CHECKING:
    import pandas as pd

# What a suite's run can be in; the first one found counts where several folders share data set, noise, method and seed.
UNDONE = ("running", "failed", "stale", "corrupt")


@dataclass(frozen=True)
class Coverage:
    """A suite on one data set. `counts`: state -> runs, "done" and "missing" among them; they add up to `expected`."""

    suite: str
    dataset: str
    stand_in: bool
    expected: int
    counts: Counter[str]
    command: str  # what fills the gaps, empty where there are none


def unfinished(loaded: Loaded, roots: Sequence[Path]) -> list[RunStatus]:
    """The run folders that hold no result, with their state; finished ones are not read again."""
    known = set(loaded.runs["folder"])
    found = []
    for root in dict.fromkeys(Path(root) for root in roots):
        for folder in Store(root).folders():
            if folder.path in known:
                continue
            status = folder.status()
            if status.state not in ("done", "absent"):
                found.append(status)
    return found


def spec_of(folder: Path) -> RunSpec | None:
    """What an unfinished run is of; None where it has not said so."""
    try:
        return read_model(RunFolder(folder).spec, RunSpec)
    except (FileNotFoundError, Unreadable):
        return None


def coverage(
    loaded: Loaded,
    undone: Sequence[RunStatus],
    recipe: str | None = None,
    datasets: Sequence[str] | None = None,
    prefix: str = "python bench.py",
) -> Iterator[Coverage]:
    """Every suite on the data sets its table shows.

    An unfinished run counts for the arm and set-up that its `spec.json` names. A folder without that file names data
    set, method, noise and seed alone: it counts for every arm of the method.
    """
    states: dict[tuple[str, str, str, int], list[tuple[str, RunSpec | None]]] = {}
    for status in sorted(undone, key=lambda one: UNDONE.index(one.state)):
        if run := RunPath.parse(status.path):
            states.setdefault(run.place, []).append((status.state, spec_of(status.path)))
    for name in SUITES.names():
        suite = suites.load(name)
        selection = select(loaded.runs, suite, datasets, recipe)
        for dataset in selection.datasets:
            setup = selection.setups.get(dataset)
            counts: Counter[str] = Counter()
            cells = [cell for (of, _, _), cell in selection.cells.items() if of == dataset]
            for cell in cells:
                counts["done"] += len(cell.expected) - len(cell.missing)
                for seed in cell.missing:
                    found = states.get(_place(suite, cell, seed), ())
                    fitting = (state for state, spec in found if spec is None or _fits(spec, cell, setup))
                    counts[next(fitting, "missing")] += 1
            expected = sum(len(cell.expected) for cell in cells)
            fill = command(suite, dataset, setup, prefix) if counts["done"] < expected else ""
            yield Coverage(name, dataset, dataset == suite.stand_in, expected, counts, fill)


def _fits(spec: RunSpec, cell: Cell, setup: pd.Series | None) -> bool:
    """Whether a run is one of a cell's, in the set-up that the cell's data set shows (in any, where there is none)."""
    same = setup is None or all(setup[name] == value for name, value in setup_of(spec).items())
    return same and belongs(cell.arm, spec.config, spec.overrides)


def _place(suite: Suite, cell: Cell, seed: int) -> tuple[str, str, str, int]:
    """Where the folders of a cell's runs lie."""
    noise = Noise(kind=suite.noise_kind if cell.noise else "symmetric", ratio=cell.noise)
    return RunPath(cell.dataset, cell.arm.method, str(noise), seed, "").place
