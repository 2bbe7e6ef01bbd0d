"""A claim's numbers as plain tables of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from reports.paper.claim import Claim
from reports.paper.comparison import Comparison
from reports.paper.tables import DATASET_LABELS
from reports.stats.comparisons import Finding
from reports.stats.measures import MEASURES
from reports.stats.paper_effect import paper_effect
from reports.stats.summary import Summary
from reports.stats.values import Condition, Values, cells_of, level_of
from reports.tables.fields import bracket, signed, spread

T = TypeVar("T")
QUESTION = "the paper's words, or our question"
_WORDS = (QUESTION, "cell", "outcome", "recipe")  # heads of columns of words


@dataclass(frozen=True)
class Grid:
    """A plain table of text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def words(self) -> tuple[bool, ...]:
        """Of each column, whether it holds words, which are read from the left, or numbers."""
        return tuple(place == 0 or name in _WORDS for place, name in enumerate(self.head))


def label(cell: Condition) -> str:
    """`FER2013, 30 %`; a data set alone where the cell has no noise of its own."""
    name = DATASET_LABELS.get(cell.dataset, cell.dataset)
    if not cell.level:
        return name
    noise = cell.level if ":" in cell.level else " % ".join(cell.level.split(" ", 1)) + (" %" * (" " not in cell.level))
    return f"{name}, {noise}"


def level_grid(claim: Claim, values: Values) -> Grid | None:
    """The compared numbers themselves, `mean ± deviation (n)`, in the cells where there are any."""
    sides = [side for comparison in claim.comparisons for side in comparison.sides]
    known = {
        (side, cell): Summary(n, mean, sd)
        for side in dict.fromkeys((*sides, *claim.shown))
        for cell in cells_of(claim, values)
        for n, mean, sd in [level_of(values, side, cell)]
        if n
    }
    cells = sorted({cell for _, cell in known})
    rows = []
    for side in dict.fromkeys(side for side, _ in known):
        digits = MEASURES[side.measure].digits
        found = (known.get((side, cell)) for cell in cells)
        fields = (f"{spread(one, digits)} ({one.n})" if one is not None else "–" for one in found)
        rows.append((f"{side.arm}: {MEASURES[side.measure].title}", *fields))
    return Grid(("number", *map(label, cells)), tuple(rows)) if rows else None


HEAD = ("comparison", "cell", "paper", "ours [95 %]", "outcome", "n", "recipe")


def finding_rows(findings: Sequence[Finding], recipe: str) -> list[tuple[str, ...]]:
    """A row a comparison and cell, as HEAD names the fields."""
    return [
        (one.comparison.text, label(one.cell), _paper(one), effect_text(one), outcome_text(one), str(one.runs), recipe)
        for one in findings
    ]


def _paper(one: Finding) -> str:
    return "–" if one.paper is None else signed(one.paper.estimate, one.digits)


def effect_text(one: Finding) -> str:
    """`+1.20 [0.31, 2.09]`; without an interval where none is known."""
    if one.comparison.kind == "ratio":
        return f"×{one.estimate:.2f}"
    text = signed(one.estimate, one.digits)
    effect = one.ruling.effect if one.ruling is not None else None
    if effect is None or effect.low is None or effect.high is None:
        return text
    return f"{text} {bracket(effect.low, effect.high, one.digits)}"


def outcome_text(one: Finding) -> str:
    """The outcome, with what would be found where it is undecided, and what the paper's recipe says of the number."""
    if one.comparison.settled:
        return f"not tested: {one.comparison.settled}"
    text: str = one.outcome
    if one.ruling is not None and one.ruling.detectable is not None:
        text += f" (would find {one.ruling.detectable:.1f})"
    if one.reproduced is not None:
        words = {"equivalent": "reproduced", "different": "not reproduced", "undecided": "undecided"}
        text += f"; the number: {words[one.reproduced.outcome]}"
    return text


def counted(findings: Sequence[Finding], missing: int = 0) -> str:
    """`supported` for one comparison, `supported in all 3` or `supported 2, undecided 1` for several.

    missing: comparisons that there are no runs for.
    """
    counts = Counter(one.outcome for one in findings)
    lacking = counts.pop("not tested", 0) + missing
    told = [*counts.most_common(), *([("not tested", lacking)] if lacking else [])]
    if len(told) == 1:
        return told[0][0] + (f" in all {told[0][1]}" if told[0][1] > 1 else "")
    return ", ".join(f"{name} {count}" for name, count in told)


def statement(claim: Claim) -> str:
    """What the outcome of a question of ours is of; empty for the paper's claims, whose words it is of."""
    return f"Tested: {claim.tested}." if claim.tested else ""


def quantity(one: Comparison) -> str:
    """What a comparison is a difference of, in a word or two: ranges are over one quantity each."""
    return MEASURES[one.a.measure].title.partition(" (")[0].partition(",")[0]


def _by_quantity(found: Iterable[tuple[Comparison, T]], text: Callable[[list[T]], str]) -> str:
    groups: dict[str, list[T]] = {}
    for one, value in found:
        groups.setdefault(quantity(one), []).append(value)
    parts = [f"{name}: {text(values)}" if len(groups) > 1 else text(values) for name, values in groups.items()]
    return "; ".join(parts) or "–"


def paper_range(claim: Claim, findings: Sequence[Finding] = ()) -> str:
    """What the paper has for a claim's comparisons: in the cells measured, or in all of its own."""
    found = [(one.comparison, one.paper.estimate) for one in findings if one.paper is not None]
    if not found:
        cells = [Condition(name, 0.0, level) for name, levels in claim.grid.items() for level in levels]
        found = [
            (one, value.estimate)
            for one in claim.comparisons
            for cell in cells
            if (not one.datasets or cell.dataset in one.datasets) and (not one.levels or cell.level in one.levels)
            if (value := paper_effect(claim, one, cell)) is not None
        ]
    return _by_quantity(found, lambda values: _to(signed(min(values)), signed(max(values))))


def ours_range(findings: Sequence[Finding]) -> str:
    """The effect with its interval, or the smallest and the largest of several; of one seed only where all are."""

    def ends(values: list[Finding]) -> str:
        low, high = (pick(values, key=lambda one: one.estimate) for pick in (min, max))
        return _to(effect_text(low), effect_text(high))

    measured = [one for one in findings if not one.comparison.settled]
    repeated = [one for one in measured if one.outcome != "one seed"]
    return _by_quantity(((one.comparison, one) for one in repeated or measured), ends)


def _to(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
