"""Figures of single images: t-SNE, the most and the least uncertain."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.files import atomic_write
from reports.figures.layout import class_names, grid, legend, per_arm
from reports.runs.predictions import Arrays

if TYPE_CHECKING:
    from reports.figures.panels import Drawing, Panel

POINTS = 1000
PERPLEXITY = 30
EXTREME = 0.1  # share of images called of high (low) uncertainty
LARGE = 1e6  # features whose squares, summed, may leave float32


def tsne(panel: Panel, cache: Path) -> Drawing | None:
    """Figure 3 and the supplement: the features in the plane, by class and by uncertainty."""
    arms = [arm for arm in panel.arms if len(arm.first.get("test_features", ())) > 3 * PERPLEXITY]
    if not arms:
        return None
    figure, axes = per_arm(len(arms), 2, width=2.1, height=2.1)
    for (top, bottom), arm in zip(axes.T, arms, strict=True):
        arrays = arm.first
        rows, features = drawn_features(arrays)
        points = _points(arrays, features, cache)
        labels, uncertainty = arrays["test_labels"][rows].astype(int), arrays["test_uncertainty"][rows]
        names = class_names(arm, arrays["test_logits"].shape[1])
        colors = _class_colors(len(names))
        first = arm is arms[0]
        # Lines without a line: a PDF's scatter spells every point out.
        for number, name in enumerate(names):
            label = name if first and len(names) <= 12 else None
            top.plot(
                *points[labels == number].T, "o", color=colors[number], markersize=1.8, markeredgewidth=0, label=label
            )
        top.set_title(arm.title)
        low, high = np.quantile(uncertainty, (EXTREME, 1 - EXTREME))
        for axis_rows, color, marker, size, name in (
            ((uncertainty > low) & (uncertainty < high), "0.85", "o", 1.2, ""),
            (uncertainty <= low, "#4477aa", "o", 2.2, "least uncertain"),
            (uncertainty >= high, "black", "^", 2.6, "most uncertain"),
        ):
            bottom.plot(
                *points[axis_rows].T, marker, color=color, markersize=size, markeredgewidth=0,
                label=name if first and name else None,
            )  # fmt: skip
        for axis in (top, bottom):
            axis.set(xticks=[], yticks=[])
            axis.set_box_aspect(1)
            axis.spines[:].set_visible(True)
            axis.spines[:].set_color("0.8")
    legend(figure, axes[:, 0], columns=6, scale=2.5)
    return (
        f"Learned features: {panel.label}",
        f"t-SNE of up to {POINTS} test features of the lowest seed (perplexity {PERPLEXITY}, PCA start, seed 0). "
        f"Above: by label; below: the {EXTREME:.0%} most and least uncertain by the method's own uncertainty "
        "(paper: Figure 3 and supplement).",
        figure,
    )


def _class_colors(count: int) -> np.ndarray:
    """Colours of classes [K, 4]: they are no methods, so that another list than the palette's serves them."""
    import matplotlib

    if count <= 10:
        return matplotlib.colormaps["tab10"](np.arange(count))
    return matplotlib.colormaps["turbo"](np.linspace(0, 1, count))


def drawn_features(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the test set that are drawn [M], and their features [M, D]; released runs store no others."""
    features = arrays["test_features"]
    if "test_features_rows" in arrays:
        return arrays["test_features_rows"], features
    rows = np.random.default_rng(0).permutation(len(features))[:POINTS]
    return rows, features[rows]


def embedding_key(features: np.ndarray) -> str:
    """What a t-SNE of these features [M, D] is known by: their content and the perplexity."""
    return hashlib.sha256(features.astype(np.float32).tobytes() + bytes([PERPLEXITY])).hexdigest()[:16]


def embed(features: np.ndarray) -> np.ndarray:
    """t-SNE of [M, D] -> [M, 2]; seconds for a thousand rows."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):  # the same picture on any number of cores (not on any processor), and no fight with jobs
        transform = TSNE(perplexity=PERPLEXITY, init="pca", random_state=0).fit_transform
        finite = np.nan_to_num(features.astype(np.float32))
        largest = np.abs(finite).max()
        return transform(finite / largest if largest > LARGE else finite)  # distances count by their ratios


def _points(arrays: Arrays, features: np.ndarray, cache: Path) -> np.ndarray:
    """The t-SNE of the features: released with the run, else from the cache, else made now and kept by content."""
    key = embedding_key(features)
    if str(arrays.get("tsne_key")) == key:
        return arrays["tsne_points"]
    path = cache / f"tsne-{key}.npy"
    if path.is_file():
        try:
            return np.load(path, allow_pickle=False)
        except (ValueError, EOFError):
            pass  # a damaged cache file is made anew
    points = embed(features)
    with atomic_write(path, "wb") as file:
        np.save(file, points)
    return points


def examples(panel: Panel, cache: Path) -> Drawing | str | None:
    """Figure 4: test images with the largest and the smallest uncertainty, its value in the corner, errors in red.

    Needs `example_images` [E, H, W, C] and `example_index` [E] among a run's arrays.
    """
    arms = [arm for arm in panel.arms if {"example_images", "example_index"} <= set(arm.first)]
    if not arms:
        return "the runs hold no images: released records leave a data set's own out, your own runs have them."
    shown = 8
    # Equal tiles need no layout solver, which is slow for so many.
    figure, axes = grid(shown, 2 * len(arms), width=0.85, height=1.0, layout=None)
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=0.97, hspace=0.5, wspace=0.1)
    for number, arm in enumerate(arms):
        arrays = arm.first
        index, images = arrays["example_index"].astype(int), arrays["example_images"]
        order = np.argsort(arrays["test_uncertainty"][index], kind="stable")
        names = class_names(arm, arrays["test_logits"].shape[1])
        for row, picked in enumerate((order[::-1][:shown], order[:shown])):
            for axis in axes[2 * number + row]:
                axis.axis("off")
            for axis, place in zip(axes[2 * number + row], picked, strict=False):
                image, where = images[place], index[place]
                axis.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
                value, guess = arrays["test_uncertainty"][where], int(arrays["test_logits"][where].argmax())
                style = {"facecolor": "black", "alpha": 0.6, "pad": 0.8, "linewidth": 0}
                axis.text(
                    0.03,
                    0.97,
                    f"{value:.2f}",
                    transform=axis.transAxes,
                    va="top",
                    color="white",
                    fontsize=6,
                    bbox=style,
                )
                wrong = guess != int(arrays["test_labels"][where])
                color, text = ("#d00000", f"{names[guess]} ✗") if wrong else ("black", names[guess])
                axis.text(0.5, -0.04, text, transform=axis.transAxes, ha="center", va="top", color=color, fontsize=6)
            title = f"{arm.name}, {'most' if row == 0 else 'least'} uncertain"
            axes[2 * number + row, 0].set_title(title, fontsize=7, loc="left")
    return (
        f"Most and least uncertain test images: {panel.label}",
        "The method's own uncertainty in the corner, the predicted class below, wrong ones in red with a cross (paper: "
        "Figure 4). Lowest seed.",
        figure,
    )
