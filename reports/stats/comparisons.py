"""Paired comparisons over seeds, noises and data sets: what a claim rests on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, Literal

import numpy as np

from benchmarks.plan.suite import Arm
from reports.paper.comparison import LITTLE, Comparison, Side
from reports.runs.frame import Loaded, noise_label
from reports.runs.select import belongs
from reports.stats.measures import MEASURES
from reports.stats.statistics import ALPHA, Summary, holm, paired_p, summary, within_slope

Verdict = Literal["holds", "does not hold", "cannot be told", "not measured"]


@dataclass(frozen=True, order=True)
class Condition:
    """A data set under one noise. `level`: as noise_label spells it, or the kind alone where it has its own labels."""

    dataset: str
    share: float  # of the labels, for order and trends
    level: str


@dataclass(frozen=True)
class Outcome:
    """A comparison's numbers. `values` by cell; `center`: mean difference, slope or median ratio over all pairs."""

    comparison: Comparison
    digits: int
    cells: Mapping[Condition, Summary]
    pairs: int
    favour: int  # pairs (of a trend: seeds) on the claim's side
    center: float | None
    spread: float | None
    p: float | None  # two-sided; adjusted once `judged` has seen all of a claim's outcomes
    p_seeds: float | None  # the same over seeds alone, each the mean of its cells; not adjusted
    verdict: Verdict = "not measured"

    @property
    def sided(self) -> bool:
        """Whether all pairs together are on the claim's side, significantly or not."""
        if self.center is None:
            return False
        if self.comparison.kind == "ratio":
            return self.center <= LITTLE
        return self.comparison.sign * self.center > 0


class Values:
    """The runs of one recipe as numbers: arm, cell, measure -> value by seed."""

    def __init__(self, loaded: Loaded, rows: Sequence[Mapping[str, Any]], arms: Mapping[str, Arm]) -> None:
        self._loaded = loaded
        self._runs: dict[tuple[str, Condition], dict[int, Mapping[str, Any]]] = {}
        for row in rows:
            own = ":" in row["noise_kind"]
            level = row["noise_kind"] if own else noise_label(row["noise"], row["noise_kind"])
            cell = Condition(row["dataset"], round(float(row["noise"]), 6), level)
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
        if side.level and side.level != cell.level:
            others = (one for arm, one in self._runs if arm == side.arm and one.dataset == cell.dataset)
            cell = next((one for one in others if one.level == side.level), cell)
            if cell.level != side.level:
                return {}
        read = MEASURES[side.measure].read
        found = {
            seed: float(read(row, self._loaded.scores(row["folder"])))
            for seed, row in self.runs(side.arm, cell).items()
        }
        return {seed: value for seed, value in sorted(found.items()) if not isnan(value)}


def compare(comparison: Comparison, values: Values, cells: Sequence[Condition]) -> Outcome:
    """Evaluate a comparison over the cells that hold both of its sides."""
    if comparison.only:
        cells = [cell for cell in cells if cell.level in comparison.only]
    if all(side.level for side in comparison.sides):  # noises of their own: once a data set
        cells = [Condition(dataset, 0.0, "") for dataset in dict.fromkeys(cell.dataset for cell in cells)]
    pairs: dict[tuple[Condition, int], tuple[float, float]] = {}
    for cell in cells:
        a = values.by_seed(comparison.a, cell)
        b = dict.fromkeys(a, 0.0) if comparison.b is None else values.by_seed(comparison.b, cell)
        pairs |= {(cell, seed): (a[seed], b[seed]) for seed in a if seed in b}
    digits = MEASURES[comparison.a.measure].digits
    return _KINDS[comparison.kind](comparison, digits, pairs)


Pairs = Mapping[tuple[Condition, int], tuple[float, float]]


def _by_cell(pairs: Pairs, value: Callable[[float, float], float]) -> dict[Condition, Summary]:
    cells = dict.fromkeys(cell for cell, _ in pairs)
    return {cell: summary([value(*both) for (of, _), both in pairs.items() if of == cell]) for cell in cells}


