"""A claim's comparisons over the runs of one recipe: each cell's effect, what the paper has there, and the outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from common.errors import UserError
from reports.paper.claim import Claim
from reports.paper.comparison import Comparison, Side
from reports.stats.effects import Effect, Point, slope
from reports.stats.images.bootstrap import RunKey
from reports.stats.intervals import simultaneous
from reports.stats.measures import MEASURES
from reports.stats.model import Model
from reports.stats.outcome import Equivalence, Outcome, Ruling, agreement, equivalence, rule
from reports.stats.paper_effect import paper_effect
from reports.stats.table_model import RunValue, model_of
from reports.stats.values import Condition, Values, cells_of, within

Told = Outcome | Literal["one seed", "not tested", "described"]


@dataclass(frozen=True)
class Finding:
    """A comparison in one cell (of a trend: a data set). All in the measure's units.

    runs: of the side with fewest; paper: the same number of the paper's; reproduced: whether ours equals it; agree: p
    that the effect is the same in all of the comparison's cells.
    """

    comparison: Comparison
    cell: Condition
    digits: int
    runs: int
    outcome: Told
    estimate: float
    ruling: Ruling | None = None
    paper: Effect | None = None
    reproduced: Equivalence | None = None
    agree: float | None = None


def evaluate(claim: Claim, values: Values) -> list[Finding]:
    """What a recipe's runs say of a claim, in the order of its comparisons; nothing of data sets without verdicts."""
    cells = [cell for cell in cells_of(claim, values) if values.tiers[cell.dataset] != "none"]
    groups: dict[tuple[str, str], list[Comparison]] = {}
    found: list[Finding] = []
    for one in claim.comparisons:
        if one.kind == "ratio":
            found += _ratios(one, values, cells)
        else:
            groups.setdefault((one.a.measure, one.b.measure if one.b and one.same_network else ""), []).append(one)
    for (a, b), members in groups.items():
        found += _group(claim, members, a, b, values, cells)
    return sorted(found, key=lambda one: claim.comparisons.index(one.comparison))


def _ratios(one: Comparison, values: Values, cells: Sequence[Condition]) -> Iterator[Finding]:
    assert one.b is not None
    for cell in cells:
        a, b = values.by_seed(one.a, cell), values.by_seed(one.b, cell)
        ratios = [a[seed] / b[seed] for seed in a if b.get(seed)]
        if ratios:
            yield Finding(one, cell, 2, len(ratios), "described", float(np.median(ratios)))


def _group(
    claim: Claim, members: Sequence[Comparison], a: str, b: str, values: Values, cells: Sequence[Condition]
) -> list[Finding]:
    """Comparisons of one measure: one model, and intervals that hold for all of them together."""
    cells = [cell for cell in cells if any(_reads(one, cell) for one in members)]
    compared = {dataset for one in members for dataset in _compared(one, cells, values)}
    cells = [cell for cell in cells if cell.dataset in compared]  # seeds vary by another amount on other data
    runs = _runs(members, a, b, values, cells)
    if not runs:
        return []
    drawn = [MEASURES[name].drawn for name in ((a, b) if b else (a,))]
    terms = [(sign, one) for sign, one in zip((1, -1), drawn, strict=False) if one is not None]
    model = model_of(runs, terms if len(terms) == len(drawn) else ())
    found: list[Finding] = []
    family: list[np.ndarray] = []
    for one in members:
        for cell, weights in _places(one, model, cells):
            count = min(model.runs[point] for point, weight in weights.items() if weight)
            paper = (
                None
                if b
                else paper_effect(claim, one, cell, [at for at in cells if any(at == of for _, of in weights)])
            )
            vector = model.vector(weights)
            estimate = float(vector @ model.means)
            found.append(Finding(one, cell, MEASURES[a].digits, count, "not tested", estimate, paper=paper))
            family.append(vector)
    tested = [place for place, one in enumerate(found) if not one.comparison.settled]
    repeated = [place for place in tested if found[place].runs > 1]
    effects = dict(zip(repeated, simultaneous(model, [family[place] for place in repeated]), strict=True))
    for place in tested:
        finding = found[place]
        ruling = rule(effects.get(place, Effect(finding.estimate)), finding.runs, sign=finding.comparison.sign)
        same = None
        if finding.paper is not None and finding.runs > 1 and values.tiers[finding.cell.dataset] == "reproduction":
            mine = model.effect(family[place], images=False)
            same = equivalence(mine, finding.paper.estimate, published_error=finding.paper.error or 0.0)
        alike = [other.cell for other in found if other.comparison == finding.comparison and other.runs > 1]
        agree = _agree(finding.comparison, model, alike) if finding.runs > 1 else None
        told = ruling.outcome if finding.runs > 1 else "one seed"
        found[place] = replace(finding, ruling=ruling, outcome=told, reproduced=same, agree=agree)
    return found


