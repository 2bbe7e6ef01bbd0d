"""Statistics to first order against those of test sets resampled one by one."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.ranking import augrc, aurc, auroc, spearman
from common.errors import UserError
from reports.runs.geometry import geometry
from reports.runs.stored import hardest
from reports.stats.images.first_order import Augrc, Aurc, ClassGap, ErrorAuroc, Geometry, HardAuroc, VotesCorrelation
from reports.stats.images.statistics import Judged
from tests.reports.stats.images.test_bootstrap import sample


@pytest.mark.parametrize("levels", [0, 2, 7])
@pytest.mark.parametrize("size", [400, 3000])
def test_draws_of_the_auroc_are_those_of_the_resampled_test_sets_to_first_order(levels, size):
    run = sample(size, levels)
    drawn = np.random.default_rng(1).integers(size, size=(300, size))
    weights = np.stack([np.bincount(rows, minlength=size) for rows in drawn], axis=1).astype(np.uint8)
    prepared = ErrorAuroc().prepare(run)
    found = prepared.value(prepared.rows @ weights, weights)
    exact = np.array([100 * auroc(run.uncertainty[rows], ~run.correct[rows]) for rows in drawn])
    assert np.std(found - exact) < 2 / np.sqrt(size) * exact.std()
    assert found.std() == pytest.approx(exact.std(), rel=2 / np.sqrt(size))
    assert found.mean() == pytest.approx(exact.mean(), abs=0.1 * exact.std())


VOTED = np.random.default_rng(3)
VOTES = VOTED.integers(0, 6, 800) / 5
CLASSES = VOTED.choice(["a", "b", "c", "fear"], 800, p=[0.4, 0.3, 0.2, 0.1])
LOOKED_AT = Judged(  # equal values in both scores, images without votes, a rare class
    VOTED.random(800) < 0.4 + 0.3 * (CLASSES == "a"),
    VOTES + VOTED.normal(size=800).round(1),
    CLASSES,
    np.where(np.arange(800) < 30, np.nan, VOTES),
)
HARD = hardest(VOTES[30:])


def _gap(rows):
    means = {name: LOOKED_AT.correct[rows][CLASSES[rows] == name].mean() for name in ("a", "b", "c", "fear")}
    return means.pop("fear") - np.mean(list(means.values()))


@pytest.mark.parametrize(
    ("statistic", "of_rows"),
    [
        (ClassGap(("fear", "none")), _gap),
        (VotesCorrelation(), lambda rows: spearman(LOOKED_AT.uncertainty[rows], VOTES[rows])),
        (HardAuroc(), lambda rows: auroc(LOOKED_AT.uncertainty[rows], HARD[rows - 30])),
        (Aurc(), lambda rows: aurc(LOOKED_AT.correct[rows], LOOKED_AT.uncertainty[rows])),
        (Augrc(), lambda rows: augrc(LOOKED_AT.correct[rows], LOOKED_AT.uncertainty[rows])),
    ],
)
def test_a_draw_to_first_order_follows_the_resampled_test_set(statistic, of_rows):
    prepared, rng = statistic.prepare(LOOKED_AT), np.random.default_rng(0)
    drawn = np.stack([np.arange(800), *rng.integers(800, size=(300, 800))])
    weights = np.stack([np.bincount(rows, minlength=800) for rows in drawn], axis=1).astype(np.uint8)
    found = prepared.value(prepared.rows @ weights.astype(np.float32), weights)
    of_votes = isinstance(statistic, (VotesCorrelation, HardAuroc))
    rows = [one[one >= 30] for one in drawn] if of_votes else drawn
    wanted = 100 * np.array([of_rows(one) for one in rows])
    assert found[0] == pytest.approx(wanted[0], abs=1e-4)  # the test set itself
    assert np.corrcoef(found, wanted)[0, 1] > 0.985
    assert found.std() == pytest.approx(wanted.std(), rel=0.05)


@pytest.mark.parametrize(("name", "like"), [("silhouette", 0.98), ("centre", 0.94)])
def test_a_draw_of_the_features_shape_follows_the_resampled_test_set(name, like):
    rng = np.random.default_rng(0)
    labels, size = rng.integers(5, size=700), 700
    features = (rng.normal(size=(size, 12)) + 1.2 * rng.normal(size=(5, 12))[labels]) * rng.gamma(3, size=(size, 1))
    uncertainty = -np.linalg.norm(features, axis=1) + 2 * rng.normal(size=size)
    rows = 100 + rng.permutation(size)  # of a test set of 900, whose others were not kept
    arrays = {"test_features": features, "test_features_rows": rows}
    arrays |= {"test_labels": np.zeros(900, int), "test_uncertainty": np.zeros(900)}
    arrays["test_labels"][rows], arrays["test_uncertainty"][rows] = labels, uncertainty
    prepared = Geometry(name).prepare(Judged(np.ones(900, bool), np.zeros(900), arrays=lambda: arrays))
    drawn = np.stack([np.arange(size), *rng.integers(size, size=(200, size))])
    weights = np.stack([np.bincount(rows[one], minlength=900) for one in drawn], axis=1).astype(np.uint8)
    found = prepared.value(prepared.rows @ weights.astype(np.float32), weights)
    wanted = np.array([geometry(features[one], labels[one], uncertainty[one])[name] for one in drawn])
    assert found[0] == pytest.approx(wanted[0], abs=1e-4)  # the test set itself, the silhouette by scikit-learn
    assert np.corrcoef(found, wanted)[0, 1] > like and found.std() == pytest.approx(wanted.std(), rel=0.08)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ErrorAuroc().prepare(Judged(np.ones(9, bool), np.zeros(9))), "all right, or all wrong"),
        (lambda: VotesCorrelation().prepare(sample(9)), "no votes"),
        (lambda: VotesCorrelation().prepare(LOOKED_AT._replace(uncertainty=np.zeros(800))), "is constant"),
        (lambda: HardAuroc().prepare(LOOKED_AT._replace(votes=np.ones(800))), "agree on all alike"),
        (lambda: Geometry("centre").prepare(sample(9)), "no features"),
        (lambda: ClassGap(("a",)).prepare(sample(9)), "classes are not known"),
    ],
)
def test_what_cannot_be_taken_is_named(call, message):
    with pytest.raises(UserError, match=message):
        call()
