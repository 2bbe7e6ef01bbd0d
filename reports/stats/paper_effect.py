"""What the paper's own numbers give for a claim's comparison."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from reports.paper.claim import ROWS, Claim
from reports.paper.comparison import Comparison
from reports.paper.numbers import measured
from reports.stats.effects import Effect, slope
from reports.stats.values import Condition, within


def paper_effect(claim: Claim, one: Comparison, cell: Condition, cells: Sequence[Condition] = ()) -> Effect | None:
    """The comparison by the paper's own numbers; None where it does not give all of them.

    Its error is that of the deviations between runs which the paper prints (Table 1), 0 where it prints none.
    cells: those that a trend is over; all that the paper has if empty.
    """
    if one.kind == "trend":
        levels = [other.level for other in cells if other.dataset == cell.dataset and within(one, other)]
        levels = levels or [level for level in claim.grid.get(cell.dataset, ()) if level != "0"]
        gaps = [_paper_gap(claim, one, cell.dataset, level) for level in levels]
        return _sum(slope([int(level) / 10 for level in levels]), gaps) if len(gaps) > 1 else None
    gap = _paper_gap(claim, one, cell.dataset, cell.level)
    if one.less is None:
        return gap
    dataset, level = (wish or own for wish, own in zip(one.less, (cell.dataset, cell.level), strict=True))
    return _sum((1, -1), (gap, _paper_gap(claim, one, dataset, level)))


def _paper_gap(claim: Claim, one: Comparison, dataset: str, level: str) -> Effect | None:
    for table in claim.table.split():
        parts = [measured(table, ROWS[table].get(side.arm, ""), side.measure, dataset, level) for side in one.sides]
        numbers = [None if part is None else Effect(part.mean, part.error) for part in parts]
        if (gap := _sum((1, -1), numbers)) is not None:
            return gap
    return None


def _sum(weights: Sequence[float], numbers: Sequence[Effect | None]) -> Effect | None:
    """The weighted sum of as many independent numbers; None unless all are known."""
    terms = [(weight, number) for weight, number in zip(weights, numbers, strict=False) if number is not None]
    if len(terms) < len(numbers):
        return None
    estimate = sum(weight * number.estimate for weight, number in terms)
    return Effect(estimate, hypot(*(weight * (number.error or 0.0) for weight, number in terms)))
