"""The bootstrap against resampled data sets made one by one, and against closed forms."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from benchmarks.metrics.accuracy import accuracy_after_rejection
from common.errors import UserError
from reports.stats import table_model
from reports.stats.effects import Observed, difference
from reports.stats.images import bootstrap
from reports.stats.images.bootstrap import image_draws, images_part, interval, over_seeds
from reports.stats.images.statistics import Accuracy, AfterRejection, Judged, Rise
from reports.stats.model import fit


def sample(size: int = 400, levels: int = 0, seed: int = 0) -> Judged:
    """A run; levels: how many different uncertainties there are (0: all differ)."""
    rng = np.random.default_rng(seed)
    score = rng.integers(levels, size=size).astype(float) if levels else rng.random(size)
    return Judged(rng.random(size) < 0.9 - 0.6 * (score / max(1, levels)), score)


def runs_of(seeds: int = 3, size: int = 600, arms: tuple[str, ...] = ("a", "b"), cells: tuple[str, ...] = ("c",)):
    """Runs on one test set: images that are easy or hard for all, and what arm and seed make of them."""
    rng = np.random.default_rng(7)
    ease = rng.normal(size=size)
    taste = {arm: 0.5 * rng.normal(size=size) for arm in arms}
    return {
        (arm, cell, seed): Judged(ease + taste[arm] + rng.normal(size=size) > -0.4, rng.random(size))
        for arm, cell, seed in product(arms, cells, range(seeds))
    }


def fitted(runs, statistic=lambda run: 100 * run.correct.mean()):
    return fit([Observed(*key, float(statistic(run))) for key, run in runs.items()], equal=True)


@pytest.mark.parametrize("levels", [0, 1, 2, 7, 50])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.7])
def test_a_draw_is_the_statistic_of_the_resampled_test_set(levels, rate):
    run = sample(levels=levels)
    rng = np.random.default_rng(1)
    drawn = rng.integers(400, size=(20, 400))
    weights = np.stack([np.bincount(rows, minlength=400) for rows in drawn], axis=1).astype(np.uint8)
    for statistic, expected in (
        (Accuracy(), lambda correct, score: 100 * correct.mean()),
        (AfterRejection(rate), lambda correct, score: 100 * accuracy_after_rejection(correct, score, rate)),
        (Rise(rate), lambda correct, score: 100 * (accuracy_after_rejection(correct, score, rate) - correct.mean())),
    ):
        prepared = statistic.prepare(run)
        found = prepared.value(prepared.rows @ weights, weights)
        assert found == pytest.approx([expected(run.correct[rows], run.uncertainty[rows]) for rows in drawn], abs=1e-4)


def test_draws_of_the_accuracy_have_the_covariance_of_the_images():
    runs = runs_of()
    draws = image_draws(runs, Accuracy(), draws=4000)
    found = np.cov(np.stack(list(draws.values.values())))
    exact = np.cov(np.stack([100.0 * run.correct for run in runs.values()])) / 600
    assert found == pytest.approx(exact, abs=0.12 * exact.max())


def test_the_same_seed_gives_the_same_test_sets_whatever_the_chunk(monkeypatch):
    runs = runs_of()
    first = image_draws(runs, Accuracy(), draws=700)
    again = image_draws(runs, Accuracy(), draws=700)
    assert all((first.values[key] == again.values[key]).all() for key in runs)
    rise = image_draws(runs, Rise(0.3), draws=700)
    at = image_draws(runs, AfterRejection(0.3), draws=700)
    for key in runs:
        assert rise.values[key] == pytest.approx(at.values[key] - first.values[key], abs=1e-3)
    assert not np.allclose(image_draws(runs, Accuracy(), draws=700, seed=1).values[key], first.values[key])


def test_memory_is_bounded_by_the_chunk():
    shapes = [weights.shape for weights in bootstrap._weights(50, 1201, 0)]
    assert shapes == [(50, 500), (50, 500), (50, 201)]
    assert all((weights.sum(axis=0) == 50).all() for weights in bootstrap._weights(50, 600, 0))


def test_the_images_part_leaves_out_what_seeds_make_of_single_images():
    """Two-way components (images x seeds) by the analysis of variance: the part is that of the images alone."""
    runs = runs_of(seeds=6, size=3000)
    points = [("a", "c"), ("b", "c")]
    gap = np.stack([100.0 * runs["a", "c", s].correct - 100.0 * runs["b", "c", s].correct for s in range(6)])
    seeds, images = gap.shape
    by_image = gap.mean(axis=0)
    rest = gap - by_image - gap.mean(axis=1, keepdims=True) + gap.mean()
    cross = (rest**2).sum() / ((seeds - 1) * (images - 1))
    expected = (seeds * by_image.var(ddof=1) - cross) / seeds / images
    keys = list(runs)
    between = np.cov(np.stack([100.0 * run.correct for run in runs.values()])) / images
    covariance, these = over_seeds(between, keys, points)
    part = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert part == pytest.approx(expected, rel=0.05)
    assert part < 0.9 * by_image.var(ddof=1) / images
    own = these[0, 0] + these[1, 1] - 2 * these[0, 1]
    assert own == pytest.approx(by_image.var(ddof=1) / images)


def test_test_sets_of_other_data_have_nothing_in_common():
    fer = image_draws(runs_of(cells=("fer",)), Accuracy(), draws=300)
    cifar = image_draws(runs_of(cells=("cifar",)), Accuracy(), draws=300)  # by chance of the seed, the same draws
    points = [("a", "fer"), ("b", "cifar"), ("b", "fer")]
    parts = images_part(points, [fer, cifar])
    for part, own in zip(parts, fer.covariance([points[0], points[2]]), strict=True):
        assert part[0, 1] == part[1, 2] == 0
        assert part[np.ix_([0, 2], [0, 2])] == pytest.approx(own)
    with pytest.raises(UserError, match="no predictions of 'b' in cell 'cifar'"):
        images_part(points, [fer])


def test_a_single_seed_has_the_images_part_of_its_run():
    runs = runs_of(seeds=1)
    draws = image_draws(runs, Accuracy(), draws=500)
    own = float((draws.values["a", "c", 0] ** 2).mean())
    over_seeds, of_these = draws.covariance([("a", "c")])
    assert over_seeds[0, 0] == of_these[0, 0] == pytest.approx(own)


@pytest.mark.parametrize("seeds", [3, 8])
def test_the_interval_is_that_of_the_model_with_images(seeds):
    runs = runs_of(seeds=seeds, arms=("a", "b", "d"))
    model, draws = fitted(runs), image_draws(runs, Accuracy())
    low, high = interval(model, draws, difference("a", "b", "c"))
    effect = model.with_images(*draws.covariance(model.points)).difference("a", "b", "c")
    alone = model.difference("a", "b", "c")
    assert (low, high) == pytest.approx((effect.low, effect.high), abs=0.08 * (effect.high - effect.low))
    assert high - low > alone.high - alone.low
    assert interval(model, draws, difference("a", "b", "c")) == (low, high)


def test_seeds_that_agree_by_chance_leave_what_seeds_make_of_single_images():
    """Two seeds of two arms: their differences may agree to a hundredth of a point. Those of other images would not."""
    runs = runs_of(seeds=2)
    values = {key: 70.0 + (key[0] == "a") + 0.001 * (key == ("a", "c", 1)) for key in runs}
    model = fit([Observed(*key, value) for key, value in values.items()], equal=True)
    covariance, these = image_draws(runs, Accuracy()).covariance(model.points)
    gap = 100.0 * np.mean([runs["a", "c", s].correct * 1.0 - runs["b", "c", s].correct for s in range(2)], axis=0)
    trusting, whole = (model.with_images(covariance, *one).difference("a", "b", "c") for one in ((), (these,)))
    assert whole.error == pytest.approx(gap.std() / 600**0.5, rel=0.05)
    assert 1 <= whole.freedom < 2  # however little the seeds differ
    assert whole.high - whole.low > 5 * (trusting.high - trusting.low)
    vectors = np.array([[1.0, -1.0], [1.0, 0.0]])
    of_seeds = model.with_images(covariance, these).difference("a", "b", "c", images=False)
    assert 0.5 < of_seeds.error / whole.error < 1
    assert of_seeds.freedom == pytest.approx(1)
    errors = [model.with_images(covariance, these).error(one)[0] for one in vectors]
    assert np.sqrt(np.diag(model.with_images(covariance, these).covariance(vectors))) == pytest.approx(errors)


def test_no_interval_without_repeated_seeds():
    runs = runs_of(seeds=1)
    assert interval(fitted(runs), image_draws(runs, Accuracy(), draws=50), difference("a", "b", "c")) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AfterRejection(0.999).prepare(sample(100)), "rejecting 0.999 of 100 images leaves none"),
        (lambda: image_draws({("a", 0, 0): sample(10), ("a", 0, 1): sample(9)}, Accuracy()), "these have 9, 10 images"),
        (lambda: image_draws({}, Accuracy()), "these have no images"),
        (
            lambda: image_draws({("a", 0, 0): sample(10)}, Accuracy(), draws=9).covariance([("b", 0)]),
            "no predictions of 'b' in cell 0",
        ),
    ],
)
def test_what_cannot_be_resampled_is_named(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_draws_are_kept_and_those_of_other_images_refused(monkeypatch, tmp_path):
    """What is asked for again is not drawn again, and is paired with what is asked for later."""
    judged = runs_of(seeds=2, size=80)
    made = []
    monkeypatch.setattr(table_model, "_known", {})
    monkeypatch.setattr(table_model, "_changed", lambda folder: 0)
    monkeypatch.setattr(
        table_model,
        "image_draws",
        lambda new, statistic: made.append(set(new)) or image_draws(new, statistic, draws=200),
    )
    runs = {key: table_model.RunValue(0.0, tmp_path / f"{number}") for number, key in enumerate(judged)}
    first = dict(list(runs.items())[:2])
    term = table_model.ResampledRuns(AfterRejection(0.3))
    table_model._draws(first, judged, term)
    found = table_model._draws(runs, judged, term)
    assert made == [set(first), set(runs) - set(first)]
    wanted = image_draws(judged, AfterRejection(0.3), draws=200).values
    assert all(found[key] == pytest.approx(wanted[key], abs=1e-4) for key in runs)
    other = {**judged, next(iter(judged)): sample(79)}
    with pytest.raises(UserError, match="one test set"):
        table_model._draws(runs, other, term)


def test_a_cell_with_one_seed_takes_the_images_chance_from_no_other(monkeypatch, tmp_path):
    judged = {(arm, cell, ("data", seed)): run for (arm, cell, seed), run in runs_of(cells=("c", "d")).items()}
    judged = {key: run for key, run in judged.items() if key[1] == "c" or key[2] == ("data", 0)}
    folders = {tmp_path / str(number): run for number, run in enumerate(judged.values())}
    monkeypatch.setattr(table_model, "_known", {})
    monkeypatch.setattr(table_model, "_changed", lambda folder: 0)
    monkeypatch.setattr(table_model, "_judged", lambda run, score: folders[run.folder])
    runs = {
        key: table_model.RunValue(100 * run.correct.mean(), folder)
        for (key, run), folder in zip(judged.items(), folders, strict=True)
    }
    model = table_model.model_of(runs, [(1, table_model.ResampledRuns(Accuracy()))])
    for cell in ("c", "d"):
        whole, seeds = (model.difference("a", "b", cell, images=images).error for images in (True, False))
        assert whole > 1.05 * seeds
