"""How good an uncertainty and a calibration are, from stored predictions: own numpy, NaN where not defined.

Complements benchmarks/metrics.py, which a run computes itself; these need no retraining, so they live with the reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.metrics.metrics import auroc, entropy, softmax, spearman
from reports.runs.predictions import predictions

BINS = 15


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


def average_precision(score: np.ndarray, positive: np.ndarray) -> float:
    """Sum of precision times the step in recall over the distinct scores, highest first. NaN without both kinds."""
    if not positive.any() or positive.all():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    found = np.cumsum(hits)[last]
    return float((np.diff(found, prepend=0) / found[-1] * found / (last + 1)).sum())


def _gaps(confidence: np.ndarray, correct: np.ndarray, bins: np.ndarray) -> float:
    """Sum over bins of share x |accuracy - mean confidence|. bins [N]: which bin each sample is in."""
    total = np.bincount(bins, weights=correct.astype(np.float64) - confidence)
    return float(np.abs(total).sum() / len(confidence))


def ece(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Expected calibration error over 15 bins of equal width (Guo et al., ICML 2017)."""
    return _gaps(confidence, correct, np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1))


def adaptive_ece(confidence: np.ndarray, correct: np.ndarray) -> float:
    """The same over 15 bins of equally many samples (Nguyen & O'Connor, EMNLP 2015)."""
    bins = np.empty(len(confidence), dtype=int)
    for number, rows in enumerate(np.array_split(np.argsort(confidence, kind="stable"), BINS)):
        bins[rows] = number
    return _gaps(confidence, correct, bins)


def nll(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood in nats of the labels [N] under logits [N, K]."""
    wide = logits.astype(np.float64)
    top = wide.max(axis=1)
    log_sum = np.log(np.exp(wide - top[:, None]).sum(axis=1)) + top
    return float((log_sum - wide[np.arange(len(labels)), labels]).mean())


def brier(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over images of the squared distance between softmax and one-hot label, summed over classes: in [0, 2]."""
    error = softmax(logits)
    error[np.arange(len(labels)), labels] -= 1
    return float((error**2).sum(axis=1).mean())


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def of_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    """All scores of a run: `own.` by the own uncertainty, `free.` by 1 - max softmax, the rest of the softmax."""
    logits, labels = arrays["test_logits"], arrays["test_labels"].astype(int)
    predicted = logits.argmax(axis=1)
    correct = predicted == labels
    confidence = softmax(logits).max(axis=1)
    result = {
        "ece": ece(confidence, correct),
        "adaptive_ece": adaptive_ece(confidence, correct),
        "nll": nll(logits, labels),
        "brier": brier(logits, labels),
        "one_class": float(np.ptp(predicted) == 0),
    }
    soft = arrays.get("test_soft_labels")
    flipped = arrays.get("train_flipped")
    trained = {"own": arrays.get("train_uncertainty"), "free": arrays.get("train_free_uncertainty")}
    for name, score in (("own", arrays["test_uncertainty"].astype(np.float64)), ("free", 1 - confidence)):
        result[f"{name}.aurc"] = aurc(correct, score)
        result[f"{name}.excess_aurc"] = excess_aurc(correct, score)
        result[f"{name}.error_auroc"] = _or_nan(auroc(score, ~correct))
        result[f"{name}.error_ap"] = average_precision(score, ~correct)
        result[f"{name}.constant"] = float(np.ptp(score) == 0)
        train_score = trained[name]
        if train_score is not None and flipped is not None:
            result[f"{name}.flip_auroc"] = _or_nan(auroc(train_score, flipped.astype(bool)))
            result[f"{name}.flip_ap"] = average_precision(train_score, flipped.astype(bool))
        if soft is not None:
            known = ~np.isnan(soft).any(axis=1)
            result[f"{name}.ambiguity"] = _or_nan(spearman(score[known], entropy(soft[known])))
    return result


def of_run(folder: Path) -> dict[str, float]:
    """The scores of a run folder; empty where its predictions are missing, damaged or not finite."""
    arrays = predictions(folder)
    if arrays is None:
        return {}
    try:
        if not (np.isfinite(arrays["test_logits"]).all() and np.isfinite(arrays["test_uncertainty"]).all()):
            return {}
        return of_arrays(arrays)
    except (KeyError, IndexError, ValueError):
        return {}
