"""Accuracy, and how well the uncertainty finds the errors, over the strength of each corruption: one figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.apply.corruptions import CORRUPTIONS
from common.files import atomic_write

LINES = (("accuracy", "accuracy", 0), ("error_auroc", "own uncertainty", 1), ("free_error_auroc", "1 - max softmax", 1))


def draw(path: Path, rows: Sequence[dict[str, Any]], title: str) -> None:
    """Write a PNG: a column for each corruption, accuracy above, AUROC of the errors below."""
    mpl.use("Agg")  # whatever a notebook has set
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, len(CORRUPTIONS), figsize=(11, 5), sharex=True, sharey="row", layout="constrained")
    for column, name in enumerate(CORRUPTIONS):
        of_kind = [row for row in rows if row["corruption"] == name]
        for key, label, line in LINES:
            known = [(row["strength"], 100 * row[key]) for row in of_kind if row[key] is not None]
            axes[line][column].plot(*zip(*known, strict=True), marker="o", label=label)
        axes[0][column].set_title(name)
        axes[1][column].set_xlabel("strength")
    axes[0][0].set_ylabel("accuracy (%)")
    axes[1][0].set_ylabel("AUROC of errors (%)")
    axes[1][-1].legend()
    figure.suptitle(title)
    with atomic_write(path, "wb", keep=True) as file:
        figure.savefig(file, format="png", dpi=120)
    plt.close(figure)
