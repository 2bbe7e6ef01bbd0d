"""Figures 5 and 6: how each method's uncertainty is distributed over the test images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.calibration import softmax
from reports.figures.layout import grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reports.figures.panels import Drawing, MethodRuns, Panel

BINS = 50
ROBUST = (0.005, 0.995)  # quantiles: a handful of extreme values does not squeeze all others into one bin
HARD = 3  # images marked in every row
MARKS = ("o", "s", "^")


def histograms(panel: Panel, cache: Path) -> Drawing:
    """A row a method: raw scale at the left, normalised and over one axis at the right, the same images marked."""
    figure, axes = grid(2, len(panel.arms), width=3.3, height=0.85)
    hard = _hard_images(panel.arms)
    for (raw, common), arm in zip(axes, panel.arms, strict=True):
        values = arm.first["test_uncertainty"].astype(np.float64)
        low, high = np.quantile(values, ROBUST)
        if high <= low:
            for axis in (raw, common):
                axis.annotate("constant", (0.5, 0.4), xycoords="axes fraction", ha="center")
                axis.set(xlim=(0, 1), yticks=[])
        else:
            _histogram(raw, np.clip(values, low, high), (low, high), arm.color)
            scaled = np.clip((values - low) / (high - low), 0, 1)
            _histogram(common, scaled, (0, 1), arm.color)
            if hard is not None and len(scaled) > hard.max():
                top = common.get_ylim()[1]
                for image, marker in zip(hard, MARKS, strict=False):
                    at = scaled[image]
                    common.plot([at, at], [0, 0.8 * top], color="black", linewidth=0.6)
                    common.plot(
                        at, 0.8 * top, marker, color="white", markeredgecolor="black", markersize=5, clip_on=False
                    )
        raw.set_ylabel(arm.title, rotation=0, ha="right", va="center")
        common.set_xlim(-0.02, 1.02)
        if common is not axes[-1, 1]:
            common.tick_params(labelbottom=False)
    axes[-1, 0].set_xlabel("own uncertainty, each on its scale")
    axes[-1, 1].set_xlabel("normalised")
    seeds = ", ".join(str(seed) for seed in sorted({min(arm.seeds) for arm in panel.arms}))
    return (
        f"Distribution of the uncertainty: {panel.label}",
        "The method's own uncertainty of every test image (paper: Figures 5 and 6), from the 0.5 to the 99.5 % "
        "quantile; what lies beyond counts in the outermost bins. Left: as the method gives it; right: min-max "
        "normalised per method between these two, all methods over one axis. "
        + (
            f"Marks: the same {len(hard)} images in every row, those on which the methods' mean prediction is least "
            "certain (its entropy is highest). "
            if hard is not None
            else ""
        )
        + f"Heights are cut where one bin towers over the others, whose count stands above it. Seed {seeds}.",
        figure,
    )


def _histogram(axis: Axes, values: np.ndarray, limits: tuple[float, float], color: str) -> None:
    """The bars; a bin that towers over the others is cut and its height written above it."""
    counts, edges = np.histogram(values, BINS, limits)
    axis.stairs(counts, edges, fill=True, color=color, alpha=0.85)
    limit = 1.3 * float(np.sort(counts)[-4])
    axis.set(yticks=[])
    if counts.max() > 2 * limit > 0:
        axis.set_ylim(0, limit)
        middle = float(edges[counts.argmax()] + edges[counts.argmax() + 1]) / 2
        side = "left" if middle < np.mean(limits) else "right"
        axis.annotate(f"{counts.max():,}", (middle, limit), ha=side, va="bottom", fontsize=7, color="0.25")


def _hard_images(arms: tuple[MethodRuns, ...]) -> np.ndarray | None:
    """The test images [HARD] on which the methods' mean prediction has the highest entropy, or None: no common set."""
    chosen = [arm.first["test_logits"] for arm in arms]
    if len({logits.shape for logits in chosen}) > 1 or len(chosen[0]) < HARD:
        return None
    mean = np.mean([softmax(logits.astype(np.float64)) for logits in chosen], axis=0)
    entropy = -(mean * np.log(np.maximum(mean, 1e-300))).sum(axis=1)
    return np.argsort(-entropy, kind="stable")[:HARD]
