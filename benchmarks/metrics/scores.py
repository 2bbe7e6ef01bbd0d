"""All metrics of a split, as records hold them, and of stored predictions, as the reports ask for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.metrics.accuracy import (
    REJECTION_PERCENT,
    accuracy_after_rejection,
    balanced_accuracy,
    per_class_accuracy,
)
from benchmarks.metrics.calibration import adaptive_ece, brier, classwise_ece, ece, nll, softmax
from benchmarks.metrics.label_errors import of_suspicions
from benchmarks.metrics.ranking import (
    Ranking,
    augrc,
    aurc,
    auroc,
    coverage_at_risk,
    entropy,
    excess_aurc,
    spearman,
)


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


def of_predictions(arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    """All scores of a run: `own.` by the own uncertainty, `free.` by 1 - max softmax, the rest of the softmax.

    `class_accuracy.3`: the accuracy of class 3. `label.` and `margin.`: scores of a training image and its label
    (`label_errors.suspicions`). NaN where not defined.
    """
    logits, labels = arrays["test_logits"], arrays["test_labels"].astype(int)
    predicted, classes = logits.argmax(axis=1), logits.shape[1]
    correct = predicted == labels
    confidence = softmax(logits).max(axis=1)
    result: dict[str, float | None] = {
        "ece": ece(confidence, correct),
        "adaptive_ece": adaptive_ece(confidence, correct),
        "classwise_ece": classwise_ece(logits, labels),
        "nll": nll(logits, labels),
        "brier": brier(logits, labels),
        "one_class": float(np.ptp(predicted) == 0),
        "balanced_accuracy": balanced_accuracy(predicted, labels, classes),
    }
    for number, value in enumerate(per_class_accuracy(predicted, labels, classes)):
        result[f"class_accuracy.{number}"] = float(value)
    soft = arrays.get("test_soft_labels")
    for name, score in (("own", arrays["test_uncertainty"].astype(np.float64)), ("free", 1 - confidence)):
        result[f"{name}.aurc"] = aurc(correct, score)
        result[f"{name}.augrc"] = augrc(correct, score)
        result[f"{name}.excess_aurc"] = excess_aurc(correct, score)
        errors = Ranking.of(score, ~correct)
        result[f"{name}.error_auroc"] = errors.auroc() if errors else None
        result[f"{name}.error_ap"] = errors.average_precision() if errors else None
        result[f"{name}.error_fpr_at_95"] = errors.false_positive_rate() if errors else None
        result[f"{name}.coverage_at_5"] = coverage_at_risk(correct, score)
        result[f"{name}.constant"] = float(np.ptp(score) == 0)
        if soft is not None:
            known = ~np.isnan(soft).any(axis=1)
            result[f"{name}.ambiguity"] = spearman(score[known], entropy(soft[known]))
    result |= of_suspicions(arrays)
    return {name: _or_nan(value) for name, value in result.items()}


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
