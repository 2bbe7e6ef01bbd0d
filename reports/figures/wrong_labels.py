"""Finding wrong labels: which share of them turns up among the most suspicious training images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics.label_errors import SCORES, suspicions
from benchmarks.metrics.ranking import selective_risks
from reports.figures.layout import legend, per_arm
from reports.figures.palette import DASHED, DOTTED, SOLID
from reports.runs.predictions import Arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reports.figures.panels import Drawing, MethodRuns, Panel

INSPECTED = np.linspace(0, 1, 101)
_LINES: dict[str, Any] = {"own": SOLID, "free": DOTTED, "label": SOLID, "margin": DASHED}


def wrong_labels(panel: Panel, cache: Path) -> Drawing | None:
    """An axis a method, a line a score of the training images; None where no label is known to be wrong."""
    arms = [arm for arm in panel.arms if any(_known(arrays) for arrays in arm.seeds.values())]
    if not arms:
        return None
    figure, axes = per_arm(len(arms), width=2.2, height=2.2, sharex=True, sharey=True)
    for axis, arm in zip(axes[0], arms, strict=True):
        _curves(axis, arm)
        axis.set(title=arm.title, xlabel="images inspected (%)")
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("wrong labels found (%)")
    legend(figure, axes.flat)
    return (
        f"Finding wrong labels: {panel.label}",
        "Share of the wrong training labels among the most suspicious images; mean over seeds. Grey: the best possible "
        "and chance. own: the method's uncertainty, in its colour.",
        figure,
    )


def _known(arrays: Arrays) -> bool:
    return "train_flipped" in arrays and bool(arrays["train_flipped"].any()) and bool(suspicions(arrays))


def _curves(axis: Axes, arm: MethodRuns) -> None:
    found = [
        (arrays["train_flipped"].astype(bool), suspicions(arrays)) for arrays in arm.seeds.values() if _known(arrays)
    ]
    wrong = float(np.mean([flipped.mean() for flipped, _ in found]))
    for best in (wrong, 1.0):
        axis.plot([0, 100 * best, 100], [0, 100, 100], color="0.7", linewidth=0.8)
    for score, label in SCORES.items():
        curves = [share_found(flipped, scores[score]) for flipped, scores in found if score in scores]
        if curves:
            color = arm.color if score == "own" else "black"
            mean = 100 * np.mean(curves, axis=0)
            axis.plot(100 * INSPECTED, mean, color=color, linestyle=_LINES[score], linewidth=1.2, label=label)


def share_found(flipped: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Share of the wrong labels among the most suspicious INSPECTED of all images; equal scores in any order.

    flipped [N] bool, at least one; score [N], higher = more suspicious -> [101].
    """
    left = np.arange(1, len(score) + 1) * selective_risks(~flipped, score)  # wrong ones among the least suspicious
    kept = len(score) - np.round(INSPECTED * len(score)).astype(int)
    return 1 - np.concatenate([[0.0], left])[kept] / flipped.sum()
