"""What claims rest on: slopes, ratios and verdicts by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reports.paper.comparison import Comparison, Side
from reports.stats.comparisons import Condition, Outcome, _difference, _ratio, _trend, judged, overall
from reports.stats.ranks import friedman_p
from reports.stats.statistics import within_slope

A, B = Side("rul", "seconds"), Side("baseline", "seconds")


def pairs(values: dict[str, list[tuple[float, float]]]) -> dict[tuple[Condition, int], tuple[float, float]]:
    return {
        (Condition("x", float(level) / 100, level), seed): both
        for level, several in values.items()
        for seed, both in enumerate(several)
    }


def test_slope_of_one_group_is_that_of_scipy() -> None:
    x, y = np.array([1.0, 2.0, 3.0, 5.0]), np.array([2.0, 2.5, 4.5, 5.0])
    wanted = stats.linregress(x, y)
    assert within_slope([list(zip(x, y, strict=True))]) == (pytest.approx(wanted.slope), pytest.approx(wanted.pvalue))


def test_groups_have_levels_of_their_own() -> None:
    line = [(1.0, 1.0), (2.0, 2.1), (3.0, 2.9)]
    lifted = [(x, y + 100) for x, y in line]
    slope, p = within_slope([line, lifted])
    assert slope == pytest.approx(within_slope([line])[0]) and p is not None and p < 0.01
    assert within_slope([]) == within_slope([[(1.0, 2.0)]]) == (None, None)
    assert within_slope([[(1.0, 1.0), (2.0, 2.0)]]) == (1.0, None)  # nothing is left to tell an error from


def test_a_difference_is_tested_over_all_pairs() -> None:
    found = pairs({"10": [(2.0, 1.0), (3.0, 1.5)], "20": [(2.0, 1.9), (4.0, 3.0)]})
    outcome = _difference(Comparison("a − b", A, B), 2, found)
    gaps = [1.0, 1.5, 0.1, 1.0]
    assert outcome.p == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue)
    assert (outcome.pairs, outcome.favour, outcome.center) == (4, 4, pytest.approx(np.mean(gaps)))
    assert outcome.p_seeds == pytest.approx(stats.ttest_1samp([0.55, 1.25], 0).pvalue)  # a seed's cells are one value
    assert [item.mean for item in outcome.cells.values()] == [pytest.approx(1.25), pytest.approx(0.55)]
    assert _difference(Comparison("a − b", A, B, sign=-1), 2, found).favour == 0


def test_a_trend_grows_with_the_noise() -> None:
    found = pairs({"10": [(1.0, 0.0), (5.0, 3.9)], "20": [(2.1, 0.0), (6.0, 4.0)], "30": [(3.0, 0.0), (7.0, 3.9)]})
    outcome = _trend(Comparison("a − b", A, B, kind="trend"), 2, found)
    assert (outcome.pairs, outcome.favour) == (2, 2)
    assert outcome.center == pytest.approx(1.0, abs=0.1) and outcome.p is not None and outcome.p < 0.01


def test_a_ratio_is_held_against_ten_per_cent() -> None:
    close = {"10": [(10.0 + 0.1 * seed, 10.0) for seed in range(8)]}
    outcome = _ratio(Comparison("a / b", A, B, kind="ratio"), 1, pairs(close))
    logs = np.log([(1.0 + 0.01 * seed) / 1.1 for seed in range(8)])
    assert outcome.p == pytest.approx(stats.wilcoxon(logs).pvalue)
    assert judged([outcome])[0].verdict == "holds" and outcome.favour == 8
    far = _ratio(Comparison("a / b", A, B, kind="ratio"), 1, pairs({"10": [(20.0 + s, 10.0) for s in range(8)]}))
    assert judged([far])[0].verdict == "does not hold" and not far.sided
    assert _ratio(Comparison("a / b", A, B, kind="ratio"), 1, pairs({"10": [(1.0, 0.0)]})).center is None


def outcome(p: float | None, center: float | None, decides: bool = True) -> Outcome:
    comparison = Comparison("a − b", A, B, decides=decides)
    return Outcome(comparison, 2, {}, 9, 9, center, 1.0, p, None)


def test_holm_runs_over_deciding_rows_and_over_the_others() -> None:
    found = judged([outcome(0.02, 1.0), outcome(0.03, 1.0), outcome(0.03, 1.0, decides=False), outcome(None, None)])
    assert [one.p for one in found] == [0.04, 0.04, 0.03, None]
    assert [one.verdict for one in found] == ["holds", "holds", "holds", "not measured"]


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ([outcome(0.001, 1.0), outcome(0.001, 2.0)], "holds"),
        ([outcome(0.001, 1.0), outcome(0.001, -2.0)], "does not hold"),
        ([outcome(0.001, 1.0), outcome(0.5, 2.0)], "cannot be told"),
        ([outcome(0.001, 1.0), outcome(None, None)], "cannot be told"),
        ([outcome(0.001, 1.0), outcome(0.001, -2.0, decides=False)], "holds"),
        ([outcome(None, None)], "not measured"),
    ],
)
def test_a_claim_holds_where_all_that_decide_do(parts: list[Outcome], wanted: str) -> None:
    assert overall(judged(parts)) == wanted


def test_friedman() -> None:
    scores = np.array([[3.0, 2.0, 1.0], [6.0, 5.0, 1.0], [9.0, 2.0, 3.0]])
    assert friedman_p(scores) == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue)
    assert friedman_p(np.ones((3, 3))) == 1.0
