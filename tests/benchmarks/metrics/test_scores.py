"""Own scores against brute force, scikit-learn and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from benchmarks.metrics import calibration, ranking
from benchmarks.metrics.calibration import softmax
from benchmarks.metrics.ranking import auroc, spearman

CASES = [(seed, size, ties) for seed in range(3) for size in (7, 300) for ties in (False, True)]


def sample(seed: int, size: int, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """logits [N, 5], labels [N], uncertainty [N]; with `ties` many uncertainties are equal."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(size, 5)).astype(np.float32) * 2
    labels = np.where(draw.random(size) < 0.6, logits.argmax(axis=1), draw.integers(0, 5, size))
    uncertainty = draw.integers(0, 4, size).astype(float) if ties else draw.random(size)
    return logits, labels, uncertainty


@pytest.mark.parametrize(("seed", "size", "ties"), CASES)
def test_aurc_is_the_expectation_over_orders_of_equal_samples(seed: int, size: int, ties: bool) -> None:
    logits, labels, uncertainty = sample(seed, size, ties)
    correct = logits.argmax(axis=1) == labels
    draw = np.random.default_rng(1)
    risks = []
    for _ in range(2000 if ties else 1):
        shuffled = draw.permutation(size)
        order = shuffled[np.argsort(uncertainty[shuffled], kind="stable")]
        risks.append((np.cumsum(~correct[order]) / np.arange(1, size + 1)).mean())
    assert ranking.aurc(correct, uncertainty) == pytest.approx(np.mean(risks), abs=0.02 if ties else 1e-12)


@pytest.mark.parametrize(("seed", "size", "ties"), CASES)
def test_rankings_and_nll_match_scikit_learn(seed: int, size: int, ties: bool) -> None:
    logits, labels, uncertainty = sample(seed, size, ties)
    wrong = logits.argmax(axis=1) != labels
    errors = ranking.Ranking.of(uncertainty, wrong)
    assert errors is not None
    assert errors.average_precision() == average_precision_score(wrong, uncertainty)  # to the last digit
    assert errors.auroc() == auroc(uncertainty, wrong) == roc_auc_score(wrong, uncertainty)
    assert calibration.nll(logits, labels) == pytest.approx(log_loss(labels, softmax(logits), labels=range(5)))
    one_hot = np.eye(5)[labels]
    assert calibration.brier(logits, labels) == pytest.approx(((softmax(logits) - one_hot) ** 2).sum() / size)


def test_excess_aurc_of_the_perfect_ranking_is_zero() -> None:
    correct = np.array([True, False, True, True, False])
    assert ranking.excess_aurc(correct, np.array([0.1, 0.8, 0.2, 0.3, 0.9])) == pytest.approx(0)
    assert ranking.aurc(correct, np.array([0.1, 0.8, 0.2, 0.3, 0.9])) == pytest.approx((0 + 0 + 0 + 1 / 4 + 2 / 5) / 5)


def test_ece_by_hand() -> None:
    confidence = np.array([0.5, 0.5, 0.95, 0.95])
    correct = np.array([True, False, True, False])
    assert calibration.ece(confidence, correct) == pytest.approx(0.5 * 0 + 0.5 * 0.45)
    assert calibration.ece(np.array([1.0, 0.0]), np.array([True, False])) == 0
    even = np.linspace(0.01, 1, 15)
    assert calibration.adaptive_ece(even, np.ones(15, bool)) == pytest.approx((1 - even).mean())


def test_degenerate_inputs() -> None:
    all_right = np.ones(4, bool)
    flat = np.zeros(4)
    assert ranking.aurc(all_right, flat) == ranking.excess_aurc(all_right, flat) == 0
    assert ranking.Ranking.of(flat, ~all_right) is None and ranking.Ranking.of(flat, all_right) is None
    assert ranking.Ranking.of(np.array([0.1, np.nan, 0.2, 0.3]), np.array([True, False, True, False])) is None
    half = np.array([True, False, True, False])
    assert ranking.aurc(half, flat) == pytest.approx(0.5)
    tied = ranking.Ranking.of(flat, half)
    assert tied is not None and tied.average_precision() == tied.auroc() == 0.5
    huge = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype=np.float32)
    assert calibration.nll(huge, np.array([0, 0])) == pytest.approx(1e4)


@pytest.mark.parametrize(("seed", "size", "ties"), CASES)
def test_against_torchmetrics(seed: int, size: int, ties: bool) -> None:
    import torch
    from torchmetrics import functional as plain
    from torchmetrics.functional import classification as functional

    logits, labels, uncertainty = sample(seed, size, ties)
    probabilities = softmax(logits)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    wanted = functional.multiclass_calibration_error(
        torch.tensor(probabilities), torch.tensor(labels), num_classes=5, n_bins=15, norm="l1"
    )
    assert calibration.ece(confidence, correct) == pytest.approx(float(wanted), abs=1e-6)
    score, wrong = torch.tensor(uncertainty / uncertainty.max()), torch.tensor(~correct)
    assert auroc(uncertainty, ~correct) == pytest.approx(float(functional.binary_auroc(score, wrong)), abs=1e-6)
    precision = functional.binary_average_precision(score, wrong.long())
    errors = ranking.Ranking.of(uncertainty, ~correct)
    assert errors is not None and errors.average_precision() == pytest.approx(float(precision), abs=1e-6)
    rank = plain.spearman_corrcoef(torch.tensor(uncertainty), torch.tensor(confidence))
    assert spearman(uncertainty, confidence) == pytest.approx(float(rank), abs=1e-5)
