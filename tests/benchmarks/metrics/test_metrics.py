"""Metrics against brute force, and on degenerate input."""

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from benchmarks.metrics import accuracy, calibration, ranking, scores


def test_rejection_removes_the_most_uncertain():
    correct = np.array([True, False, True, True, False, True, True, False, True, True])
    uncertainty = np.array([0.1, 0.9, 0.2, 0.3, 0.8, 0.4, 0.5, 0.7, 0.6, 0.0])
    assert accuracy.accuracy_after_rejection(correct, uncertainty, 0.0) == pytest.approx(0.7)
    assert accuracy.accuracy_after_rejection(correct, uncertainty, 0.1) == pytest.approx(7 / 9)
    assert accuracy.accuracy_after_rejection(correct, uncertainty, 0.2) == pytest.approx(7 / 8)
    assert accuracy.accuracy_after_rejection(correct, uncertainty, 0.3) == pytest.approx(1.0)


def test_ties_count_as_the_mean_over_all_orders():
    correct = np.array([True, False, True, False, True])
    uncertainty = np.array([0.1, 0.5, 0.5, 0.5, 0.5])
    orders = [
        np.mean(correct[[0, *order]][:3]) for order in itertools.permutations([1, 2, 3, 4])
    ]  # of five, the two last rejected
    assert accuracy.accuracy_after_rejection(correct, uncertainty, 0.4) == pytest.approx(np.mean(orders))


def test_constant_uncertainty_rejects_nothing_in_particular():
    correct = np.arange(100) < 63  # ordered as a folder of classes would be
    for rate in (0.1, 0.2, 0.3):
        assert accuracy.accuracy_after_rejection(correct, np.full(100, 0.4), rate) == pytest.approx(0.63)


def test_rejecting_everything_is_undefined():
    assert accuracy.accuracy_after_rejection(np.array([True]), np.array([0.0]), 0.9) is None


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_auroc_and_spearman_agree_with_the_libraries(levels):
    rng = np.random.default_rng(levels)
    score, positive = rng.integers(0, levels, 200) / levels, rng.random(200) < 0.3
    other = score + rng.integers(0, levels, 200) / levels
    assert ranking.auroc(score, positive) == pytest.approx(roc_auc_score(positive, score))
    assert ranking.spearman(score, other) == pytest.approx(stats.spearmanr(score, other).statistic)


def test_undefined_values_are_none_not_nan():
    assert ranking.auroc(np.arange(4.0), np.zeros(4, bool)) is None
    assert ranking.auroc(np.arange(4.0), np.ones(4, bool)) is None
    assert ranking.spearman(np.ones(4), np.arange(4.0)) is None


def test_softmax_and_entropy_are_exact_at_the_edges():
    assert np.allclose(calibration.softmax(np.array([[1000.0, 0.0], [0.0, 0.0]])), [[1, 0], [0.5, 0.5]])
    assert np.allclose(ranking.entropy(np.array([[1.0, 0.0], [0.5, 0.5]])), [0, np.log(2)])


def test_of_split_leaves_out_rows_without_soft_labels():
    logits = np.array([[2.0, 0], [0, 1], [3, 0], [0.1, 0]])
    soft = np.array([[0.9, 0.1], [0.4, 0.6], [1.0, 0.0], [np.nan, np.nan]], np.float32)
    found = scores.of_split(logits, np.array([0.2, 0.3, 0.1, 9.0]), np.array([0, 1, 0, 1]), soft)
    assert found["accuracy"] == 0.75
    assert found["ambiguity_spearman"] == pytest.approx(1.0)  # the last row, most uncertain of all, has no votes
    assert found["error_auroc"] == 1.0
    assert found["free_ambiguity_spearman"] == pytest.approx(1.0)
