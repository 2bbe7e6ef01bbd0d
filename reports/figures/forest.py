"""The forest plot: every tested comparison of the document of claims with its 95 % interval, the paper's number beside
it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from reports.paper.tables import DATASET_LABELS
from reports.stats.comparisons import Finding
from reports.stats.outcome import MARGIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = {"supported": "#0173b2", "opposed": "#d55e00", "equivalent": "#029e73", "undecided": "0.55"}


class Tested(Protocol):
    """Of the document of claims: (claim's number, recipe, finding)."""

    @property
    def forest(self) -> Sequence[tuple[int, str, Finding]]:
        """What is tested."""

    @property
    def data(self) -> Sequence[str]:
        """What a reader must know of the data sets, in sentences."""


LINEAR = 2.0  # points
STEP = 0.45  # between the cells of a comparison; 1 between comparisons


def forest(document: Tested) -> Figure | None:
    """A row a comparison and data set, its noises below each other, by claim; None where nothing is tested.

    The axis is in points; differences in other units (rank correlations, silhouettes) are times 100.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import NullLocator

    rows = _rows(document.forest)
    if not rows:
        return None
    height = len(rows) + STEP * sum(len(found) - 1 for found in rows.values())
    figure = Figure(figsize=(7.2, 0.9 + 0.19 * height), layout="constrained")
    axis = figure.add_subplot()
    axis.axvspan(-MARGIN, MARGIN, color="0.93", linewidth=0)
    axis.axvline(0, color="0.3", linewidth=0.8)
    top, above, places = 0.0, None, []
    for (number, _), found in rows.items():
        if above not in (None, number):
            axis.axhline(top - 0.5, color="0.8", linewidth=0.5)
        above = number
        for step, one in enumerate(found):
            _draw(axis, top + STEP * step, one)
        bottom = top + STEP * (len(found) - 1)
        places.append((top + bottom) / 2)
        top = bottom + 1
    axis.set_yticks(places, [name for _, name in rows], fontsize=6.5)
    axis.set_ylim(top - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.set_xscale("symlog", linthresh=LINEAR, linscale=0.6)  # a point matters, and some differences are of fifty
    reach = max(LINEAR, *(abs(one) for one in axis.get_xlim()))
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50) if tick <= reach]
    axis.set_xticks([*(-tick for tick in reversed(ticks)), 0, *ticks], minor=False)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:+g}".replace("-", "−") if value else "0")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.tick_params(axis="x", labelsize=7)
    axis.set_xlabel(
        "difference (points), 95 % interval; grey band: within the margin\n"
        f"linear to {LINEAR:g} points, logarithmic beyond", fontsize=7,
    )  # fmt: skip
    handles = [Line2D([], [], color=color, marker="o", markersize=3, label=name) for name, color in COLORS.items()]
    handles.append(Line2D([], [], color="black", marker="D", markerfacecolor="white", linestyle="", label="paper"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize=7)
    return figure


def _rows(lines: Sequence[tuple[int, str, Finding]]) -> dict[tuple[int, str], list[Finding]]:
    """(claim, label) -> findings in the order of their noise, those that have an interval."""
    several = len({recipe for _, recipe, _ in lines}) > 1
    groups: dict[tuple[int, str, str, str], list[Finding]] = {}
    for number, recipe, one in lines:
        if one.ruling is not None and one.ruling.effect.low is not None:
            groups.setdefault((number, recipe, one.comparison.text, one.cell.dataset), []).append(one)
    rows = {}
    for (number, recipe, text, dataset), found in groups.items():
        levels = ", ".join(one.cell.level for one in found)
        where = f"{DATASET_LABELS.get(dataset, dataset)} {levels}{' %' if levels and ':' not in levels else ''}".strip()
        rows[number, f"{number}. {text}; {where}{f'; {recipe}' if several else ''}"] = found
    return rows


def _draw(axis: Axes, place: float, one: Finding) -> None:
    color = COLORS[one.outcome]
    effect = one.ruling.effect if one.ruling is not None else None
    if effect is not None and effect.low is not None and effect.high is not None:
        axis.plot([effect.low, effect.high], [place, place], color=color, linewidth=1.2)
    axis.plot(one.estimate, place, marker="o", color=color, markersize=3)
    if one.paper is not None:
        axis.plot(one.paper.estimate, place, marker="D", markerfacecolor="white", color="black", markersize=3)
