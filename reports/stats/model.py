"""One model over the cells of a table, so that three seeds can tell methods apart.

    value(arm, cell, seed) = mean(arm, cell) + a(cell, seed) + b(arm, seed) + e(arm, cell, seed)

The means are fixed; a, b and e are random. a is what a seed does to all arms of a cell (they see the same flipped
labels), b what it does to an arm in all cells (the same first weights; the flips at 10 % are among those at 20 %), e is
the rest. (What a seed does to all arms of all cells is a part of a.) A comparison within a cell is free of a and has
the variance of b + e, estimated from all cells together. The cells are not independent, so their degrees of freedom do
not just add up: Satterthwaite's approximation takes the share of b into account. For complete tables this is the
classical split-plot analysis, with the same degrees of freedom.

The variances are those of restricted maximum likelihood (`likelihood.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf, isfinite, sqrt
from typing import Literal

import numpy as np
import scipy  # loads its parts when they are first used

from common.errors import UserError
from reports.stats.effects import ALPHA, Effect, Observed, Point, Weights, difference
from reports.stats.likelihood import Likelihood, one_thread, spread_over


@dataclass(frozen=True)
class Homogeneity:
    """Levene's test (median-centred) of what is left within the cells: p that all arms, or all cells, vary alike.

    Taken over each arm's cells together: on groups of three values the test finds next to nothing. As cells correlate,
    it finds too much instead: it says "unequal" of 9 to 13 % of tables where variances are equal (and of one in three
    where an arm varies twice as much, at three seeds). That is the safe side: such tables are not pooled.
    """

    arms: float | None
    cells: float | None

    @property
    def unequal(self) -> Literal["arm", "cell"] | None:
        """What the variance differs by, if by anything."""
        found: list[tuple[float, Literal["arm", "cell"]]] = []
        if self.arms is not None and self.arms < ALPHA:
            found.append((self.arms, "arm"))
        if self.cells is not None and self.cells < ALPHA:
            found.append((self.cells, "cell"))
        return min(found)[1] if found else None


@dataclass(frozen=True)
class Model:
    """A fitted table. `components`: name -> variance; `pooled`: one residual variance for all (see `fit`)."""

    points: tuple[Point, ...]
    means: np.ndarray  # [P]
    runs: Mapping[Point, int]
    components: Mapping[str, float]
    homogeneity: Homogeneity
    pooled: bool
    _shares: np.ndarray = field(repr=False)  # [K, P, P]: the means' covariance, a unit of each component
    _spread: np.ndarray | None = field(
        repr=False
    )  # [K, K]: covariance of the estimated components; None: no error known
    _images: np.ndarray | None = field(default=None, repr=False)  # [P, P], see `with_images`
    _these_runs: np.ndarray | None = field(default=None, repr=False)  # [P, P], likewise

    def with_images(self, covariance: np.ndarray, of_these_runs: np.ndarray | None = None) -> Model:
        """The model with the chance of the test images added: [P, P] each, from `bootstrap.images_part`.

        covariance: of the means over all seeds; of_these_runs: of the means of the runs that there are. What the latter
        has more is what seeds make of single images. The variance between seeds has that in it, so it is no smaller:
        of two seeds of two arms, which by chance may agree, it could come out next to nothing.
        """
        if covariance.shape != (len(self.points),) * 2:
            raise ValueError(f"covariance of shape {covariance.shape} for {len(self.points)} means")
        return replace(self, _images=covariance, _these_runs=of_these_runs)

    def vector(self, weights: Weights) -> np.ndarray:
        """The weights as an array [P] over `points`. Raises UserError for an arm and cell without runs."""
        result = np.zeros(len(self.points))
        places = {point: place for place, point in enumerate(self.points)}
        for point, weight in weights.items():
            if point not in places:
                raise UserError(f"no runs of {point[0]!r} in cell {point[1]!r}")
            result[places[point]] += weight
        return result

    def covariance(self, vectors: np.ndarray, *, images: bool = True) -> np.ndarray:
        """Covariance of linear combinations [L, P] of the means -> [L, L]."""
        total = self._total if not images or self._images is None else self._total + self._images
        found = vectors @ total @ vectors.T
        errors = np.array([self.error(one, images=images)[0] or 0.0 for one in vectors])
        scale = np.divide(errors, np.sqrt(np.diag(found).clip(0)), out=np.ones(len(errors)), where=errors > 0)
        return found * np.outer(scale, scale)

    @cached_property
    def _total(self) -> np.ndarray:
        """Covariance [P, P] of the means over seeds."""
        return np.tensordot(np.array(list(self.components.values())), self._shares, 1)

    def effect(self, weights: Weights | np.ndarray, *, images: bool = True) -> Effect:
        """A linear combination of means with its own 95 % interval (not simultaneous).

        images: whether its error includes that of other test images, where the model knows it.
        """
        vector = weights if isinstance(weights, np.ndarray) else self.vector(weights)
        estimate = float(vector @ self.means)
        error, freedom = self.error(vector, images=images)
        if error is None or freedom is None:
            return Effect(estimate)
        critical = float(scipy.special.stdtrit(freedom, 1 - ALPHA / 2))
        p = float(2 * scipy.special.stdtr(freedom, -abs(estimate) / error)) if error > 0 else None
        return Effect(estimate, error, freedom, critical, p)

    def error(self, vector: np.ndarray, *, images: bool = True) -> tuple[float | None, float | None]:
        """Standard error and Satterthwaite's degrees of freedom of a linear combination [P] of the means."""
        if self._spread is None:
            return None, None
        parts = vector @ self._shares @ vector  # [K]
        between_seeds = float(parts @ np.array(list(self.components.values())))
        scatter = float(parts @ self._spread @ parts)
        of_images = float(vector @ self._images @ vector) if self._images is not None else 0.0
        if self._these_runs is not None:
            least = float(vector @ self._these_runs @ vector) - of_images
            if 0 < between_seeds < least:  # with the same degrees of freedom
                scatter *= (least / between_seeds) ** 2
            between_seeds = max(between_seeds, least)
        total = max(between_seeds, 0.0) + (of_images if images else 0.0)
        # Thousands of test images know their own variance well: only that between seeds is uncertain.
        return sqrt(max(total, 0.0)), inf if between_seeds <= 0 or scatter <= 0 else 2 * total**2 / scatter

    def difference(self, a: str, b: str, cell: Hashable, *, images: bool = True) -> Effect:
        """a minus b in a cell. A method is never compared with itself."""
        return self.effect(difference(a, b, cell), images=images)

    def mean(self, arm: str, cell: Hashable, *, images: bool = True) -> Effect:
        """An arm's mean in a cell."""
        return self.effect({(arm, cell): 1.0}, images=images)

    def arms(self, cell: Hashable) -> list[str]:
        """The arms with runs in a cell, in the order given."""
        return [arm for arm, of in self.points if of == cell]


