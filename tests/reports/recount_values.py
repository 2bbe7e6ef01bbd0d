"""Every measure of a run read from its record and arrays again, by other code than that of reports/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special, stats
from sklearn.metrics import balanced_accuracy_score, recall_score, silhouette_samples
from sklearn.preprocessing import minmax_scale

from reports.paper.claim import ARMS
from reports.paper.comparison import Side
from reports.paper.tables import DATASET_LABELS
from reports.runs.predictions import predictions

Records = list[tuple[Path, dict[str, Any]]]
arrays_of = cache(predictions)

# Where a measure lies in a record: read here without reports/runs.
WHERE = {
    "accuracy": ("last", "accuracy"), "at_10": ("last", "accuracy_at_10"), "at_20": ("last", "accuracy_at_20"),
    "at_30": ("last", "accuracy_at_30"), "free_at_30": ("last", "free_accuracy_at_30"),
    "auroc": ("last", "error_auroc"), "free_auroc": ("last", "free_error_auroc"),
    "ambiguity": ("last", "ambiguity_spearman"), "free_ambiguity": ("last", "free_ambiguity_spearman"),
    "flips": ("last", "flip_auroc"), "oracle": ("best_on_test", "accuracy"),
}  # fmt: skip


def value(measure: str, folder: Path, record: dict[str, Any]) -> float | None:
    if measure in WHERE:
        group, name = WHERE[measure]
        found = (record["metrics"].get(group) or {}).get(name)
        return None if found is None else 100 * found
    for name, high in (("rise", "at_30"), ("selected", "oracle")):
        if measure == name:
            parts = [value(one, folder, record) for one in (high, "accuracy")]
            return None if None in parts else parts[0] - parts[1]  # type: ignore[operator]
    if measure == "precision":
        return 100 * record["relabelling"][-1]["relabel_precision"] if record["relabelling"] else None
    if measure == "seconds":
        load = record["timing"].get("load") or 0  # `recount.check` fills the gaps
        alone = load <= (record["provenance"].get("threads") or 1) + 0.5
        return float(record["timing"]["train_seconds"] / record["spec"]["recipe"]["epochs"]) if alone else None
    arrays = arrays_of(folder)
    return None if arrays is None else FROM_ARRAYS[measure](arrays, record)


def _reversed(arrays: Mapping[str, np.ndarray], _: Any) -> float:
    score = -arrays["test_uncertainty"]
    kept = len(score) - round(0.1 * len(score))
    ordered = np.sort(score)
    before, ties = np.searchsorted(ordered, score), np.searchsorted(ordered, score, "right")
    chance = np.clip((kept - before) / (ties - before), 0, 1)  # equal ones at the boundary stay with the same chance
    return 100 * float(chance @ (arrays["test_logits"].argmax(axis=1) == arrays["test_labels"])) / kept


def _label_flips(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
    if "train_p_given" not in arrays or "train_flipped" not in arrays:
        return None
    flipped, score = arrays["train_flipped"].astype(bool), -arrays["train_p_given"].astype(float)
    if flipped.all() or not flipped.any():
        return None
    larger = stats.mannwhitneyu(score[flipped], score[~flipped]).statistic
    return 100 * float(larger) / (int(flipped.sum()) * int((~flipped).sum()))


def _hard(arrays: Mapping[str, np.ndarray], record: dict[str, Any]) -> float | None:
    names = [name.lower() for name in (record["provenance"].get("data") or {}).get("classes") or ()]
    if not {"disgust", "fear"} <= set(names):
        return None
    recall = recall_score(
        arrays["test_labels"], arrays["test_logits"].argmax(1), labels=range(len(names)), average=None
    )
    hard = np.isin(names, ["disgust", "fear"])
    return 100 * float(recall[hard].mean() - recall[~hard].mean())


def _gained(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
    if "train_labels_last" not in arrays:
        return None
    right = [np.count_nonzero(arrays[name] == arrays["train_clean"]) for name in ("train_labels_last", "train_given")]
    return 100 * (right[0] - right[1]) / len(arrays["train_clean"])


def _drawn(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    if "test_features" not in arrays:
        return None
    features = arrays["test_features"].astype(float)
    if "test_features_rows" in arrays:
        return features, arrays["test_features_rows"]
    rows = np.random.default_rng(0).permutation(len(features))[:1000]
    return features[rows], rows


def _silhouette(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
    drawn = _drawn(arrays)
    return None if drawn is None else 100 * float(silhouette_samples(drawn[0], arrays["test_labels"][drawn[1]]).mean())


def _centre(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
    drawn = _drawn(arrays)
    if drawn is None:
        return None
    features, rows = drawn
    away = np.sqrt(((features - features.mean(0)) ** 2).sum(1))
    score = arrays["test_uncertainty"][rows].astype(float)
    far, near = away[score >= np.quantile(score, 0.9)].mean(), away[score <= np.quantile(score, 0.1)].mean()
    return 100 * float(far / near) - 100


def _surer(arrays: Mapping[str, np.ndarray], _: Any) -> float:
    """By the loss itself at weights a little to both sides of one half."""
    logits, labels = arrays["test_logits"].astype(float), arrays["test_labels"].astype(int)
    partner = np.random.default_rng(0).permutation(len(labels))

    def loss(weight: float) -> np.ndarray:
        mixed = weight * logits + (1 - weight) * logits[partner]
        rows = np.arange(len(mixed))
        return np.asarray(2 * special.logsumexp(mixed, axis=1) - mixed[rows, labels] - mixed[rows, labels[partner]])

    top = special.softmax(logits, axis=1).max(axis=1)
    falls = (loss(0.5 + 1e-4) < loss(0.5 - 1e-4)) == (top > top[partner])
    return 100 * float(falls[labels != labels[partner]].mean())


def _above(limit: float) -> Callable[..., float | None]:
    def share(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
        score = arrays["test_uncertainty"].astype(float)
        if np.ptp(score) == 0:
            return None
        stretched = score if ((score >= 0) & (score <= 1)).all() else minmax_scale(score)
        return 100 * float(np.mean(stretched > limit))

    return share


def _hard_images(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
    """By ranks: the chance that an image whose votes disagree most is above another."""
    if "test_soft_labels" not in arrays or np.ptp(arrays["test_uncertainty"]) == 0:
        return None
    votes = arrays["test_soft_labels"].astype(float)
    known = np.isfinite(votes).all(axis=1)
    disagree = np.round([stats.entropy(sorted(row)) for row in votes[known]], 6)
    hard = disagree >= np.quantile(disagree, 0.9)
    if hard.all():
        return None
    score = arrays["test_uncertainty"].astype(float)[known]
    wins = stats.mannwhitneyu(score[hard], score[~hard]).statistic
    return 100 * float(wins) / (int(hard.sum()) * int((~hard).sum()))


FROM_ARRAYS = {
    "above_40": _above(0.4), "above_60": _above(0.6), "hard_auroc": _hard_images,
    "reversed_at_10": _reversed, "label_flips": _label_flips, "hard_classes": _hard, "labels_gained": _gained,
    "silhouette": _silhouette, "centre": _centre, "surer": _surer,
    "balanced": lambda arrays, _: 100 * balanced_accuracy_score(arrays["test_labels"], arrays["test_logits"].argmax(1)),
}  # fmt: skip


def is_arm(record: dict[str, Any], arm: str) -> bool:
    spec, wanted = record["spec"], ARMS[arm]
    if spec["method"] != wanted.method or not set(spec["overrides"]) <= set(wanted.set):
        return False
    return all(spec["config"].get(key, spec["overrides"].get(key)) == to for key, to in wanted.set.items()) or (
        wanted.set == {"relabel.enabled": True} and bool(spec["config"].get("relabel", {}).get("enabled"))
    )


def cell_of(record: dict[str, Any]) -> str:
    spec = record["spec"]
    kind, ratio = spec["noise"]["kind"], spec["noise"]["ratio"]
    noise = f"{100 * ratio:g} %" + ("" if kind == "symmetric" else f" {kind}")
    return f"{DATASET_LABELS.get(spec['dataset'], spec['dataset'])}, {kind if ':' in kind else noise}"


def by_seed(records: Records, side: Side, cell: str) -> dict[int, float]:
    found = {
        record["spec"]["seed"]: value(side.measure, folder, record)
        for folder, record in records
        if is_arm(record, side.arm) and cell_of(record) == cell
    }
    return {seed: float(number) for seed, number in found.items() if number is not None}
