"""How well a score ranks: errors last, positives first, ambiguous samples high. None where it is not defined."""

from __future__ import annotations

import numpy as np
from scipy.special import entr
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score


def auroc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Probability that a positive scores above a negative, ties counting one half. None without both kinds."""
    return float(roc_auc_score(positive, score)) if _rankable(score, positive) else None


def average_precision(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Sum of precision times the step in recall over the distinct scores, highest first. None without both kinds."""
    return float(average_precision_score(positive, score)) if _rankable(score, positive) else None


def _rankable(score: np.ndarray, positive: np.ndarray) -> bool:
    return bool(positive.any() and not positive.all() and np.isfinite(score).all())


def spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    """Rank correlation of [N] and [N]; None when either is constant."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(spearmanr(a, b).statistic)


def entropy(distribution: np.ndarray) -> np.ndarray:
    """Entropy in nats of each row of [N, K]; 0 log 0 = 0."""
    return entr(distribution.astype(np.float64)).sum(axis=1)


def selective_risks(correct: np.ndarray, uncertainty: np.ndarray) -> np.ndarray:
    """Error rate among the k least uncertain of N images, k = 1..N; equal uncertainties in expectation.

    correct [N] bool, uncertainty [N] -> [N].
    """
    order = np.argsort(uncertainty, kind="stable")
    ranked = uncertainty[order]
    errors = (~correct[order]).astype(np.float64)
    _, start, counts = np.unique(ranked, return_index=True, return_counts=True)
    shared = np.repeat(np.add.reduceat(errors, start) / counts, counts)
    return np.cumsum(shared) / np.arange(1, len(errors) + 1)


def aurc(correct: np.ndarray, uncertainty: np.ndarray) -> float:
    """Area under the risk-coverage curve: the mean selective risk over all coverages (Geifman et al., ICLR 2019)."""
    return float(selective_risks(correct, uncertainty).mean()) if len(correct) else float("nan")


def excess_aurc(correct: np.ndarray, uncertainty: np.ndarray) -> float:
    """AURC above that of an uncertainty that ranks every error last (same paper); 0 is perfect."""
    return aurc(correct, uncertainty) - aurc(correct, (~correct).astype(np.float64))
