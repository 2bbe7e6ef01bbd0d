"""The forest plot: every tested comparison of the document of claims with its 95 % interval, the paper's number "
"beside it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from reports.paper.tables import DATASET_LABELS
from reports.stats.comparisons import Finding
from reports.stats.outcome import MARGIN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = {"supported": "#0173b2", "opposed": "#d55e00", "equivalent": "#029e73", "undecided": "0.55"}


class Tested(Protocol):
    """Of the document of claims: (claim's number, recipe, finding)."""

    @property
    def forest(self) -> Sequence[tuple[int, str, Finding]]:
        """What is tested."""


def forest(document: Tested) -> Figure | None:
    """One line a comparison and cell, by claim; None where nothing is tested.

    The axis is in points; differences in other units (rank correlations, silhouettes) are times 100.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    lines = document.forest
    if not lines:
        return None
    recipes = {recipe for _, recipe, _ in lines}
    figure = Figure(figsize=(7.2, 0.9 + 0.2 * len(lines)), layout="constrained")
    axis = figure.add_subplot()
    axis.axvspan(-MARGIN, MARGIN, color="0.93", linewidth=0)
    axis.axvline(0, color="0.3", linewidth=0.8)
    names = []
    for place, (number, recipe, one) in enumerate(lines):
        effect = one.ruling.effect if one.ruling is not None else None
        if effect is None or effect.low is None or effect.high is None:
            continue
        color = COLORS[one.outcome]
        axis.plot([effect.low, effect.high], [place, place], color=color, linewidth=1.4)
        axis.plot(effect.estimate, place, marker="o", color=color, markersize=3.5)
        if one.paper is not None:
            axis.plot(one.paper, place, marker="D", markerfacecolor="white", color="black", markersize=3.5)
        where = f"{DATASET_LABELS.get(one.cell.dataset, one.cell.dataset)} {one.cell.level}".strip()
        names.append(f"{number}. {one.comparison.text}; {where}" + (f"; {recipe}" if len(recipes) > 1 else ""))
    for place, ((above, _, _), (below, _, _)) in enumerate(pairwise(lines)):
        if above != below:
            axis.axhline(place + 0.5, color="0.8", linewidth=0.5)
    axis.set_yticks(range(len(names)), names, fontsize=6.5)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel("difference (points), 95 % interval; grey band: within the margin", fontsize=8)
    handles = [Line2D([], [], color=color, marker="o", markersize=3.5, label=name) for name, color in COLORS.items()]
    handles.append(Line2D([], [], color="black", marker="D", markerfacecolor="white", linestyle="", label="paper"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize=7)
    return figure