def _agree(one: Comparison, model: Model, cells: Sequence[Condition]) -> float | None:
    if one.kind == "trend" or one.less is not None or one.b is None or one.same_network or len(cells) < 2:
        return None
    return agreement(model, one.a.arm, one.b.arm, cells).p


def _runs(
    members: Sequence[Comparison], a: str, b: str, values: Values, cells: Sequence[Condition]
) -> dict[RunKey, RunValue]:
    """(arm, cell, (data set, seed)) -> value; of two scores of one network, their difference in each run."""
    arms = dict.fromkeys(side.arm for one in members for side in one.sides)
    result: dict[RunKey, RunValue] = {}
    for arm in arms:
        for cell in cells:
            first = values.by_seed(Side(arm, a), cell)
            second = values.by_seed(Side(arm, b), cell) if b else dict.fromkeys(first, 0.0)
            for seed in first.keys() & second.keys():
                row = values.runs(arm, cell)[seed]
                number = first[seed] - second[seed]
                result[arm, cell, (cell.dataset, seed)] = RunValue(number, row["folder"], row["class_names"])
    return dict(sorted(result.items(), key=lambda item: (list(arms).index(item[0][0]), str(item[0][1:]))))


def _places(
    one: Comparison, model: Model, cells: Sequence[Condition]
) -> Iterator[tuple[Condition, dict[Point, float]]]:
    """The cells that a comparison can be made in, with its weights."""
    mine = [cell for cell in cells if within(one, cell)]
    if one.kind == "trend":
        for dataset in dict.fromkeys(cell.dataset for cell in mine):
            part = [cell for cell in mine if cell.dataset == dataset and _known(one, model, cell)]
            if len({cell.share for cell in part}) > 1:
                weights = slope([10 * cell.share for cell in part])
                points = {
                    point: weight * sign
                    for cell, weight in zip(part, weights, strict=True)
                    for point, sign in _signs(one, cell).items()
                }
                yield Condition(dataset, 0.0, ""), points
        return
    for cell in mine:
        other = _other(one, cell, cells)
        if _known(one, model, cell) and (one.less is None or (other is not None and _known(one, model, other))):
            minus = {point: -weight for point, weight in _signs(one, other).items()} if other is not None else {}
            yield cell, {**_signs(one, cell), **minus}


def _reads(one: Comparison, cell: Condition) -> bool:
    """Whether a comparison is of a cell, or may subtract what it has there."""
    subtracted = one.less is not None and one.less[0] in ("", cell.dataset) and one.less[1] in ("", cell.level)
    return subtracted or within(one, cell)


def _compared(one: Comparison, cells: Sequence[Condition], values: Values) -> set[str]:
    """The data sets that a comparison can be made on: each side has runs there, a trend's under two shares of noise."""
    shares: dict[str, set[float]] = {}
    for cell in cells:
        if _reads(one, cell) and all(values.runs(side.arm, cell) for side in one.sides):
            shares.setdefault(cell.dataset, set()).add(cell.share)
    return {dataset for dataset, found in shares.items() if one.kind != "trend" or len(found) > 1}


def _signs(one: Comparison, cell: Condition) -> dict[Point, float]:
    if one.b is None or one.same_network:
        return {(one.a.arm, cell): 1.0}
    if one.a.arm == one.b.arm:
        raise UserError(f"{one.a.arm!r} is compared with itself")
    return {(one.a.arm, cell): 1.0, (one.b.arm, cell): -1.0}


def _known(one: Comparison, model: Model, cell: Condition) -> bool:
    return all(point in model.runs for point in _signs(one, cell))


def _other(one: Comparison, cell: Condition, cells: Sequence[Condition]) -> Condition | None:
    """The cell whose difference is subtracted."""
    if one.less is None:
        return None
    dataset, level = (wish or own for wish, own in zip(one.less, (cell.dataset, cell.level), strict=True))
    return next((other for other in cells if (other.dataset, other.level) == (dataset, level)), None)
