"""Accuracy: of each class, and of what is left when the most uncertain samples are rejected (paper 4.4, Table 2)."""

from __future__ import annotations

import numpy as np

REJECTION_PERCENT = (10, 20, 30)  # paper Table 2; zero rejection is the accuracy itself


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


def per_class_accuracy(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Accuracy [K] on the images of each class; NaN for a class without any. predicted [N], labels [N]."""
    images = np.bincount(labels, minlength=classes)
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    return np.where(images > 0, hits / np.maximum(images, 1), np.nan)


def balanced_accuracy(predicted: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """Mean of `per_class_accuracy` over the classes that have images."""
    return float(np.nanmean(per_class_accuracy(predicted, labels, classes)))
