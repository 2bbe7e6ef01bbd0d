"""Numbers of a run that no other report needs, from its stored arrays: features, pairs, relabelled labels."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.metrics.calibration import softmax
from benchmarks.metrics.ranking import auroc, entropy
from benchmarks.store.run_folder import RunFolder
from reports.runs.geometry import EXTREME, geometry, looked_at
from reports.runs.predictions import predictions


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
        found |= geometry(*looked_at(arrays)[1:])
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
