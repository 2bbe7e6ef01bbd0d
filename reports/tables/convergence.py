"""Whether the networks have converged: test accuracy along the schedule, and how much its last fifth still brought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.store.run_folder import RunFolder
from reports.runs.frame import Loaded
from reports.runs.groups import seed_groups, shown
from reports.runs.history import history
from reports.stats.summary import summary
from reports.tables.caption import Note, evidence, of_the_data, problems
from reports.tables.fields import Value
from reports.tables.summary import KEYS, plain
from reports.tables.table import Row, Table, titled

if TYPE_CHECKING:
    import pandas as pd

FIFTHS = 5
STILL_RISING = 1.0  # points in the last fifth from which on a run has not converged


def convergence_table(loaded: Loaded, datasets: Sequence[str] | None = None, recipe: str | None = None) -> Table:
    """Test accuracy after each fifth of the epochs, for all runs of at least five."""
    rows, records, notes = [], [], []
    rising = known = 0
    for group in seed_groups(loaded, datasets, recipe):
        found = _by_fifths(group.runs["folder"])
        if missing := len(group.runs) - len(found):
            words = "no test accuracy of five epochs or more, or none that can be read"
            notes.append(Note(f"{', '.join(group.keys)}: {words}, in {missing} of {len(group.runs)} run(s)."))
        if not found:
            continue
        late = sum(map(_late, found))
        rising, known = rising + late, known + len(found)
        values = {f"{20 * fifth} %": summary([run[fifth - 1] for run in found]) for fifth in range(1, FIFTHS + 1)}
        values["last fifth"] = summary([run[-1] - run[-2] for run in found])
        n = Value(str(len(found)), "", float(len(found)), tuple(group.runs["run_id"]))
        share = Value(f"{late} of {len(found)}", "", late / len(found))
        rows.append(Row((*group.keys, group.setup), (n, *map(plain, values.values()), share), group.keys[0]))
        parts = {f"{name} {part}": getattr(value, part) for name, value in values.items() for part in ("mean", "sd")}
        records.append({**group.record, "n": len(found), **parts, "still rising": late})
    runs = shown(loaded, datasets, recipe)
    return Table(
        name="convergence",
        heading="Convergence",
        title="Test accuracy (%) along the schedule",
        keys=(*KEYS, "set-up"),
        groups=(titled("n", *(f"{20 * fifth} %" for fifth in range(1, FIFTHS + 1)), "last fifth", "still rising"),),
        rows=tuple(rows),
        caption=(
            "Mean ± standard deviation over seeds, after that share of the epochs. last fifth: what it brought, in "
            f"points. still rising: runs in which it is more than {STILL_RISING:g} point, in all {rising} of {known}. "
            "The figures have the curves.",
            *evidence(runs),
            *of_the_data(runs),
        ),
        notes=(*notes, *problems(loaded)),
        records=tuple(records),
    )


def still_rising(runs: pd.DataFrame) -> Iterator[str]:
    """One sentence: how many runs of each recipe have not converged; none where no run tells."""
    parts = []
    for recipe, mine in runs.groupby("recipe", sort=False):
        if found := _by_fifths(mine["folder"]):
            parts.append(f"{sum(_late(run) for run in found)} of {len(found)} runs of recipe {recipe}")
    if parts:
        yield f"Still rising by more than {STILL_RISING:g} point in the last fifth of the epochs: {', '.join(parts)}."


def _by_fifths(folders: Iterable[Path]) -> list[np.ndarray]:
    """Of each run with a whole history: test accuracy in per cent after each fifth of its epochs. [5] each."""
    curves = (history(RunFolder(folder).history).get("test_accuracy", []) for folder in folders)
    return [
        100 * np.array([curve[round(fifth * len(curve) / FIFTHS) - 1] for fifth in range(1, FIFTHS + 1)])
        for curve in curves
        if len(curve) >= FIFTHS and np.isfinite(curve).all()
    ]


def _late(run: np.ndarray) -> bool:
    return bool(run[-1] - run[-2] > STILL_RISING)
