"""Simultaneous intervals: how far apart arms must be when several are compared at once.

The intervals of a family hold together with 95 %: each reaches `critical` standard errors to both sides, `critical`
being the 95 % quantile of the largest |t| of the family when nothing differs. All pairs of a column: Tukey. All against
one arm: Dunnett. The largest |t| is sampled from the multivariate t distribution with the model's own correlations, at
32,768 points of a Sobol sequence with a fixed seed: right for missing runs and for the images' part too, and the same
at every call. SciPy's studentized_range and multivariate_t agree to the second decimal (tests) and need 30 to 400 ms
for each number.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from math import ceil, floor
from typing import Literal

import numpy as np
import scipy  # loads its parts when they are first used

from common.errors import UserError
from reports.stats.effects import ALPHA, Effect, Weights, difference
from reports.stats.likelihood import one_thread
from reports.stats.model import Model

Pair = tuple[str, str]
POINTS = 2**15
_DIMENSIONS = 64  # for families of up to 63 comparisons of one rank; a larger one takes as many as it needs
_RARE = 100  # below so many of the points a tail is not known well


def tukey(model: Model, cell: Hashable) -> dict[Pair, Effect]:
    """All pairs of a cell: (a, b) -> a minus b, with the 95 % intervals that hold for all of them together."""
    pairs = list(combinations(model.arms(cell), 2))
    effects = simultaneous(model, [difference(a, b, cell) for a, b in pairs])
    return dict(zip(pairs, effects, strict=True))


def dunnett(model: Model, cell: Hashable, control: str) -> dict[str, Effect]:
    """All other arms of a cell against one: arm -> arm minus control, with simultaneous 95 % intervals.

    Raises UserError where the control has no runs in the cell.
    """
    arms = model.arms(cell)
    if control not in arms:
        raise UserError(f"no runs of {control!r} in cell {cell!r}; there are {', '.join(arms) or 'none'}")
    others = [arm for arm in arms if arm != control]
    effects = simultaneous(model, [difference(arm, control, cell) for arm in others])
    return dict(zip(others, effects, strict=True))


def simultaneous(model: Model, family: Sequence[Weights | np.ndarray]) -> list[Effect]:
    """The effects of any family of linear combinations, e.g. one pair in several cells, with joint 95 % intervals."""
    vectors = [one if isinstance(one, np.ndarray) else model.vector(one) for one in family]
    effects = [model.effect(vector) for vector in vectors]
    usable = [place for place, effect in enumerate(effects) if effect.error]
    if len(usable) < 2:
        return effects
    covariance = model.covariance(np.stack([vectors[place] for place in usable]))
    scale = np.sqrt(np.diag(covariance))
    # Nearly always one number; where not, the smallest is the safe one.
    freedom = min(effects[place].freedom or np.inf for place in usable)
    largest = largest_t(covariance / np.outer(scale, scale), freedom)
    critical = float(largest[ceil((1 - ALPHA) * len(largest)) - 1])
    for place in usable:
        effect = effects[place]
        adjusted = adjusted_p(abs(effect.estimate) / (effect.error or 1), largest, len(usable), effect.p or 0.0)
        effects[place] = replace(effect, critical=critical, p=adjusted)
    return effects


def adjusted_p(t: float, largest: np.ndarray, comparisons: int, alone: float) -> float:
    """Share of the sorted sample `largest` that reaches t; Bonferroni's bound where that is smaller or few reach it."""
    above = len(largest) - int(np.searchsorted(largest, t))
    bound = min(1.0, comparisons * alone)
    return bound if above < _RARE else min(bound, above / len(largest))


def largest_t(correlation: np.ndarray, freedom: float) -> np.ndarray:
    """Sorted sample of the largest |t| of K correlated t variables with common degrees of freedom.

    These are rounded down, to a tenth or to a whole number from 30, so that few values serve all tables.
    """
    rounded = np.inf if freedom > 1e4 else floor(freedom) if freedom >= 30 else floor(10 * freedom + 1e-6) / 10
    return _largest_t(correlation.round(6).tobytes(), len(correlation), max(rounded, 0.1))


@lru_cache(maxsize=256)
def _largest_t(correlation: bytes, size: int, freedom: float) -> np.ndarray:
    root = _root(np.frombuffer(correlation).reshape(size, size))
    normal = _normal(root.shape[1])
    with one_thread():
        largest = np.abs(normal[:, 1:] @ root.T).max(axis=1)
    return np.sort(largest / _chi(freedom) if np.isfinite(freedom) else largest)


def _root(correlation: np.ndarray) -> np.ndarray:
    """R [K, rank] with R R' = correlation: Cholesky's, without the columns of variables that those before them decide.

    It is unique. Eigenvectors of equal eigenvalues, which these matrices have, are not: another processor's library
    finds others, and with them another sample, whose quantile is up to half a per cent away.
    """
    rest, columns = correlation.copy(), []
    for place in range(len(rest)):
        if rest[place, place] > 1e-4:
            column = rest[:, place] / np.sqrt(rest[place, place])
            rest -= np.outer(column, column)
            columns.append(column)
    return np.stack(columns, axis=1)


@lru_cache(maxsize=256)
def _chi(freedom: float) -> np.ndarray:
    """The root of chi-square over its degrees of freedom at the points' first coordinate, the same for any rank."""
    grid = np.linspace(-7.2, 7.2, 2001)  # smooth in it: exact to six digits, and twenty times faster than each point
    return np.interp(_normal(1)[:, 0], grid, np.sqrt(scipy.stats.chi2.ppf(scipy.special.ndtr(grid), freedom) / freedom))


@lru_cache(maxsize=32)
def _normal(dimensions: int) -> np.ndarray:
    """[POINTS, 1 + dimensions] standard normal: the first column for chi, the others for t's numerators."""
    uniform = scipy.stats.qmc.Sobol(max(_DIMENSIONS, 1 + dimensions), seed=0).random(POINTS)[:, : 1 + dimensions]
    return scipy.special.ndtri(np.clip(uniform, 1e-12, 1 - 1e-12)).astype(np.float64)


@dataclass(frozen=True)
class Marks:
    """Which arms of a cell may be called best. best: the one with the highest mean; ties: not told apart from it."""

    best: str
    ties: tuple[str, ...]

    def of(self, arm: str) -> Literal["best", "tie", ""]:
        """How an arm is marked: "best" where it alone is, "tie" for all of several."""
        if arm != self.best and arm not in self.ties:
            return ""
        return "tie" if self.ties else "best"


def marks(model: Model, cell: Hashable, pairs: Mapping[Pair, Effect] | None = None) -> Marks | None:
    """The best of a cell's arms with several seeds, by Tukey's intervals; None where there are no two of them, or no
    error to tell them apart with."""
    arms = [arm for arm in model.arms(cell) if model.runs[arm, cell] > 1]
    pairs = tukey(model, cell) if pairs is None else pairs
    if len(arms) < 2 or any(effect.low is None for effect in pairs.values()):
        return None
    best = max(arms, key=lambda arm: model.mean(arm, cell).estimate)
    against = {(b if a == best else a): effect for (a, b), effect in pairs.items() if best in (a, b)}
    ties = [arm for arm in arms if arm in against and (against[arm].low or 0) <= 0 <= (against[arm].high or 0)]
    return Marks(best, tuple(ties))
