"""Average ranks over data sets and noises, and the critical-difference diagram (Demsar, JMLR 2006)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reports.figures.scores import grid
from reports.runs.frame import Loaded
from reports.stats.statistics import ALPHA, average_ranks, critical_difference, friedman_p
from reports.tables.summary import Lot, lots

if TYPE_CHECKING:
    from reports.figures.panels import Drawing

LEAST = 3  # methods, and blocks: with fewer there is nothing to rank over


@dataclass(frozen=True)
class Ranks:
    """Average ranks (1 is best) of the methods that every block has. A block: data set, noise and set-up."""

    title: str
    methods: tuple[str, ...]
    ranks: np.ndarray  # [K]
    blocks: int
    p: float  # Friedman: all rank alike
    width: float  # Nemenyi's critical difference

    @property
    def sentence(self) -> str:
        """The ranks and the tests in words."""
        order = np.argsort(self.ranks, kind="stable")
        ranked = ", ".join(f"{self.methods[place]} {self.ranks[place]:.2f}" for place in order)
        told = "the methods differ" if self.p < ALPHA else "the methods are not told apart"
        p = "p < 0.001" if self.p < 0.001 else f"p = {self.p:.3f}"
        return (
            f"Average ranks by {self.title} over {self.blocks} blocks (data set, noise, set-up): {ranked}. Friedman "
            f"{p}: {told}; Nemenyi's critical difference {self.width:.2f}."
        )


def average(
    loaded: Loaded, recipe: str | None = None, datasets: Sequence[str] | None = None
) -> Iterator[tuple[str, Ranks | str]]:
    """(name, ranks) by accuracy and by AURC of the own uncertainty, or why there are none."""
    found = list(lots(loaded, datasets, recipe))
    yield "accuracy", _rank("accuracy", [(lot, lot.percent("last.accuracy").mean) for lot in found])
    yield "aurc", _rank("AURC of the own uncertainty", [(lot, _aurc(loaded, lot)) for lot in found])


def _aurc(loaded: Loaded, lot: Lot) -> float | None:
    """Minus the mean AURC: higher is better."""
    values = [loaded.scores(folder).get("own.aurc", float("nan")) for folder in lot.runs["folder"]]
    return None if np.isnan(values).any() else -float(np.mean(values))


def _rank(title: str, values: Sequence[tuple[Lot, float | None]]) -> Ranks | str:
    table: dict[tuple[str, str, str], dict[str, float]] = {}
    for lot, value in values:
        if value is not None:
            table.setdefault((lot.keys[0], lot.keys[1], lot.setup), {})[lot.keys[2]] = value
    blocks = [row for row in table.values() if len(row) >= LEAST]
    methods = sorted(set.intersection(*map(set, blocks))) if blocks else []
    if len(blocks) < LEAST or len(methods) < LEAST:
        return (
            f"Ranks need {LEAST} blocks (data set, noise, set-up) with {LEAST} methods in common; there are "
            f"{len(blocks)} blocks with {LEAST} methods or more, {len(methods)} of them in common."
        )
    scores = np.array([[row[name] for name in methods] for row in blocks])
    width = critical_difference(len(methods), len(blocks))
    return Ranks(title, tuple(methods), average_ranks(scores), len(blocks), friedman_p(scores), width)


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