def _difference(comparison: Comparison, digits: int, pairs: Pairs) -> Outcome:
    gaps = {key: a - b for key, (a, b) in pairs.items()}
    total = summary(list(gaps.values()))
    favour = sum(comparison.sign * gap > 0 for gap in gaps.values())
    p = paired_p(gaps, dict.fromkeys(gaps, 0.0))
    cells = _by_cell(pairs, lambda a, b: a - b)
    return Outcome(comparison, digits, cells, len(gaps), favour, total.mean, total.sd, p, _over_seeds(gaps))


def _over_seeds(gaps: Mapping[tuple[Condition, int], float]) -> float | None:
    """p of a t test that the mean over a seed's cells is zero; a seed of another data set is another."""
    parts: dict[Hashable, list[float]] = {}
    for (cell, seed), gap in gaps.items():
        parts.setdefault((cell.dataset, seed), []).append(gap)
    means = {key: float(np.mean(part)) for key, part in parts.items()}
    return paired_p(means, dict.fromkeys(means, 0.0))


def _trend(comparison: Comparison, digits: int, pairs: Pairs) -> Outcome:
    """Slopes over the noise within each (data set, seed): what a seed adds to all its cells does not count."""
    points: dict[Hashable, list[tuple[float, float]]] = {}
    for (cell, seed), (a, b) in pairs.items():
        points.setdefault((cell.dataset, seed), []).append((10 * cell.share, a - b))
    usable = {key: part for key, part in points.items() if len({x for x, _ in part}) > 1}
    slope, p = within_slope(list(usable.values()))
    each = {key: found for key, part in usable.items() if (found := within_slope([part])[0]) is not None}
    favour = sum(comparison.sign * one > 0 for one in each.values())
    over_seeds = paired_p(each, dict.fromkeys(each, 0.0))
    cells, sd = _by_cell(pairs, lambda a, b: a - b), summary(list(each.values())).sd
    return Outcome(comparison, digits, cells, len(usable), favour, slope, sd, p, over_seeds)


def _ratio(comparison: Comparison, digits: int, pairs: Pairs) -> Outcome:
    from scipy.stats import wilcoxon

    ratios = {key: a / b for key, (a, b) in pairs.items() if b > 0}
    logs = {key: float(np.log(ratio / LITTLE)) for key, ratio in ratios.items()}
    p = float(wilcoxon(list(logs.values())).pvalue) if len(logs) > 1 and any(logs.values()) else None
    favour = sum(ratio <= LITTLE for ratio in ratios.values())
    center = float(np.median(list(ratios.values()))) if ratios else None
    cells = _by_cell({key: pairs[key] for key in ratios}, lambda a, b: a / b)
    return Outcome(comparison, 2, cells, len(ratios), favour, center, None, p, _over_seeds(logs))


_KINDS = {"difference": _difference, "trend": _trend, "ratio": _ratio}


def judged(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of one claim with verdicts and p, Holm-adjusted over those that decide and over the others."""
    adjusted: dict[int, float | None] = {}
    for decides in (True, False):
        family = [place for place, one in enumerate(outcomes) if one.comparison.decides is decides]
        adjusted |= dict(zip(family, holm([outcomes[place].p for place in family]), strict=True))
    return [replace(one, p=adjusted[at], verdict=_verdict(one, adjusted[at])) for at, one in enumerate(outcomes)]


def _verdict(outcome: Outcome, p: float | None) -> Verdict:
    if outcome.center is None:
        return "not measured"
    if p is None or p >= ALPHA:
        return "cannot be told"
    return "holds" if outcome.sided else "does not hold"


def overall(outcomes: Sequence[Outcome]) -> Verdict:
    """A claim's verdict: it holds where all that decide hold, and does not where any of them does not."""
    verdicts = [outcome.verdict for outcome in outcomes if outcome.comparison.decides]
    known = [verdict for verdict in verdicts if verdict != "not measured"]
    if not known:
        return "not measured"
    if "does not hold" in known:
        return "does not hold"
    return "holds" if len(known) == len(verdicts) and set(known) == {"holds"} else "cannot be told"
