"""Outcomes, equivalence and agreement of cells against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from common.errors import UserError
from reports.stats.effects import Effect, Observed
from reports.stats.model import fit
from reports.stats.outcome import agreement, detectable, equivalence, rule


def effect(low: float, high: float) -> Effect:
    return Effect((low + high) / 2, (high - low) / 4, 12.0, 2.0, 0.5)


@pytest.mark.parametrize(
    ("low", "high", "sign", "margin", "outcome"),
    [
        (0.2, 2.4, 1, 1.0, "supported"),
        (0.2, 2.4, -1, 1.0, "opposed"),
        (-3.0, -0.1, 1, 1.0, "opposed"),
        (-3.0, -0.1, -1, 1.0, "supported"),
        (-0.4, 0.6, 1, 1.0, "equivalent"),
        (0.1, 0.9, 1, 1.0, "equivalent"),  # it differs, by less than matters
        (0.1, 0.9, 1, 0.5, "supported"),
        (-0.4, 1.1, 1, 1.0, "undecided"),
        (-5.0, 5.0, -1, 1.0, "undecided"),
        (1.5, 2.0, 1, 1.0, "supported"),
    ],
)
def test_the_four_outcomes(low, high, sign, margin, outcome):
    ruling = rule(effect(low, high), 3, sign=sign, margin=margin)
    assert ruling.outcome == outcome
    assert (ruling.detectable is not None) == (outcome == "undecided")


def test_without_an_error_or_with_one_seed_it_is_undecided():
    for ruling in (rule(Effect(3.0), 3), rule(effect(1.5, 2.0), 1), rule(effect(-0.4, 0.6), 1)):
        assert (ruling.outcome, ruling.detectable) == ("undecided", None)
    assert equivalence(Effect(3.0), 2.9).outcome == "undecided"


@pytest.mark.parametrize(("freedom", "critical"), [(4.0, 2.776), (16.0, 2.12), (20.0, 2.99)])
def test_the_detectable_difference_is_found_four_times_in_five(freedom, critical):
    size = detectable(Effect(0.0, 0.5, freedom, critical))
    rng = np.random.default_rng(0)
    t = (rng.normal(size=200_000) * 0.5 + size) / (0.5 * np.sqrt(rng.chisquare(freedom, 200_000) / freedom))
    assert (t > critical).mean() == pytest.approx(0.8, abs=0.004)


def test_equivalence_is_two_one_sided_t_tests():
    values = np.array([66.1, 66.4, 65.9, 66.3, 66.0])
    model = fit([Observed("rul", "c", seed, value) for seed, value in enumerate(values)])
    for published in (66.2, 65.6, 64.0):
        found = equivalence(model.mean("rul", "c"), published, margin=0.8)
        over = stats.ttest_1samp(values, published - 0.8, alternative="greater").pvalue
        under = stats.ttest_1samp(values, published + 0.8, alternative="less").pvalue
        assert found.p == pytest.approx(max(over, under))
        low, high = stats.ttest_1samp(values, published).confidence_interval(0.9)
        assert (found.low, found.high) == pytest.approx((low - published, high - published))
        assert (found.outcome == "equivalent") == (found.low > -0.8 and found.high < 0.8)
    assert equivalence(model.mean("rul", "c"), 64.0).outcome == "different"


def test_the_published_error_makes_equivalence_harder():
    ours = Effect(66.0, 0.3, 8.0, 2.3)
    alone, both = equivalence(ours, 66.1), equivalence(ours, 66.1, published_error=0.8)
    assert alone.outcome == "equivalent" and both.outcome == "undecided"
    assert both.high - both.low > alone.high - alone.low


def cells(gaps: list[float], seeds: int = 5, noise: float = 1.0):
    rng = np.random.default_rng(4)
    shape = (3, len(gaps), seeds)
    values = noise * (0.7 * rng.normal(size=(3, 1, seeds)) + 0.7 * rng.normal(size=shape))
    values[1] += np.array(gaps)[:, None]
    return values, [Observed(f"m{a}", c, s, float(values[a, c, s])) for a, c, s in np.ndindex(*shape)]


def test_agreement_is_the_split_plot_interaction():
    values, runs = cells([1.0, 1.5, 0.5])
    found = agreement(fit(runs, equal=True), "m1", "m0")
    rest = values - values.mean(axis=2, keepdims=True)
    rest = rest - rest.mean(axis=0)
    rest = rest - rest.mean(axis=1, keepdims=True)
    freedom = 2 * 4 * 2
    sub = (rest**2).sum() / freedom
    gaps = values[1].mean(axis=1) - values[0].mean(axis=1)
    f = ((gaps - gaps.mean()) ** 2).sum() / 2 / (2 * sub / 5)
    assert found.p == pytest.approx(stats.f.sf(f, 2, freedom), rel=1e-3)
    assert not found.heterogeneous
    assert found.common.estimate == pytest.approx(gaps.mean())


def test_cells_that_disagree_are_not_averaged():
    _, runs = cells([6.0, 0.0, -6.0])
    found = agreement(fit(runs, equal=True), "m1", "m0")
    assert found.heterogeneous and found.common is None
    assert [round(one.estimate / 6) for one in found.cells.values()] == [1, 0, -1]


def test_one_cell_agrees_with_itself():
    _, runs = cells([2.0])
    found = agreement(fit(runs), "m1", "m0")
    assert found.p is None and not found.heterogeneous and found.common == found.cells[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rule(effect(0, 1), 3, margin=0), "margin 0: must be above zero"),
        (lambda: equivalence(effect(0, 1), margin=float("nan")), "margin nan"),
        (lambda: agreement(fit(cells([1.0])[1]), "m1", "m1"), "'m1' is compared with itself"),
        (lambda: agreement(fit(cells([1.0])[1]), "m1", "zzz"), "no cell has runs of both 'm1' and 'zzz'"),
    ],
)
def test_bad_requests_are_named(call, message):
    with pytest.raises(UserError, match=message):
        call()
