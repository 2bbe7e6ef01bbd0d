"""What the paper's own numbers give for a claim's comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.paper.claim import ROWS, Claim
from reports.paper.comparison import Comparison
from reports.paper.numbers import measured
from reports.stats.effects import slope
from reports.stats.values import Condition, within


def paper_effect(claim: Claim, one: Comparison, cell: Condition, cells: Sequence[Condition] = ()) -> float | None:
    """The comparison by the paper's own numbers; None where it does not give all of them.

    cells: those that a trend is over; all that the paper has if empty.
    """
    if one.kind == "trend":
        levels = [other.level for other in cells if other.dataset == cell.dataset and within(one, other)]
        levels = levels or [level for level in claim.grid.get(cell.dataset, ()) if level != "0"]
        gaps = [_paper_gap(claim, one, cell.dataset, level) for level in levels]
        known = [gap for gap in gaps if gap is not None]
        return float(np.dot(slope([int(x) / 10 for x in levels]), known)) if len(known) == len(gaps) > 1 else None
    gap = _paper_gap(claim, one, cell.dataset, cell.level)
    if one.less is None or gap is None:
        return gap
    dataset, level = (wish or own for wish, own in zip(one.less, (cell.dataset, cell.level), strict=True))
    other = _paper_gap(claim, one, dataset, level)
    return None if other is None else gap - other


def _paper_gap(claim: Claim, one: Comparison, dataset: str, level: str) -> float | None:
    for table in claim.table.split():
        parts = [measured(table, ROWS[table].get(side.arm, ""), side.measure, dataset, level) for side in one.sides]
        if all(part is not None for part in parts):
            numbers = [part.mean for part in parts if part is not None]
            return numbers[0] - sum(numbers[1:])
    return None
