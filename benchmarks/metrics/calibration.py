"""How far softmax probabilities can be taken at their word."""

from __future__ import annotations

import numpy as np
import scipy

BINS = 15


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis of [N, K], in float64."""
    return scipy.special.softmax(logits.astype(np.float64), axis=-1)


def _gaps(confidence: np.ndarray, correct: np.ndarray, bins: np.ndarray) -> float:
    """Sum over bins of share x |accuracy - mean confidence|. bins [N]: which bin each sample is in."""
    total = np.bincount(bins, weights=correct.astype(np.float64) - confidence)
    return float(np.abs(total).sum() / len(confidence))


def _equal_width(confidence: np.ndarray) -> np.ndarray:
    """Which of the 15 bins of equal width, closed above, each value is in."""
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)


def ece(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Expected calibration error over 15 bins of equal width (Guo et al., ICML 2017)."""
    return _gaps(confidence, correct, _equal_width(confidence))


def adaptive_ece(confidence: np.ndarray, correct: np.ndarray) -> float:
    """The same over 15 bins of equally many samples (Nguyen & O'Connor, EMNLP 2015)."""
    bins = np.empty(len(confidence), dtype=int)
    for number, rows in enumerate(np.array_split(np.argsort(confidence, kind="stable"), BINS)):
        bins[rows] = number
    return _gaps(confidence, correct, bins)


def classwise_ece(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over classes of the calibration error of p(class) as the class's probability, 15 bins of equal width.

    All classes count alike, rare ones too (Kull et al., NeurIPS 2019). logits [N, K], labels [N].
    """
    share = softmax(logits)
    return float(np.mean([_gaps(p, labels == k, _equal_width(p)) for k, p in enumerate(share.T)]))


def nll(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood in nats of the labels [N] under logits [N, K]."""
    return float(-scipy.special.log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels].mean())


def brier(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over images of the squared distance between softmax and one-hot label, summed over classes: in [0, 2]."""
    error = softmax(logits)
    error[np.arange(len(labels)), labels] -= 1
    return float((error**2).sum(axis=1).mean())
