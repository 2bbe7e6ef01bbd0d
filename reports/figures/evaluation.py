"""Figures of scores: accuracy versus rejection, confusion, training curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.calibration import softmax
from benchmarks.metrics.ranking import selective_risks
from benchmarks.store.run_folder import RunFolder
from reports.figures.layout import class_names, grid, legend, per_arm
from reports.paper import numbers
from reports.runs.history import history
from reports.runs.predictions import Arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reports.figures.panels import Drawing, MethodRuns, Panel

REJECTED = np.linspace(0, 0.5, 51)


def _rejection_curve(correct: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Accuracy in per cent after rejecting each share of REJECTED. [N], [N] -> [51]."""
    kept = len(correct) - np.round(REJECTED * len(correct)).astype(int)
    return 100 * (1 - selective_risks(correct, score)[np.maximum(kept, 1) - 1])


def _free_score(arrays: Arrays) -> np.ndarray:
    return 1 - softmax(arrays["test_logits"]).max(axis=1)


def _correct(arrays: Arrays) -> np.ndarray:
    return arrays["test_logits"].argmax(axis=1) == arrays["test_labels"]


def rejection(panel: Panel, cache: Path) -> Drawing:
    """Paper's supplement: accuracy versus rejection rate, with a band over seeds; the free score beside it."""
    figure, axes = grid(2, width=3.4, height=2.8, sharey=True)
    for axis, free in zip(axes[0], (False, True), strict=True):
        for arm in panel.arms:
            curves = np.array([
                _rejection_curve(_correct(arrays), _free_score(arrays) if free else arrays["test_uncertainty"])
                for arrays in arm.seeds.values()
            ])  # fmt: skip
            mean = curves.mean(axis=0)
            axis.plot(100 * REJECTED, mean, color=arm.color, linestyle=arm.dash, label=arm.name)
            if len(curves) > 1:
                sd = curves.std(axis=0, ddof=1)
                axis.fill_between(100 * REJECTED, mean - sd, mean + sd, color=arm.color, alpha=0.2, linewidth=0)
            if not free and panel.noise == "0" and panel.as_published:
                _published_points(axis, panel.dataset, arm)
        axis.set(xlabel="rejected (%)", title="by 1 − max softmax" if free else "by own uncertainty")
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("accuracy of the rest (%)")
    legend(figure, axes.flat)
    return (
        f"Accuracy versus rejection: {panel.label}",
        "Test accuracy of what is left after rejecting the most uncertain images; mean over seeds, band: one standard "
        "deviation. Left: by the method's own uncertainty; right: by 1 − max softmax of the same logits."
        + (" Crosses: the paper's numbers." if panel.as_published else ""),
        figure,
    )


def _published_points(axis: Axes, dataset: str, arm: MethodRuns) -> None:
    for table in ("table2", "table6"):
        found = [(rate, numbers.lookup(table, dataset, arm.name, rate)) for rate in (0, 10, 20, 30)]
        points = [(rate, value.mean) for rate, value in found if value is not None]
        if points:
            axis.plot(*zip(*points, strict=True), linestyle="", marker="x", color=arm.color)


def confusion(panel: Panel, cache: Path) -> Drawing:
    """Paper's supplement: confusion matrices, mean over seeds, rows normalised."""
    figure, axes = per_arm(len(panel.arms), width=2.6, height=2.6, sharex=True, sharey=True)
    for axis, arm in zip(axes[0], panel.arms, strict=True):
        matrices = [_confusion(arrays) for arrays in arm.seeds.values()]
        mean = 100 * np.mean(matrices, axis=0)
        classes = class_names(arm, len(mean))
        axis.imshow(mean, vmin=0, vmax=100, cmap="cividis")
        axis.set(title=arm.title, xticks=[], yticks=[])
        if len(mean) <= 12:
            places = np.arange(len(mean))
            axis.set_xticks(places, classes, rotation=90)
            axis.set_yticks(places, classes)
            for row, column in np.ndindex(mean.shape):
                color = "black" if mean[row, column] > 55 else "white"
                text = f"{mean[row, column]:.0f}"
                axis.text(column, row, text, ha="center", va="center", fontsize=6, color=color, clip_on=True)
        axis.tick_params(labelsize=6, length=0)
        axis.spines[:].set_visible(False)
    figure.supxlabel("predicted", fontsize=8)
    figure.supylabel("label", fontsize=8)
    return f"Confusion: {panel.label}", "Per cent of each label's test images, mean over seeds, last epoch.", figure


def _confusion(arrays: Arrays) -> np.ndarray:
    """[K, K]: share of each label's images by predicted class."""
    classes = arrays["test_logits"].shape[1]
    labels = arrays["test_labels"].astype(int)
    counts = np.bincount(labels * classes + arrays["test_logits"].argmax(axis=1), minlength=classes**2)
    matrix = counts.reshape(classes, classes).astype(np.float64)
    return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def training(panel: Panel, cache: Path) -> Drawing | None:
    """Training loss and test accuracy by epoch; band over seeds."""
    figure, axes = grid(2, width=3.4, height=2.6)
    some = False
    for arm in panel.arms:
        histories = [history(RunFolder(folder).history) for folder in arm.group.runs["folder"]]
        for axis, column, factor in ((axes[0, 0], "loss", 1), (axes[0, 1], "test_accuracy", 100)):
            known = [one[column] for one in histories if one.get(column)]
            curves = [factor * np.array(values) for values in known if np.isfinite(values).all()]
            length = min((len(curve) for curve in curves), default=0)
            if not length:
                continue
            some = True
            block = np.array([curve[:length] for curve in curves])
            epochs, mean = np.arange(1, length + 1), block.mean(axis=0)
            axis.plot(epochs, mean, color=arm.color, linestyle=arm.dash, label=arm.name)
            if len(block) > 1:
                sd = block.std(axis=0, ddof=1)
                axis.fill_between(epochs, mean - sd, mean + sd, color=arm.color, alpha=0.2, linewidth=0)
    if not some:
        return None
    axes[0, 0].set(xlabel="epoch", ylabel="training loss")
    axes[0, 1].set(xlabel="epoch", ylabel="test accuracy (%)")
    legend(figure, axes.flat)
    for axis in axes[0]:
        axis.grid(alpha=0.3)
        axis.xaxis.get_major_locator().set_params(integer=True)
    caption = "Mean over seeds, band: one standard deviation. Losses of different methods are not on one scale."
    return f"Training: {panel.label}", caption, figure
