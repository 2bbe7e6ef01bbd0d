"""Statistics against scipy and by hand."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from scipy import stats

from benchmarks.plan import recipe as recipes
from reports.paper.numbers import PaperNumber
from reports.stats.effects import Effect
from reports.stats.ranks import average_ranks, critical_difference, friedman_p
from reports.stats.summary import Summary, summary
from reports.stats.verdict import allowed, deviations, verdict


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


@pytest.mark.parametrize(
    ("mean", "error", "published", "wanted"),
    [
        (80.0, 0.2, PaperNumber(80.3), "reproduced"),
        (80.0, 0.2, PaperNumber(80.9), "different"),  # the interval reaches over the margin, but leaves zero out
        (80.0, 0.2, PaperNumber(82.0), "below"),
        (80.0, 0.2, PaperNumber(78.0), "above"),
        (80.0, 0.5, PaperNumber(80.3), "undecided"),
        (80.0, 0.2, PaperNumber(80.3, 2.0, 3), "undecided"),  # the paper's own error counts
        (80.0, None, PaperNumber(80.0), "one seed"),
    ],
)
def test_a_number_is_reproduced_where_it_is_equal_within_the_margin(
    mean: float, error: float | None, published: PaperNumber, wanted: str
) -> None:
    effect = Effect(mean, error, None if error is None else 10.0)
    assert verdict(effect, 3, published) == ("below" if wanted == "different" else wanted)
    assert verdict(effect, 1, published) == "one seed"
    if error is not None and published.sd is None:  # the 90 % interval by scipy, held against the margin
        low, high = stats.t.interval(0.9, 10, loc=mean - published.mean, scale=error)
        assert bool(max(abs(low), abs(high)) < 1) is (wanted == "reproduced")


def test_a_recipe_says_what_its_numbers_may_say() -> None:
    tiers = {name: allowed(recipes.load(name, "cifar10"), "cifar10", "rul") for name in recipes.RECIPES.names()}
    assert tiers == {"paper": "reproduction", "compact": "setting", "quick": "none"}
    compact, paper = recipes.load("compact", "fer2013"), recipes.load("paper", "rafdb")
    assert allowed(compact.model_copy(update={"precision": "float32"}), "fer2013", "rul") == "setting"
    assert allowed(compact.model_copy(update={"epochs": 1}), "fer2013", "rul") == "none"
    assert allowed(compact.model_copy(update={"name": "mine"}), "fer2013", "rul") == "setting"
    assert allowed(recipes.load("compact", "faces"), "faces", "rul") == "none"
    assert allowed(paper, "rafdb", "rul", None) == "setting"  # without the weights that it starts from
    assert allowed(paper, "rafdb", "rul", "ab" * 32) == "reproduction"
    for method in ("rul", "scn"):
        assert allowed(recipes.load("paper", "rafdb", method), "rafdb", method, "ab" * 32) == "reproduction"


def test_what_the_paper_does_not_give_is_not_called_its_value() -> None:
    faces = deviations(recipes.load("quick", "rafdb"), "rafdb")
    assert "backbone small (paper: resnet18)" in faces and "mean 0.5 (recipe paper: 0.485, 0.456, 0.406)" in faces
    assert not any("(paper:" in text for text in deviations(recipes.load("quick", "cifar10"), "cifar10"))


def test_average_ranks_and_critical_difference_of_demsar() -> None:
    assert average_ranks(np.array([[0.9, 0.8, 0.8], [0.7, 0.9, 0.1]])).tolist() == [1.5, 1.75, 2.75]
    # Demsar 2006, table 5a: q of 4 methods is 2.569; his example has 14 data sets.
    assert critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)


def test_friedman() -> None:
    scores = np.array([[3.0, 2.0, 1.0], [6.0, 5.0, 1.0], [9.0, 2.0, 3.0]])
    assert friedman_p(scores) == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue)
    assert friedman_p(np.ones((3, 3))) == 1.0
