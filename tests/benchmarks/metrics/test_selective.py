"""Metrics of selection and of classes against brute force, closed forms and scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score
from torchmetrics.functional.classification import binary_calibration_error

from benchmarks.metrics import accuracy, calibration, ranking, scores
from benchmarks.metrics.calibration import softmax

CASES = [(seed, levels) for seed in range(3) for levels in (0, 3, 40)]


def sample(seed: int, levels: int, size: int = 300):
    """correct [N], uncertainty [N] with so many levels (0: all differ)."""
    rng = np.random.default_rng(seed)
    score = rng.integers(levels, size=size).astype(float) if levels else rng.random(size)
    return rng.random(size) < 0.9 - 0.7 * score / max(1, levels), score


@pytest.mark.parametrize(("seed", "levels"), CASES)
def test_augrc_has_its_closed_form(seed, levels):
    correct, score = sample(seed, levels)
    right = correct.mean()
    closed = (1 - roc_auc_score(~correct, score)) * right * (1 - right) + (1 - right) ** 2 / 2
    assert ranking.augrc(correct, score) == pytest.approx(closed, abs=1e-12)


def test_augrc_at_its_edges():
    assert ranking.augrc(np.ones(5, bool), np.arange(5.0)) == 0
    assert ranking.augrc(np.zeros(5, bool), np.arange(5.0)) == pytest.approx(0.5)
    assert np.isnan(ranking.augrc(np.zeros(0, bool), np.zeros(0)))


@pytest.mark.parametrize(("seed", "levels"), CASES)
@pytest.mark.parametrize("found", [0.5, 0.95, 1.0])
def test_false_positive_rate_by_trying_every_limit(seed, levels, found):
    correct, score = sample(seed, levels)
    flagged = [score >= limit for limit in np.unique(score)]
    enough = [rows for rows in flagged if rows[~correct].mean() >= found]
    wanted = min(rows[correct].mean() for rows in enough)
    assert ranking.Ranking.of(score, ~correct).false_positive_rate(found) == pytest.approx(wanted)
    assert ranking.Ranking.of(score, np.zeros(len(score), bool)) is None


@pytest.mark.parametrize(("seed", "levels"), CASES)
@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 1.0])
def test_precision_among_the_highest_is_the_complement_of_rejection(seed, levels, share):
    positive, score = sample(seed, levels)
    count = round(share * len(score))
    rest = round(len(score) * (1 - share))
    kept = accuracy.accuracy_after_rejection(positive, score, share) or 0.0
    wanted = (positive.sum() - rest * kept) / count
    assert ranking.precision_among(score, positive, share) == pytest.approx(wanted)


def test_precision_among_equal_scores_is_the_mean_over_all_orders():
    positive, score = np.array([True, False, True, False, True]), np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    orders = [np.mean(positive[[0, *order]][:2]) for order in itertools.permutations([1, 2, 3])]
    assert ranking.precision_among(score, positive, 0.4) == pytest.approx(np.mean(orders))
    assert ranking.precision_among(score, positive, 0.01) is None


@pytest.mark.parametrize("risk", [0.0, 0.05, 0.2, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_coverage_at_risk_by_trying_every_count(seed, risk):
    correct, score = sample(seed, 0)
    ranked = correct[np.argsort(score)]
    fine = [count for count in range(1, 301) if np.mean(~ranked[:count]) <= risk]
    assert ranking.coverage_at_risk(correct, score, risk) == max(fine, default=0) / 300
    assert ranking.coverage_at_risk(np.zeros(4, bool), np.arange(4.0)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_classwise_ece_is_the_mean_of_torchmetrics_binary_errors(seed):
    rng = np.random.default_rng(seed)
    logits, labels = 2 * rng.normal(size=(400, 5)), rng.integers(5, size=400)
    each = [
        float(binary_calibration_error(torch.tensor(p), torch.tensor(labels == k), n_bins=15, norm="l1"))
        for k, p in enumerate(softmax(logits).T)
    ]
    assert calibration.classwise_ece(logits, labels) == pytest.approx(np.mean(each), abs=1e-6)


def test_accuracy_of_classes_and_their_mean():
    rng = np.random.default_rng(0)
    labels, predicted = rng.choice(4, 200, p=[0.6, 0.3, 0.07, 0.03]), rng.integers(4, size=200)
    wanted = recall_score(labels, predicted, average=None, labels=range(4))
    assert accuracy.per_class_accuracy(predicted, labels, 4) == pytest.approx(wanted)
    assert accuracy.balanced_accuracy(predicted, labels, 4) == pytest.approx(balanced_accuracy_score(labels, predicted))
    more = accuracy.per_class_accuracy(predicted, labels, 6)
    assert np.isnan(more[4:]).all() and accuracy.balanced_accuracy(predicted, labels, 6) == pytest.approx(wanted.mean())


def test_votes_in_another_order_have_the_same_entropy():
    rng = np.random.default_rng(0)
    votes = rng.multinomial(10, [0.4, 0.3, 0.1, 0.1, 0.05, 0.03, 0.02], size=400)
    shares = (votes / 10).astype(np.float32)
    kinds = {tuple(sorted(row)) for row in votes.tolist()}
    wanted = {round(-sum(v / 10 * np.log(v / 10) for v in kind if v), 5) for kind in kinds}
    assert len(np.unique(ranking.entropy(shares))) == len(wanted)
    shuffled = rng.permuted(shares, axis=1)
    assert (ranking.entropy(shares) == ranking.entropy(shuffled)).all()


def flips(seed: int = 0, size: int = 2000):
    """Arrays of a run that has not memorised its flipped labels: p(given label) tells, the uncertainty does not."""
    rng = np.random.default_rng(seed)
    clean, flipped = rng.integers(5, size=size), rng.random(size) < 0.3
    given = np.where(flipped, (clean + rng.integers(1, 5, size)) % 5, clean)
    logits = rng.normal(size=(size, 5)) + 2 * np.eye(5)[clean]
    share = softmax(logits)
    rows = np.arange(size)
    others = share.copy()
    others[rows, given] = -1
    return {
        "test_logits": logits[:300].astype(np.float32), "test_labels": clean[:300], "test_uncertainty": rng.random(300),
        "train_uncertainty": rng.random(size), "train_free_uncertainty": 1 - share.max(axis=1),
        "train_flipped": flipped,
        "train_p_given": share[rows, given].astype(np.float32), "train_p_other": others.max(axis=1).astype(np.float32),
    }  # fmt: skip


def test_scores_of_image_and_label_find_flipped_labels():
    arrays = flips()
    found = scores.of_predictions(arrays)
    flipped = arrays["train_flipped"]
    suspicion = {
        "label": 1 - arrays["train_p_given"],
        "margin": arrays["train_p_other"] - arrays["train_p_given"],
        "own": arrays["train_uncertainty"],
    }
    for name, score in suspicion.items():
        assert found[f"{name}.flip_auroc"] == pytest.approx(roc_auc_score(flipped, score), abs=1e-4)
        for percent in (10, 20, 30):
            top = np.argsort(-score, kind="stable")[: 20 * percent]
            assert found[f"{name}.flip_precision_at_{percent}"] == pytest.approx(flipped[top].mean(), abs=2e-3)
    assert found["label.flip_auroc"] > 0.85 > 0.55 > found["own.flip_auroc"]


@pytest.mark.parametrize("without", [("train_p_given", "train_p_other"), ("train_flipped",)])
def test_runs_that_store_less_have_fewer_scores(without):
    found = scores.of_predictions({name: array for name, array in flips().items() if name not in without})
    assert "label.flip_auroc" not in found and "class_accuracy.4" in found


def test_nothing_flipped_leaves_nothing_to_find():
    found = scores.of_predictions(flips() | {"train_flipped": np.zeros(2000, bool)})
    assert np.isnan(found["label.flip_auroc"]) and np.isnan(found["margin.flip_precision_at_10"])
