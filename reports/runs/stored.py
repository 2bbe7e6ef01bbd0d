"""Numbers of a run that no other report needs, from its stored arrays: features, pairs, relabelled labels."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.metrics.calibration import softmax
from benchmarks.metrics.ranking import auroc, entropy
from benchmarks.store.run_folder import RunFolder
from reports.runs.predictions import Arrays, predictions

POINTS = 1000  # test images whose features are looked at: a silhouette takes all pairs
EXTREME = 0.1  # share of images called certain, or uncertain


def stored(folder: Path) -> dict[str, float]:
    """The measures of reports/stats/measures.py that need a run's arrays, those that they allow."""
    path = RunFolder(folder).predictions
    return _stored(folder, path.stat().st_mtime_ns) if path.is_file() else {}


@lru_cache(maxsize=1024)
def _stored(folder: Path, changed: int) -> dict[str, float]:
    arrays = predictions(folder)
    if arrays is None:
        return {}
    uncertainty = arrays["test_uncertainty"].astype(np.float64)
    found = {f"above_{level}": share_above(uncertainty, level / 100) for level in (40, 60)}
    if "test_soft_labels" in arrays:
        found["hard_auroc"] = hard_auroc(uncertainty, arrays["test_soft_labels"].astype(np.float64))
    found |= {"surer": surer(arrays["test_logits"].astype(np.float64), arrays["test_labels"].astype(int))}
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


def share_above(uncertainty: np.ndarray, limit: float) -> float:
    """Share (%) of the images above this uncertainty [N]. Values that leave [0, 1] are stretched to it first, as the
    paper does for Figures 5 and 6; NaN where all are equal."""
    low, high = uncertainty.min(), uncertainty.max()
    if low == high:
        return float("nan")
    scaled = uncertainty if low >= 0 and high <= 1 else (uncertainty - low) / (high - low)
    return 100 * float((scaled > limit).mean())


def hard_auroc(uncertainty: np.ndarray, votes: np.ndarray) -> float:
    """AUROC (%) with which the uncertainty [N] finds the tenth of the images whose votes [N, K] have the highest
    entropy; NaN without two kinds of images."""
    known = ~np.isnan(votes).any(axis=1)
    if not known.any():
        return float("nan")
    spread = entropy(votes[known])
    found = auroc(uncertainty[known], hardest(spread))
    return float("nan") if found is None else 100 * found


def hardest(spread: np.ndarray) -> np.ndarray:
    """Which images [N] are of the tenth whose votes have the highest entropy [N]; all that share the last place."""
    return spread >= np.quantile(spread, 1 - EXTREME)


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
