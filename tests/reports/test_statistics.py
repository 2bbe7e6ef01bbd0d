"""Statistics against scipy and by hand."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from scipy import stats

from reports.paper.numbers import PaperNumber
from reports.stats.ranks import average_ranks, critical_difference
from reports.stats.statistics import (
    Summary,
    holm,
    interval,
    paired_p,
    rank_marks,
    summary,
)
from reports.stats.verdict import verdict

A = {0: 80.0, 1: 81.5, 2: 80.4}
B = {0: 78.1, 1: 79.0, 2: 78.9}


def test_summary_matches_numpy_and_scipy() -> None:
    values = [80.0, 81.5, 80.4]
    result = summary(values)
    assert (result.n, result.mean, result.sd) == (
        3,
        pytest.approx(np.mean(values)),
        pytest.approx(np.std(values, ddof=1)),
    )
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (result.low, result.high) == (pytest.approx(low), pytest.approx(high))


def test_summary_of_few_values() -> None:
    assert summary([]) == Summary(0)
    assert summary([nan]) == Summary(0)
    assert summary([80.0, nan]) == Summary(1, 80.0)
    assert summary([0.1 + 0.2] * 3) == Summary(3, pytest.approx(0.3), 0.0, pytest.approx(0.3), pytest.approx(0.3))


def test_paired_p_matches_scipy_over_common_seeds() -> None:
    wanted = stats.ttest_rel(list(A.values()), list(B.values())).pvalue
    assert paired_p(A, {**B, 7: 10.0}) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        (A, {}, None),
        (A, {0: 1.0}, None),
        (A, {5: 1.0, 6: 2.0}, None),
        (A, A, 1.0),
        ({0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.0}, None),
    ],
)
def test_paired_p_where_there_is_nothing_to_test(
    a: dict[int, float], b: dict[int, float], wanted: float | None
) -> None:
    assert paired_p(a, b) == wanted


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, None, 0.8]) == [1.0, None, 1.0]
    assert holm([]) == []


def test_best_only_where_significant() -> None:
    far = {seed: value - 20 for seed, value in B.items()}
    assert rank_marks({"a": A, "c": far}) == {"a": "best", "c": ""}
    assert rank_marks({"a": A, "c": far, "missing": {}}) == {"a": "", "c": "", "missing": ""}
    near = {0: 80.2, 1: 81.1, 2: 80.9}
    assert rank_marks({"a": A, "b": near, "c": far}) == {"a": "tie", "b": "tie", "c": ""}
    assert rank_marks({"a": {0: 90.0}, "b": {0: 10.0}}) == {"a": "", "b": ""}
    assert rank_marks({"a": A}) == {"a": ""}
    assert rank_marks({"a": A, "b": {0: nan, 1: nan}}) == {"a": "", "b": ""}


def test_verdict() -> None:
    measured = summary([80.0, 80.5, 81.0])  # 80.5 ± 1.24
    assert verdict(measured, PaperNumber(81.7)) == "reproduced"
    assert verdict(measured, PaperNumber(81.8)) == "below"
    assert verdict(measured, PaperNumber(79.2)) == "above"
    assert verdict(measured, PaperNumber(82.5, 0.5)) == "reproduced"  # 82.5 ± 1.24: the intervals overlap
    assert verdict(summary([80.0]), PaperNumber(80.0)) == "one seed"
    assert interval(82.5, 0.5, 3)[0] == pytest.approx(81.258, abs=1e-3)


def test_average_ranks_and_critical_difference_of_demsar() -> None:
    assert average_ranks(np.array([[0.9, 0.8, 0.8], [0.7, 0.9, 0.1]])).tolist() == [1.5, 1.75, 2.75]
    # Demsar 2006, table 5a: q of 4 methods is 2.569; his example has 14 data sets.
    assert critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
