"""Figure 2: what it costs to recognise a mixture of a certain and an uncertain image, over the mixing weight."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics.calibration import softmax
from reports.figures.features import EXTREME
from reports.figures.layout import class_names, legend, per_arm
from reports.runs.predictions import Arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reports.figures.panels import Drawing, MethodRuns, Panel

PAIRS = 500
_PAIR = ("figure2_weight", "figure2_loss_certain", "figure2_loss_uncertain", "figure2_own_weight")


def _losses(axis: Axes, weights: np.ndarray, certain: np.ndarray, uncertain: np.ndarray, arm: MethodRuns) -> float:
    """Draw the two losses and their sum, and mark the weight with the least sum, which is returned."""
    total = certain + uncertain
    axis.plot(weights, certain, color="0.45", linestyle="--", label="as the certain label")
    axis.plot(weights, uncertain, color="0.45", linestyle=":", label="as the uncertain label")
    axis.plot(weights, total, color=arm.color, label="sum (in the method's colour)")
    best = float(weights[total.argmin()])
    _mark(axis, best, 0.97, f"least {best:.2f}", "-")
    axis.set(title=arm.title, xlabel="weight of the uncertain image")
    return best


def _mark(axis: Axes, weight: float, height: float, text: str, dash: str) -> None:
    axis.axvline(weight, color="black", linewidth=0.7, linestyle=dash)
    side = (3, "left") if weight < 0.6 else (-3, "right")
    box = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.5}
    options: Any = {
        "bbox": box,
        "xycoords": ("data", "axes fraction"),
        "textcoords": "offset points",
        "va": "top",
        "ha": side[1],
    }
    axis.annotate(text, (weight, height), (side[0], 0), fontsize=7, **options)


def _mixtures(axis: Axes, images: np.ndarray) -> None:
    """The mixed images above the weights they stand for, as the paper shows them. images: [2, H, W, C], 0..255."""
    certain, uncertain = images
    for weight in (0.0, 0.25, 0.5, 0.75, 1.0):
        mixed = ((1 - weight) * certain + weight * uncertain).astype(np.uint8)
        inset = axis.inset_axes((0.045 + 0.73 * weight, 1.02, 0.18, 0.18))
        inset.imshow(mixed[..., 0] if mixed.shape[-1] == 1 else mixed, cmap="gray", vmin=0, vmax=255)
        inset.axis("off")


def one_pair(panel: Panel, cache: Path) -> Drawing | str | None:
    """Figure 2: one pair of images, mixed by the trained network itself, with the method's own weight marked.

    Needs the arrays `figure2_*` of a run (benchmarks/mixing.py names them).
    """
    arms = [arm for arm in panel.arms if set(_PAIR) <= set(arm.first)]
    if not arms:
        return "no run stored the losses of a mixed pair (older runs do not; methods that do not mix have none)."
    figure, axes = per_arm(len(arms), width=2.9, height=3.2, sharey=True)
    for axis, arm in zip(axes[0], arms, strict=True):
        weights, certain, uncertain, own = (np.asarray(arm.first[name], dtype=np.float64) for name in _PAIR)
        _losses(axis, weights, certain, uncertain, arm)
        _mark(axis, float(own.reshape(-1)[0]), 0.86, f"own {float(own.reshape(-1)[0]):.2f}", "--")
        names = class_names(arm, arm.first["test_logits"].shape[1])
        labels = np.asarray(arm.first.get("figure2_labels", ()), dtype=int)
        about = ""
        if len(labels) == 2 and labels.max() < len(names):
            about = f"\ncertain: {names[labels[0]]}, uncertain: {names[labels[1]]}"
        images = arm.first.get("figure2_images")
        axis.set_title(f"{arm.title}{about}", fontsize=8, pad=6 if images is None else 38)
        if images is not None:
            _mixtures(axis, images.astype(np.float64))
    axes[0, 0].set_ylabel("cross-entropy (nats)")
    legend(figure, axes.flat)
    return (
        f"Losses over the mixing weight, one pair: {panel.label}",
        "Cross-entropy of the mixed feature of one certain and one uncertain image as either's label (paper: "
        "Figure 2); above: the two images mixed alike. Solid line: the weight of the uncertain image with the least "
        "sum; dashed line: the weight that the method itself gives it. Lowest seed.",
        figure,
    )


def many_pairs(panel: Panel, cache: Path) -> Drawing | None:
    """Figure 2 on average: losses of recognising a mixture as either of its labels, over the uncertain one's weight.

    The classifier is linear, so a mixture of features has the mixture of the logits: no network is needed.
    """
    weights = np.linspace(0, 1, 51)
    drawn = [(arm, _mixing_losses(arm.first, weights)) for arm in panel.arms]
    parts = [(arm, losses) for arm, losses in drawn if losses is not None]
    if not parts:
        return None
    figure, axes = per_arm(len(parts), width=2.7, height=2.6, sharey=True)
    for axis, (arm, (uncertain, certain)) in zip(axes[0], parts, strict=True):
        _losses(axis, weights, certain, uncertain, arm)
    axes[0, 0].set_ylabel("cross-entropy (nats)")
    legend(figure, axes.flat)
    return (
        f"Losses over the mixing weight: {panel.label}",
        "Cross-entropy of the mixed feature as the certain image's and as the uncertain image's label, mean over "
        f"{PAIRS} pairs of test images that are recognised alone (one from the least, one from the most uncertain "
        "tenth, of another class); line: the weight with the least sum (paper: Figure 2, one pair). Lowest seed.",
        figure,
    )


def _mixing_losses(arrays: Arrays, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean loss [51] as the uncertain and as the certain label, or None without such pairs."""
    logits, labels = arrays["test_logits"].astype(np.float64), arrays["test_labels"].astype(int)
    right = np.flatnonzero(logits.argmax(axis=1) == labels)
    ranked = right[np.argsort(arrays["test_uncertainty"][right], kind="stable")]
    tenth = max(1, round(EXTREME * len(ranked)))
    if len(ranked) < 20:
        return None
    draw = np.random.default_rng(0)
    sure, unsure = draw.choice(ranked[:tenth], 4 * PAIRS), draw.choice(ranked[-tenth:], 4 * PAIRS)
    keep = np.flatnonzero(labels[sure] != labels[unsure])[:PAIRS]
    if not len(keep):
        return None
    sure, unsure = sure[keep], unsure[keep]
    w = weights[:, None, None]
    log_p = np.log(np.maximum(softmax(w * logits[unsure] + (1 - w) * logits[sure]), 1e-300))  # [51, pairs, K]
    rows = np.arange(len(keep))
    return -log_p[:, rows, labels[unsure]].mean(axis=1), -log_p[:, rows, labels[sure]].mean(axis=1)
