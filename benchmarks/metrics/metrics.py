"""Metrics of one run, from stored predictions alone: numpy in, fractions in [0, 1] out, None where undefined."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

REJECTION_PERCENT = (10, 20, 30)  # paper Table 2; zero rejection is the accuracy itself


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis of [N, K], in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def accuracy_after_rejection(correct: np.ndarray, uncertainty: np.ndarray, rate: float) -> float | None:
    """Accuracy on what is left when the round(rate * N) most uncertain of N samples are rejected (paper 4.4).

    Samples of equal uncertainty at the boundary are rejected in expectation (as if in random order): a constant
    uncertainty gives the plain accuracy, whatever order the files of the data set are in.
    """
    kept = len(correct) - round(rate * len(correct))
    if kept <= 0:
        return None
    limit = np.partition(uncertainty, kept - 1)[kept - 1]
    below, at = uncertainty < limit, uncertainty == limit
    hits = correct[below].sum() + (kept - below.sum()) * correct[at].mean()
    return float(hits / kept)


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs. values [N] -> [N] float64."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def auroc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Probability that a positive scores above a negative, ties counting one half. None without both kinds."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        return None
    rank_sum = ranks(score)[positive].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    """Rank correlation of [N] and [N]; None when either is constant."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def entropy(distribution: np.ndarray) -> np.ndarray:
    """Entropy in nats of each row of [N, K]; 0 log 0 = 0."""
    p = distribution.astype(np.float64)
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1)


def _scored(
    prefix: str, correct: np.ndarray, uncertainty: np.ndarray, soft: np.ndarray | None
) -> dict[str, float | None]:
    result = {
        f"{prefix}accuracy_at_{percent}": accuracy_after_rejection(correct, uncertainty, percent / 100)
        for percent in REJECTION_PERCENT
    }
    result[f"{prefix}error_auroc"] = auroc(uncertainty, ~correct)
    if soft is not None:
        known = ~np.isnan(soft).any(axis=1)
        result[f"{prefix}ambiguity_spearman"] = spearman(uncertainty[known], entropy(soft[known]))
    return result


def of_split(
    logits: np.ndarray, uncertainty: np.ndarray, labels: np.ndarray, soft: np.ndarray | None = None
) -> dict[str, float | None]:
    """All metrics of one split; `free_` marks those by 1 - max softmax of the same logits instead of the method's own.

    logits [N, K], uncertainty [N], labels [N], soft [N, K] (human or true label distributions; NaN rows are left out).
    """
    correct = logits.argmax(axis=1) == labels
    free = 1 - softmax(logits).max(axis=1)
    return {
        "accuracy": float(correct.mean()),
        **_scored("", correct, uncertainty, soft),
        **_scored("free_", correct, free, soft),
    }


def of_training_labels(arrays: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """How well the final uncertainty of the training images finds the labels that were flipped."""
    return {
        "flip_auroc": auroc(arrays["train_uncertainty"], arrays["train_flipped"]),
        "free_flip_auroc": auroc(arrays["train_free_uncertainty"], arrays["train_flipped"]),
    }
