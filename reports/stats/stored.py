"""Numbers of a run that no other report needs, from its stored arrays: features, pairs, relabelled labels."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.metrics.calibration import softmax
from benchmarks.store.run_folder import RunFolder
from reports.runs.predictions import Arrays, predictions

POINTS = 1000  # test images whose features are looked at: a silhouette takes all pairs
EXTREME = 0.1  # share of images called certain, or uncertain


def stored(folder: Path) -> dict[str, float]:
    """silhouette, centre, surer and labels_gained (reports/stats/measures.py), those that a run's arrays allow."""
    path = RunFolder(folder).predictions
    return _stored(folder, path.stat().st_mtime_ns) if path.is_file() else {}


@lru_cache(maxsize=1024)
def _stored(folder: Path, changed: int) -> dict[str, float]:
    arrays = predictions(folder)
    if arrays is None:
        return {}
    found = {"surer": surer(arrays["test_logits"].astype(np.float64), arrays["test_labels"].astype(int))}
    if {"train_labels_last", "train_given", "train_clean"} <= set(arrays):
        last, given, clean = (arrays[f"train_{name}"] for name in ("labels_last", "given", "clean"))
        found["labels_gained"] = 100 * float((last == clean).mean() - (given == clean).mean())
    if "test_features" in arrays:
        found |= geometry(*_features(arrays))
    return found


def _features(arrays: Arrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [M, D], labels [M] and uncertainty [M] of up to POINTS test images."""
    features = arrays["test_features"].astype(np.float64)
    rows = arrays.get("test_features_rows")
    if rows is None:
        rows = np.random.default_rng(0).permutation(len(features))[:POINTS]
        features = features[rows]
    return features, arrays["test_labels"][rows], arrays["test_uncertainty"][rows].astype(np.float64)


def geometry(features: np.ndarray, labels: np.ndarray, uncertainty: np.ndarray) -> dict[str, float]:
    """silhouette (·100) of features [M, D] by label [M]; centre: how much farther from the mean the most uncertain
    tenth is than the most certain one, in per cent."""
    from sklearn.metrics import silhouette_score

    found = {}
    if 1 < len(np.unique(labels)) < len(labels):
        found["silhouette"] = 100 * float(silhouette_score(features, labels))
    away = np.linalg.norm(features - features.mean(axis=0), axis=1)
    low, high = np.quantile(uncertainty, (EXTREME, 1 - EXTREME))
    certain = away[uncertainty <= low].mean()
    if low < high and certain > 0:
        found["centre"] = 100 * float(away[uncertainty >= high].mean() / certain - 1)
    return found


def surer(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share (%) of pairs of test images, of different labels, whose loss falls as the surer image weighs more.

    At equal weights, as training begins: z = (a + b) / 2, dL/du = sum_k (2 p_k - [k = y_a] - [k = y_b]) (a_k - b_k)
    with p = softmax(z); surer: the larger of the two largest probabilities. logits [N, K], labels [N]; NaN
    without a pair.
    """
    partner = np.random.default_rng(0).permutation(len(labels))
    apart = labels != labels[partner]
    a, b = logits[apart], logits[partner][apart]
    if not len(a):
        return float("nan")
    slope = 2 * softmax((a + b) / 2)
    rows = np.arange(len(a))
    slope[rows, labels[apart]] -= 1
    slope[rows, labels[partner][apart]] -= 1
    gradient = (slope * (a - b)).sum(axis=1)  # of the weight of a
    sure = softmax(a).max(axis=1) - softmax(b).max(axis=1)
    return 100 * float((gradient * sure < 0).mean())
