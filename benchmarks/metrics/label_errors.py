"""How well a score of the training images finds the labels that were flipped.

A score of the image alone (the own uncertainty, 1 - max softmax) cannot find symmetric flips unless the network
memorises them; one of image and label does, at no cost: 1 - p(given label), or how far another label is more probable.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.metrics.calibration import softmax
from benchmarks.metrics.ranking import Ranking, auroc, precision_among


def probabilities(logits: np.ndarray, given: np.ndarray) -> dict[str, np.ndarray]:
    """What finds a wrong label for free: p(given label) and the largest other probability, [N] float32 each.

    logits [N, K] of the training images, given [N] their labels as training began.
    """
    others = softmax(logits)
    rows = np.arange(len(given))
    p_given = others[rows, given].astype(np.float32)
    others[rows, given] = -1
    return {"train_p_given": p_given, "train_p_other": others.max(axis=1).astype(np.float32)}


SUSPICIOUS_PERCENT = (10, 20, 30)  # of the training images, the most suspicious first
SCORES: Mapping[str, str] = {  # name -> in words; own: the method's uncertainty
    "own": "own",
    "free": "1 − max softmax",
    "label": "1 − p(given label)",
    "margin": "p(another label) − p(given label)",
}


def suspicions(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of the SCORES [N] of the training images that a run's arrays allow; higher = more suspicious."""
    found = {"own": arrays.get("train_uncertainty"), "free": arrays.get("train_free_uncertainty")}
    given, other = arrays.get("train_p_given"), arrays.get("train_p_other")
    if given is not None:
        found["label"] = -given.astype(np.float64)  # 1 - p without its rounding near p = 0
    if given is not None and other is not None:
        found["margin"] = other.astype(np.float64) - given
    return {name: score for name, score in found.items() if score is not None}


def of_suspicions(arrays: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """How well each of the `suspicions` finds flipped labels: `label.flip_auroc`, `label.flip_ap`,
    `label.flip_precision_at_10` ...; nothing where it is not stored which were flipped."""
    flipped = arrays.get("train_flipped")
    result: dict[str, float | None] = {}
    if flipped is None:
        return result
    flipped = flipped.astype(bool)
    for name, score in suspicions(arrays).items():
        ranking = Ranking.of(score, flipped)
        result[f"{name}.flip_auroc"] = ranking.auroc() if ranking else None
        result[f"{name}.flip_ap"] = ranking.average_precision() if ranking else None
        for percent in SUSPICIOUS_PERCENT:
            at = precision_among(score, flipped, percent / 100) if flipped.any() else None
            result[f"{name}.flip_precision_at_{percent}"] = at
    return result


def of_relabelling(given: np.ndarray, clean: np.ndarray, last: np.ndarray) -> dict[str, float | None]:
    """What relabelling did to the labels [N] in all: given as training began, as they ended up, and the right ones.

    `label_accuracy_before` and `label_accuracy`: the share of right labels before and after; an epoch's precision does
    not tell harm from help. `relabel_precision`: the share of changed labels that are now right; `relabel_recall`: the
    share of wrong labels that are now right. Both are None where no label was changed.
    """
    changed, wrong, right = last != given, given != clean, last == clean
    return {
        "label_accuracy_before": float((~wrong).mean()),
        "label_accuracy": float(right.mean()),
        "relabel_precision": float(right[changed].mean()) if changed.any() else None,
        "relabel_recall": float(right[wrong].mean()) if changed.any() and wrong.any() else None,
    }


def of_training_labels(arrays: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """How well the final uncertainty of the training images finds the labels that were flipped."""
    return {
        "flip_auroc": auroc(arrays["train_uncertainty"], arrays["train_flipped"]),
        "free_flip_auroc": auroc(arrays["train_free_uncertainty"], arrays["train_flipped"]),
    }
