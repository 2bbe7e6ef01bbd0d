"""A claim's numbers as plain tables of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.paper.comparison import Side
from reports.paper.tables import DATASET_LABELS
from reports.stats.comparisons import Condition, Outcome, Values
from reports.stats.measures import MEASURES
from reports.stats.statistics import Summary, summary
from reports.tables.table import signed, spread


@dataclass(frozen=True)
class Grid:
    """A plain table of text. The first `keys` columns are text, the rest numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _label(cell: Condition) -> str:
    noise = cell.level if ":" in cell.level else " % ".join(cell.level.split(" ", 1)) + (" %" * (" " not in cell.level))
    return f"{DATASET_LABELS.get(cell.dataset, cell.dataset)}, {noise}"


def _title(side: Side) -> str:
    return f"{side.arm}{f', noise {side.level}' if side.level else ''}: {MEASURES[side.measure].title}"


def level_grid(sides: Sequence[Side], values: Values, cells: Sequence[Condition]) -> Grid | None:
    """The compared numbers themselves."""
    rows = []
    measures = list(dict.fromkeys(side.measure for side in sides))
    for side in sorted(dict.fromkeys(sides), key=lambda side: measures.index(side.measure)):
        found = [summary(list(values.by_seed(side, cell).values())) for cell in cells]
        if any(item.n for item in found):
            digits = MEASURES[side.measure].digits
            if not digits:  # whole numbers, the same for every seed
                found = [Summary(item.n, item.mean) for item in found]
            rows.append((_title(side), *(f"{spread(item, digits)} ({item.n})" if item.n else "–" for item in found)))
    return Grid(("number", *map(_label, cells)), tuple(rows)) if rows else None


def comparison_grid(outcomes: Sequence[Outcome], cells: Sequence[Condition]) -> Grid:
    """Differences by cell and over all pairs, with test and verdict."""
    rows = []
    for one in outcomes:
        text = one.comparison.text + ("" if one.comparison.decides else " °")
        ratio = one.comparison.kind == "ratio"
        parts = [_change(one.cells[cell], one.digits, ratio) if cell in one.cells else "–" for cell in cells]
        total = _change(Summary(one.pairs, one.center, one.spread), one.digits, ratio)
        tests = (str(one.pairs), str(one.favour), _p(one.p_seeds), _p(one.p))
        rows.append((text, _verdict(one), total, *tests, *parts))
    head = ("comparison", "verdict", "all", "pairs", "in favour", "p over seeds", "p (Holm)", *map(_label, cells))
    return Grid(head, tuple(rows))


def _verdict(outcome: Outcome) -> str:
    if outcome.verdict != "cannot be told" or outcome.center is None:
        return outcome.verdict
    return f"cannot be told (points {'for' if outcome.sided else 'against'} it)" if outcome.center else outcome.verdict


def _change(value: Summary, digits: int, ratio: bool) -> str:
    if value.mean is None:
        return "–"
    if ratio:
        return f"×{spread(value, digits)}"
    text = signed(value.mean, digits)
    return text if value.sd is None else f"{text} ± {value.sd:.{digits}f}"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
