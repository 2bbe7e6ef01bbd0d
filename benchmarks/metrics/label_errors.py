"""How well a score of the training images finds the labels that were flipped."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.metrics.ranking import auroc


def of_training_labels(arrays: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """How well the final uncertainty of the training images finds the labels that were flipped."""
    return {
        "flip_auroc": auroc(arrays["train_uncertainty"], arrays["train_flipped"]),
        "free_flip_auroc": auroc(arrays["train_free_uncertainty"], arrays["train_flipped"]),
    }
