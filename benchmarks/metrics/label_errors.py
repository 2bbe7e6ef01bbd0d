"""How well a score of the training images finds the labels that were flipped."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.metrics.calibration import softmax
from benchmarks.metrics.ranking import auroc


def probabilities(logits: np.ndarray, given: np.ndarray) -> dict[str, np.ndarray]:
    """What finds a wrong label for free: p(given label) and the largest other probability, [N] float32 each.

    logits [N, K] of the training images, given [N] their labels as training began.
    """
    others = softmax(logits)
    rows = np.arange(len(given))
    p_given = others[rows, given].astype(np.float32)
    others[rows, given] = -1
    return {"train_p_given": p_given, "train_p_other": others.max(axis=1).astype(np.float32)}


def of_training_labels(arrays: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """How well the final uncertainty of the training images finds the labels that were flipped."""
    return {
        "flip_auroc": auroc(arrays["train_uncertainty"], arrays["train_flipped"]),
        "free_flip_auroc": auroc(arrays["train_free_uncertainty"], arrays["train_flipped"]),
    }
