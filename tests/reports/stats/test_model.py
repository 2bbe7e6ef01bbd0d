"""The model of a table against the analysis of variance, statsmodels and SciPy."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from common.errors import UserError
from reports.stats.effects import Observed, difference, slope
from reports.stats.model import fit


def table(arms: int, cells: int, seeds: int, *, seed: int = 0, missing: float = 0.0, shared: float = 0.6):
    rng = np.random.default_rng(seed)
    common, arm = rng.normal(size=(1, cells, seeds)), rng.normal(size=(arms, 1, seeds))
    values = 50 + common * 0.5 + shared * arm + 0.7 * rng.normal(size=(arms, cells, seeds))
    values += np.arange(arms)[:, None, None] + 3.0 * np.arange(cells)[None, :, None]
    kept = rng.random(values.shape) >= missing
    places = [place for place in np.ndindex(*values.shape) if kept[place]]
    return values, [Observed(f"m{a}", f"c{c}", s, float(values[a, c, s])) for a, c, s in places]


def split_plot(values: np.ndarray):
    """Mean squares of the whole plots (arm x seed) and of the subplots, each with its degrees of freedom."""
    arms, cells, seeds = values.shape
    rest = values - values.mean(axis=2, keepdims=True)
    rest = rest - rest.mean(axis=0)  # what a seed does to all arms of a cell
    whole = rest.mean(axis=1, keepdims=True)
    freedom = (arms - 1) * (seeds - 1)
    return (
        (cells * (whole**2).sum() / freedom, freedom),
        (((rest - whole) ** 2).sum() / (freedom * (cells - 1)), freedom * (cells - 1)),
    )


@pytest.mark.parametrize(("arms", "cells", "seeds"), [(4, 3, 3), (5, 3, 5), (3, 6, 8), (2, 2, 3)])
def test_a_complete_table_is_the_split_plot_analysis(arms, cells, seeds):
    values, runs = table(arms, cells, seeds)
    effect = fit(runs, equal=True).difference("m1", "m0", "c1")
    (whole, whole_df), (sub, sub_df) = split_plot(values)
    parts = whole / cells, sub * (cells - 1) / cells
    variance = sum(parts)
    assert effect.estimate == pytest.approx(values[1, 1].mean() - values[0, 1].mean())
    assert effect.error == pytest.approx(sqrt(2 * variance / seeds), rel=1e-3)
    freedom = variance**2 / (parts[0] ** 2 / whole_df + parts[1] ** 2 / sub_df)
    assert effect.freedom == pytest.approx(freedom, rel=1e-2)
    half = stats.t.ppf(0.975, effect.freedom) * effect.error
    assert (effect.low, effect.high) == pytest.approx((effect.estimate - half, effect.estimate + half))
    assert effect.p == pytest.approx(2 * stats.t.sf(abs(effect.estimate / effect.error), effect.freedom))


def test_one_cell_is_the_two_way_analysis_and_two_arms_the_paired_t_test():
    values, runs = table(5, 1, 4)
    rest = values[:, 0] - values[:, 0].mean(1, keepdims=True) - values[:, 0].mean(0) + values.mean()
    effect = fit(runs, equal=True).difference("m1", "m0", "c0")
    assert effect.freedom == pytest.approx(12)
    assert effect.error == pytest.approx(sqrt(2 * (rest**2).sum() / 12 / 4))
    pair = [run for run in runs if run.arm in ("m0", "m1")]
    effect = fit(pair, equal=True).difference("m1", "m0", "c0")
    assert effect.p == pytest.approx(stats.ttest_rel(values[1, 0], values[0, 0]).pvalue, rel=1e-3)


def test_a_trend_is_the_least_squares_slope_with_the_error_of_the_subplots():
    values, runs = table(4, 4, 5)
    places = [0.0, 1.0, 2.0, 4.0]
    model = fit(runs, equal=True)
    weights = enumerate(slope(places))
    effect = model.effect({(f"m{arm}", f"c{cell}"): (2 * arm - 1) * one for cell, one in weights for arm in (0, 1)})
    gaps = (values[1] - values[0]).mean(axis=1)
    assert effect.estimate == pytest.approx(np.polyfit(places, gaps, 1)[0])
    variance, freedom = split_plot(values)[1]
    assert effect.freedom == pytest.approx(freedom, rel=1e-3)
    assert effect.error == pytest.approx(sqrt(2 * variance / 5 / np.var(places) / 4), rel=1e-3)


def test_seeds_that_nobody_shares_are_a_one_way_analysis():
    values, runs = table(4, 1, 5)
    runs = [run._replace(seed=(run.arm, run.seed)) for run in runs]
    model = fit(runs, equal=True)
    assert list(model.components) == ["rest"]
    effect = model.difference("m3", "m0", "c0")
    assert effect.freedom == pytest.approx(16)
    assert effect.error == pytest.approx(sqrt(2 * values.var(axis=2, ddof=1).mean() / 5))


@pytest.mark.parametrize("seed", range(4))
def test_tables_with_missing_runs_against_statsmodels(seed):
    _, runs = table(5, 3, 6, seed=seed, missing=0.15, shared=0.8)
    model = fit(runs, equal=True)
    frame = pd.DataFrame(runs).assign(one=1)
    parts = {"seed": "0 + C(seed)", "cell": "0 + C(cell):C(seed)", "own": "0 + C(arm):C(seed)"}
    theirs = smf.mixedlm("value ~ C(arm) * C(cell)", frame, groups="one", vc_formula=parts, re_formula="0").fit(
        reml=True
    )
    found = dict(zip(theirs.model.exog_vc.names, theirs.vcomp, strict=True))
    ours = model.components
    assert model.means == pytest.approx(
        [frame[(frame.arm == a) & (frame.cell == c)].value.mean() for a, c in model.points]
    )
    assert ours["rest"] == pytest.approx(theirs.scale, abs=2e-3)
    names = {"seed": "seed", "cell": "cell:seed", "own": "arm:seed"}
    assert {name: ours[names[name]] for name in found} == pytest.approx(found, abs=2e-3)
    within = ours["arm:seed"] + ours["rest"]
    effect = model.difference("m1", "m0", "c0")
    runs_of = [model.runs["m1", "c0"], model.runs["m0", "c0"]]
    assert effect.error == pytest.approx(sqrt(within * sum(1 / n for n in runs_of)), rel=0.15)


def test_levene_finds_the_arm_that_varies_and_gives_it_a_variance_of_its_own():
    rng = np.random.default_rng(5)
    factor = {"m0": 6.0}
    runs = [
        Observed(f"m{a}", c, s, float(factor.get(f"m{a}", 1.0) * rng.normal()))
        for a in range(4) for c in range(4) for s in range(6)
    ]  # fmt: skip
    model = fit(runs)
    assert model.homogeneity.unequal == "arm" and not model.pooled
    quiet, loud = model.difference("m1", "m2", 0), model.difference("m1", "m0", 0)
    assert loud.error > 2.5 * quiet.error
    forced = fit(runs, equal=True)
    assert forced.pooled and forced.difference("m1", "m0", 0).error == pytest.approx(
        forced.difference("m1", "m2", 0).error
    )
    assert fit(table(4, 3, 5)[1]).homogeneity.unequal is None


@pytest.mark.parametrize("arms", [1, 3])
def test_without_repeated_seeds_there_is_no_error(arms):
    model = fit(table(arms, 2, 1)[1])
    effect = model.mean("m0", "c0")
    assert (effect.error, effect.low, effect.high, effect.p) == (None,) * 4


def test_values_that_never_differ_leave_no_error_and_no_p():
    runs = [Observed(arm, "c", seed, 10.0 + (arm == "a")) for arm in "ab" for seed in range(3)]
    effect = fit(runs).difference("a", "b", "c")
    assert (effect.estimate, effect.error, effect.freedom, effect.low, effect.high) == (1, 0, inf, 1, 1)
    assert effect.p is None


def test_seeds_that_agree_leave_the_chance_of_the_images():
    runs = [Observed(arm, "c", seed, 70.0 + 0.2 * (arm == "a")) for arm in "ab" for seed in range(3)]
    effect = fit(runs).with_images(np.array([[0.5, 0.3], [0.3, 0.5]])).difference("a", "b", "c")
    assert (effect.error, effect.freedom) == (pytest.approx(sqrt(0.4)), inf)
    assert effect.high == pytest.approx(0.2 + stats.norm.ppf(0.975) * sqrt(0.4)) and effect.p > 0.5


def test_a_single_run_says_nothing_of_how_an_arm_varies():
    runs = table(4, 3, 4)[1]
    single = [Observed("m0", f"alone {place}", 0, 9.0 * place) for place in range(5)]
    assert fit([*runs, *single]).homogeneity == fit(runs).homogeneity


def test_the_images_part_widens_the_interval_and_adds_degrees_of_freedom():
    _, runs = table(4, 3, 3)
    model = fit(runs)
    extra = np.eye(len(model.points)) * 0.5
    plain, whole = model.difference("m1", "m0", "c0"), model.with_images(extra).difference("m1", "m0", "c0")
    assert whole.error == pytest.approx(sqrt(plain.error**2 + 1.0))
    assert whole.freedom == pytest.approx(plain.freedom * (whole.error / plain.error) ** 4)
    assert model.with_images(extra).difference("m1", "m0", "c0", images=False) == plain


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit([]), "no runs to compare"),
        (lambda: fit([Observed("a", "c", 0, float("nan"))]), "none has a finite value"),
        (lambda: fit([Observed("a", "c", 0, 1.0), Observed("a", "c", 0, 2.0)]), "'a' in cell 'c', seed 0: given twice"),
        (lambda: difference("rul", "rul", "c"), "'rul' is compared with itself"),
        (lambda: fit(table(2, 1, 3)[1]).difference("m0", "m9", "c0"), "no runs of 'm9' in cell 'c0'"),
    ],
)
def test_what_cannot_be_compared_is_named(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_an_arm_that_is_missing_in_a_cell_leaves_the_rest_of_the_table_as_it_is():
    _, runs = table(4, 3, 3)
    model = fit([run for run in runs if (run.arm, run.cell) != ("m3", "c2")])
    assert model.arms("c2") == ["m0", "m1", "m2"] and model.difference("m1", "m0", "c2").error


def test_the_order_of_the_runs_does_not_matter():
    _, runs = table(4, 3, 4, missing=0.1)
    first = fit(runs).difference("m1", "m0", "c1")
    again = fit(runs[::-1]).difference("m1", "m0", "c1")
    assert (first.estimate, first.error, first.freedom) == pytest.approx((again.estimate, again.error, again.freedom))
