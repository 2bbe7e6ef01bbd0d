"""The claims as data: the paper's own numbers satisfy every comparison that is called the paper's."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from reports.paper.claim import ARMS, RELABELS, ROWS, Claim
from reports.paper.claims import CLAIMS
from reports.paper.comparison import Comparison, Side
from reports.stats.comparisons import Finding
from reports.stats.measures import MEASURES
from reports.stats.paper_effect import paper_effect
from reports.stats.values import Condition
from reports.tables.claims_grids import ours_range, paper_range
from tests.reports.recount import paper_number

RAW = tomllib.loads((Path(__file__).parents[2] / "reports" / "paper" / "numbers.toml").read_text(encoding="utf-8"))
CASES = [
    pytest.param(claim, one, id=f"{claim.number} {one.text}")
    for claim in CLAIMS
    if claim.table
    for one in claim.comparisons
]


def cells(claim: Claim, one: Comparison) -> list[Condition]:
    """Every cell of a claim that a comparison is of, whether there are runs or not."""
    return [
        Condition(dataset, 0.0, level)
        for dataset, levels in claim.grid.items()
        for level in levels
        if dataset in (one.datasets or (dataset,)) and level in (one.levels or (level,))
    ]


@pytest.mark.parametrize(("claim", "one"), CASES)
def test_the_paper_satisfies_its_own_claims(claim: Claim, one: Comparison) -> None:
    found = [effect for cell in cells(claim, one) if (effect := paper_effect(claim, one, cell)) is not None]
    assert all(one.sign * effect.estimate > 0 for effect in found), found
    assert bool(found) is ("probabilities" not in one.text), "of mixed probabilities the paper has no number"


def test_comparisons_that_the_paper_does_not_satisfy_would_be_found() -> None:
    first = next(claim for claim in CLAIMS if claim.number == 1)
    wrong = Comparison("dul − scn", Side("dul"), Side("scn"))
    gaps = [paper_effect(first, wrong, Condition("fer2013", 0.0, level)).estimate for level in ("10", "20", "30")]
    assert gaps == [pytest.approx(0.15), pytest.approx(-0.75), pytest.approx(-1.63)]
    sixth = next(claim for claim in CLAIMS if claim.table == "table6")
    last = Comparison("rul − conf", Side("rul", "at_30"), Side("conf", "at_30"))
    assert paper_effect(sixth, last, Condition("cifar10", 0.0, "0")).estimate == pytest.approx(99.44 - 99.56)


@pytest.mark.parametrize("dataset", ["rafdb", "fer2013", "affectnet"])
def test_gains_are_those_of_the_papers_text(dataset: str) -> None:
    text = {"rafdb": (4.30, 4.32, 4.60), "fer2013": (1.01, 1.56, 2.01), "affectnet": (1.94, 2.01, 4.05)}  # 4.3
    first, second = CLAIMS[:2]
    cells = [Condition(dataset, 0.0, level) for level in ("10", "20", "30")]
    gains = [paper_effect(first, first.comparisons[0], cell).estimate for cell in cells]
    assert gains == [pytest.approx(gain) for gain in text[dataset]]
    trend = paper_effect(second, second.comparisons[0], Condition(dataset, 0.0, ""))
    assert trend.estimate == pytest.approx((text[dataset][2] - text[dataset][0]) / 2)


def test_rows_of_the_papers_tables_are_read_the_same_by_other_code() -> None:
    for claim in CLAIMS:
        for one in claim.comparisons if claim.table in ROWS else ():
            for cell in cells(claim, one):
                if one.kind == "difference" and one.less is None:
                    sides = [paper_number(RAW, claim.table, side, cell.dataset, cell.level) for side in one.sides]
                    wanted = None if None in sides else sides[0] - sum(sides[1:])  # type: ignore[operator, arg-type]
                    found = paper_effect(claim, one, cell)
                    assert (found and found.estimate) == (None if wanted is None else pytest.approx(wanted))


def test_every_comparison_is_of_known_arms_and_measures_and_never_of_a_thing_with_itself() -> None:
    assert RELABELS in ARMS and len({claim.number for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert bool(claim.quote) is (claim.asked == "paper")
        assert len({one.text for one in claim.comparisons}) == len(claim.comparisons)
        for one in claim.comparisons:
            assert one.a != one.b
            assert all(side.arm in ARMS and side.measure in MEASURES for side in one.sides)
            if one.same_network:
                assert one.b is not None and one.a.measure != one.b.measure
            elif one.b is not None:
                assert one.a.measure == one.b.measure
        assert all(side.arm in ARMS and side.measure in MEASURES for side in claim.shown)


def test_a_range_is_over_one_quantity() -> None:
    def finding(measure: str, estimate: float, settled: str = "") -> Finding:
        one = Comparison("rul − scn", Side("rul", measure), Side("scn", measure), settled=settled)
        return Finding(one, Condition("fer2013", 0.0, "0"), 2, 3, "undecided", estimate)

    same = [finding("at_30", 1.0), finding("accuracy", -2.0), finding("at_10", 9.0, "by algebra")]
    assert ours_range(same) == "−2.00 to +1.00"
    mixed = ours_range([*same, finding("auroc", 30.0), finding("hard_auroc", 40.0)])
    assert mixed.startswith("accuracy: −2.00 to +1.00; errors: AUROC: +30.00; ") and mixed.endswith(": +40.00")
    assert ours_range([]) == "–"
    fourth = next(claim for claim in CLAIMS if claim.table == "table6")
    assert paper_range(fourth) == "accuracy: +0.21 to +2.25; rise at 30 % rejected: +3.86 to +9.00"
