"""The runs of one recipe as numbers: of each arm, in each cell, by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

from benchmarks.plan.recipe_file import Verdicts
from benchmarks.plan.suite import Arm
from reports.paper.claim import Claim
from reports.paper.comparison import Comparison, Side
from reports.runs.frame import Loaded, noise_label
from reports.runs.select import belongs
from reports.stats.measures import MEASURES
from reports.stats.summary import summary
from reports.stats.verdict import allowed


@dataclass(frozen=True, order=True)
class Condition:
    """A data set under one noise. `level`: as noise_label spells it, or the kind alone where it has its own labels."""

    dataset: str
    share: float  # of the labels, for order and trends
    level: str


class Values:
    """The runs of one recipe as numbers: arm, cell, measure -> value by seed. tiers: data set -> what may be said."""

    def __init__(self, loaded: Loaded, rows: Sequence[Mapping[str, Any]], arms: Mapping[str, Arm]) -> None:
        self._loaded = loaded
        self._runs: dict[tuple[str, Condition], dict[int, Mapping[str, Any]]] = {}
        self.tiers: dict[str, Verdicts] = {}
        for row in rows:
            own = ":" in row["noise_kind"]
            level = row["noise_kind"] if own else noise_label(row["noise"], row["noise_kind"])
            cell = Condition(row["dataset"], round(float(row["noise"]), 6), level)
            if row["dataset"] not in self.tiers:
                self.tiers[row["dataset"]] = allowed(row["resolved"], row["dataset"], row["method"], row["weights"])
            for name, arm in arms.items():
                if arm.method == row["method"] and belongs(arm, row["config"], row["overrides"]):
                    self._runs.setdefault((name, cell), {})[int(row["seed"])] = row

    def cells(self, arms: Sequence[str]) -> list[Condition]:
        """The cells in which any of these arms has runs, in order."""
        return sorted({cell for arm, cell in self._runs if arm in arms})

    def runs(self, arm: str, cell: Condition) -> Mapping[int, Mapping[str, Any]]:
        """seed -> row of the frame."""
        return self._runs.get((arm, cell), {})

    def by_seed(self, side: Side, cell: Condition) -> dict[int, float]:
        """seed -> value, without those that are not defined."""
        read = MEASURES[side.measure].read
        found = {
            seed: float(read(row, self._loaded.scores(row["folder"])))
            for seed, row in self.runs(side.arm, cell).items()
        }
        return {seed: value for seed, value in sorted(found.items()) if not isnan(value)}


def within(one: Comparison, cell: Condition) -> bool:
    """Whether a comparison is made in a cell."""
    return (not one.datasets or cell.dataset in one.datasets) and (not one.levels or cell.level in one.levels)


def cells_of(claim: Claim, values: Values) -> list[Condition]:
    """The claim's cells that there are runs of its arms for."""
    sides = [side for comparison in claim.comparisons for side in comparison.sides]
    found = values.cells([side.arm for side in (*sides, *claim.shown)])
    if not claim.grid:
        return found
    return [
        one for one in found if one.dataset in claim.grid and one.level in (claim.grid[one.dataset] or (one.level,))
    ]


def level_of(values: Values, side: Side, cell: Condition) -> tuple[int, float | None, float | None]:
    """n, mean and deviation of an arm's measure in a cell."""
    found = summary(list(values.by_seed(side, cell).values()))
    return found.n, found.mean, found.sd
