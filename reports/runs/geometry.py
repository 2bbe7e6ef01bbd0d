"""How a run's test features lie (claim 8): the silhouette by label, and who is near the centre.

`silhouette` and `centre` also give an image's structural components [M], which sum to zero: with weights w (how often
each image was drawn) the value is `value + w @ components`, but for terms of the order of 1 / M. An image also moves
the means that the others are measured by; that part is of the same order as its own, and is in it.
"""

from __future__ import annotations

import numpy as np
import scipy  # loads its parts when they are first used

from reports.runs.predictions import Arrays

POINTS = 1000  # test images whose features are looked at: a silhouette takes all pairs
EXTREME = 0.1  # share of images called certain, or uncertain


def looked_at(arrays: Arrays) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Up to POINTS test images: their rows [M], features [M, D], labels [M] and uncertainty [M]."""
    features = arrays["test_features"].astype(np.float64)
    rows = arrays.get("test_features_rows")
    if rows is None:
        rows = np.random.default_rng(0).permutation(len(features))[:POINTS]
        features = features[rows]
    return rows, features, arrays["test_labels"][rows], arrays["test_uncertainty"][rows].astype(np.float64)


def geometry(features: np.ndarray, labels: np.ndarray, uncertainty: np.ndarray) -> dict[str, float]:
    """silhouette (·100) of features [M, D] by label [M]; centre: how much farther from the mean the most uncertain
    tenth is than the most certain one, in per cent."""
    from sklearn.metrics import silhouette_score

    found = {}
    if 1 < len(np.unique(labels)) < len(labels):
        found["silhouette"] = 100 * float(silhouette_score(features, labels))
    away = np.linalg.norm(features - features.mean(axis=0), axis=1)
    uncertain, certain = tenths(uncertainty)
    if not (uncertain & certain).any() and away[certain].mean() > 0:
        found["centre"] = 100 * float(away[uncertain].mean() / away[certain].mean() - 1)
    return found


def tenths(uncertainty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which images [N] are of the most uncertain tenth, and which of the most certain one."""
    low, high = np.quantile(uncertainty, (EXTREME, 1 - EXTREME))
    return uncertainty >= high, uncertainty <= low


def silhouette(features: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean over images of (b - a) / max(a, b) for features [M, D] and labels [M] of at least two classes.

    a: mean distance to the others of its class; b: to those of the nearest other class (Rousseeuw, 1987).
    """
    distance = scipy.spatial.distance.cdist(features, features)
    own = np.unique(labels, return_inverse=True)[1]
    member = np.eye(own.max() + 1)[own]  # [M, K]
    images, counts = np.arange(len(own)), member.sum(axis=0)
    to_class = distance @ member
    others = np.maximum(counts[own] - 1, 1)
    a = to_class[images, own] / others
    apart = np.where(member > 0, np.inf, to_class / counts)
    nearest = apart.argmin(axis=1)
    b = apart[images, nearest]
    larger = np.maximum(np.maximum(a, b), np.finfo(float).tiny)
    alone = counts[own] == 1  # of an only image of its class it is 0
    each = np.where(alone, 0.0, (b - a) / larger)
    by_a = np.where(alone, 0.0, np.where(a < b, -1, -b / larger) / larger)
    by_b = np.where(alone, 0.0, np.where(a < b, a / larger, 1) / larger)
    through_a = (by_a / others)[:, None] * (distance - a[:, None]) * (own[:, None] == own) * (1 - np.eye(len(own)))
    through_b = (by_b / counts[nearest])[:, None] * (distance - b[:, None]) * (nearest[:, None] == own)
    value = float(each.mean())
    return value, (each - value + through_a.sum(axis=0) + through_b.sum(axis=0)) / len(own)


def centre(features: np.ndarray, uncertainty: np.ndarray) -> tuple[float, np.ndarray]:
    """How much farther from the mean of the features [M, D] the most uncertain tenth is than the most certain one, as a
    part of the latter. uncertainty [M]."""
    gap = features - features.mean(axis=0)
    away = np.linalg.norm(gap, axis=1)
    towards = gap / np.maximum(away, np.finfo(float).tiny)[:, None]
    ranked = away[np.argsort(uncertainty, kind="stable")]
    size, near = len(away), max(1, len(away) // 50)
    means, parts = [], []
    for tenth, limit in zip(tenths(uncertainty), (-1, 1), strict=True):
        count = int(tenth.sum())
        mean, place = float(away[tenth].mean()), size - count if limit < 0 else count
        at_limit = ranked[max(0, place - near) : place + near].mean()  # what comes in or goes as the limit moves
        own = tenth * (away - at_limit) / count - (mean - at_limit) / size
        means.append(mean)
        parts.append(own - gap @ towards[tenth].mean(axis=0) / size)
    uncertain, certain = means
    return uncertain / certain - 1, (parts[0] - uncertain / certain * parts[1]) / certain