def fit(observed: Iterable[Observed], *, equal: bool | None = None) -> Model:
    """Fit the model to runs; tables with missing runs included, values that are not finite left out.

    equal: whether one residual variance holds for all; None: it does unless Levene's test says that arms, or cells,
    differ. Then each arm (or cell) has its own, pooled over the rest of the table.
    Raises UserError where a run is given twice or there is none.
    """
    runs = [one for one in observed if isfinite(one.value)]
    with one_thread():
        return _fit(runs, equal)


def _fit(runs: Sequence[Observed], equal: bool | None) -> Model:
    if not runs:
        raise UserError("no runs to compare: none has a finite value")
    if len({run[:3] for run in runs}) < len(runs):
        twice = next(run for place, run in enumerate(runs) if run[:3] in {other[:3] for other in runs[:place]})
        raise UserError(f"{twice.arm!r} in cell {twice.cell!r}, seed {twice.seed!r}: given twice")
    points = tuple(dict.fromkeys((run.arm, run.cell) for run in runs))
    design = _indicator(runs, lambda run: (run.arm, run.cell))  # [N, P], columns in the order of `points`
    values = np.array([run.value for run in runs])
    counts = design.sum(axis=0)
    average = (design / counts).T  # [P, N]
    means = average @ values
    rest = values - design @ means
    homogeneity = _homogeneity(runs, rest, design @ counts > 1)
    by = None if equal else homogeneity.unequal
    if equal is False and by is None:
        by = "arm"
    patterns, pooled = _components(runs, None), True
    theta, spread = np.zeros(len(patterns)), None
    if len(runs) > len(points):
        if np.abs(rest).max() <= 1e-9 * max(1.0, np.abs(values).max()):  # repeated seeds that agree to the last digit
            spread = np.zeros((len(patterns),) * 2)
        else:
            pooled, patterns, theta, spread = _fitted(runs, values, design, by)
    return Model(
        points,
        means,
        dict(zip(points, counts.astype(int).tolist(), strict=True)),
        dict(zip(patterns, theta.tolist(), strict=True)),
        homogeneity,
        pooled,
        np.stack([spread_over(pattern, average) for pattern in patterns.values()]),
        spread,
    )


