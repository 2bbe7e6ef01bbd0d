"""The critical-difference diagram (Demsar, JMLR 2006)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reports.figures.layout import grid
from reports.stats.ranks import Ranks

if TYPE_CHECKING:
    from reports.figures.panels import Drawing


def diagram(ranks: Ranks) -> Drawing:
    """Average ranks on a line; bars join methods that are not told apart."""
    count = len(ranks.methods)
    figure, axes = grid(1, width=5.5, height=0.35 * count + 0.8)
    axis, order = axes[0, 0], np.argsort(ranks.ranks, kind="stable")
    for height, place in enumerate(order):
        axis.plot([1, count], [height, height], color="0.9", linewidth=0.8, zorder=0)
        axis.plot(ranks.ranks[place], height, "o", color="black")
        text = f"{ranks.methods[place]}  {ranks.ranks[place]:.2f}"
        axis.annotate(text, (ranks.ranks[place], height), (6, 3), textcoords="offset points")
    for number, (first, last) in enumerate(cliques(ranks.ranks[order], ranks.width)):
        level = -0.6 - 0.25 * number
        axis.plot([first - 0.03, last + 0.03], [level, level], color="#d55e00", linewidth=3, solid_capstyle="butt")
    axis.set(xlabel="average rank (1 is best)", yticks=[], xlim=(0.9, count + 0.6))
    axis.invert_yaxis()
    return (
        f"Average ranks by {ranks.title}",
        f"{ranks.sentence} Bars join methods closer than that. Noise levels of one data set are not independent: the "
        "tests are lenient.",
        figure,
    )


def cliques(ranks: np.ndarray, width: float) -> list[tuple[float, float]]:
    """Ends of the longest runs of sorted ranks [K] that span no more than `width`."""
    found: list[tuple[int, int]] = []
    for start in range(len(ranks)):
        last = int(np.flatnonzero(ranks - ranks[start] <= width).max())
        if last > start and (not found or last > found[-1][1]):
            found.append((start, last))
    return [(float(ranks[first]), float(ranks[last])) for first, last in found]
