"""Average ranks over data sets and noises, and when they differ (Demsar, JMLR 2006)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from reports.runs.frame import Loaded
from reports.runs.groups import SeedGroup, seed_groups
from reports.stats.effects import ALPHA
from reports.stats.summary import summary
from reports.stats.verdict import allowed

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
    """(name, ranks) by accuracy and by AURC of the own uncertainty, or why there are none. Only runs that allow a
    verdict count: no stand-ins, no demonstrations."""
    found = [group for group in seed_groups(loaded, datasets, recipe) if _counts(group)]
    yield "accuracy", _rank("accuracy", [(group, summary(group.percent("last.accuracy")).mean) for group in found])
    yield "aurc", _rank("AURC of the own uncertainty", [(group, _aurc(loaded, group)) for group in found])


def _counts(group: SeedGroup) -> bool:
    row = group.runs.iloc[0]
    return allowed(row.resolved, row.dataset, row.method, row.weights) != "none"


def _aurc(loaded: Loaded, group: SeedGroup) -> float | None:
    """Minus the mean AURC: higher is better."""
    values = [loaded.scores(folder).get("own.aurc", float("nan")) for folder in group.runs["folder"]]
    return None if np.isnan(values).any() else -float(np.mean(values))


def _rank(title: str, values: Sequence[tuple[SeedGroup, float | None]]) -> Ranks | str:
    table: dict[tuple[str, str, str], dict[str, float]] = {}
    for group, value in values:
        if value is not None:
            table.setdefault((group.keys[0], group.keys[1], group.setup), {})[group.keys[2]] = value
    blocks = [row for row in table.values() if len(row) >= LEAST]
    methods = sorted(set.intersection(*map(set, blocks))) if blocks else []
    if len(blocks) < LEAST or len(methods) < LEAST:
        return (
            f"Ranks need {LEAST} blocks (data set, noise, set-up) with {LEAST} methods in common, of recipes that "
            f"allow a verdict; there are {len(blocks)} blocks with {LEAST} methods or more, {len(methods)} of them in "
            "common."
        )
    scores = np.array([[row[name] for name in methods] for row in blocks])
    width = critical_difference(len(methods), len(blocks))
    return Ranks(title, tuple(methods), average_ranks(scores), len(blocks), friedman_p(scores), width)


def average_ranks(scores: np.ndarray) -> np.ndarray:
    """Mean rank of each of K methods over N blocks; 1 is best, ties share. scores [N, K], higher is better -> [K]."""
    from scipy.stats import rankdata

    return rankdata(-scores, axis=1).mean(axis=0)


def critical_difference(methods: int, blocks: int) -> float:
    """Nemenyi's: average ranks closer than this are not told apart at 5 % (Demsar, JMLR 2006, section 3.2.2)."""
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - ALPHA, methods, 1e6)) / sqrt(2)
    return q * sqrt(methods * (methods + 1) / (6 * blocks))


def friedman_p(scores: np.ndarray) -> float:
    """p of Friedman's test that K >= 3 methods rank alike over N blocks; 1 where all are tied. scores [N, K]."""
    from scipy.stats import friedmanchisquare

    if not np.ptp(scores, axis=1).any():
        return 1.0
    return float(friedmanchisquare(*scores.T).pvalue)