def _indicator(runs: Sequence[Observed], key: Callable[[Observed], Hashable]) -> np.ndarray:
    keys = [key(run) for run in runs]
    places = {one: place for place, one in enumerate(dict.fromkeys(keys))}
    return np.eye(len(places))[[places[one] for one in keys]]


def _components(runs: Sequence[Observed], by: Literal["arm", "cell"] | None) -> dict[str, np.ndarray]:
    """The variances that this table can tell apart: name -> its pattern (`Likelihood`).

    Where variances are unequal, what a seed does to all arms is not modelled (it lies in theirs, so that intervals are
    a little wide): with it, so many variances cannot be told apart.
    """
    shared = {
        "seed": _indicator(runs, lambda run: run.seed),
        "cell:seed": _indicator(runs, lambda run: (run.cell, run.seed)),
        "arm:seed": _indicator(runs, lambda run: (run.arm, run.seed)),
    }
    # One with as many draws as runs is the rest itself.
    found = {name: groups for name, groups in shared.items() if groups.shape[1] < len(runs)}
    if by is None:
        return found | {"rest": np.ones(len(runs))}
    place, whole = (0 if by == "arm" else 1), found.get("arm:seed")
    found = {"arm:seed": whole} if whole is not None and by == "cell" else {}
    for level in dict.fromkeys(run[place] for run in runs):
        rows = np.array([run[place] == level for run in runs])
        if whole is not None and by == "arm":  # what a seed does to an arm scales with the arm too
            found[f"arm:seed {level}"] = whole[:, whole[rows].any(axis=0)]
        found[f"rest {level}"] = rows.astype(float)
    return found


def _fitted(
    runs: Sequence[Observed], values: np.ndarray, design: np.ndarray, by: Literal["arm", "cell"] | None
) -> tuple[bool, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Whether the variance is pooled, the patterns, their variances and the covariance of these.

    What the runs cannot tell apart goes in turn: the shared variances, then separate ones (an arm with a single seed).
    """
    attempts = [(by, dropped) for dropped in range(2)] if by else []
    shared = ("seed", "cell:seed", "arm:seed")
    for separate, dropped in [*attempts, *((None, count) for count in range(4))]:
        without = shared[2 : 2 + dropped] if separate else shared[:dropped]
        patterns = {k: each for k, each in _components(runs, separate).items() if not k.startswith(without)}
        blocks = (
            _indicator(runs, lambda run: (run.arm, run.seed)) if separate else _indicator(runs, lambda run: run.seed)
        )
        found = Likelihood(values, design, blocks.argmax(axis=1), list(patterns.values())).maximum()
        if found is not None:
            return separate is None, patterns, *found
    raise AssertionError("a single variance can always be estimated where a seed was repeated")


def _homogeneity(runs: Sequence[Observed], rest: np.ndarray, repeated: np.ndarray) -> Homogeneity:
    def levene(place: int) -> float | None:
        groups: dict[Hashable, list[float]] = defaultdict(list)
        for run, value, several in zip(runs, rest, repeated, strict=True):
            if several:  # what is left of a single run is zero, whatever its variance
                groups[run[place]].append(float(value))
        large = [group for group in groups.values() if len(group) > 2 and np.ptp(group) > 0]
        return float(scipy.stats.levene(*large, center="median").pvalue) if len(large) > 1 else None

    return Homogeneity(levene(0), levene(1))
