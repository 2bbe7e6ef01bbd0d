"""What may be said of a comparison: four outcomes with a margin, equivalence, and whether cells agree.

Not for two kinds of numbers: what cannot be negative (best epoch minus last) is described, never tested; and a method
is not compared with itself (`model.difference` refuses it).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy  # loads its parts when they are first used

from common.errors import UserError
from reports.stats.effects import ALPHA, Effect, difference
from reports.stats.model import Model

MARGIN = 1.0  # points: what is smaller does not matter
POWER = 0.8
Outcome = Literal["supported", "opposed", "equivalent", "undecided"]


@dataclass(frozen=True)
class Ruling:
    """An effect's outcome. detectable: of an undecided one, the smallest true difference that these runs find with 80 %
    power; None where it is decided, or rests on one seed."""

    outcome: Outcome
    effect: Effect
    margin: float
    detectable: float | None = None


def rule(effect: Effect, runs: int, *, sign: int = 1, margin: float = MARGIN) -> Ruling:
    """The outcome of an effect that is claimed to be above zero, or below where `sign` is -1.

    equivalent: the interval lies within the margin, on one side of zero or not; else supported or opposed: it excludes
    zero; else undecided. runs: of the side with fewest; of one there is no interval: what the model knows of seeds is
    other cells', and that this cell's differ as much nothing shows. Raises UserError unless the margin is above zero.
    """
    _positive(margin)
    effect = effect if runs > 1 else Effect(effect.estimate)
    low, high = effect.low, effect.high
    if low is None or high is None:
        return Ruling("undecided", effect, margin)
    if -margin < low and high < margin:
        return Ruling("equivalent", effect, margin)
    if low > 0 or high < 0:
        return Ruling("supported" if (low > 0) == (sign > 0) else "opposed", effect, margin)
    return Ruling("undecided", effect, margin, detectable(effect))


def detectable(effect: Effect, power: float = POWER) -> float | None:
    """The smallest true difference whose interval excludes zero, on its own side, with this probability.

    By the noncentral t distribution, at the effect's own critical value: a simultaneous interval finds less.
    """
    if effect.error is None or effect.freedom is None or effect.critical is None:
        return None
    freedom = min(effect.freedom, 1e6)
    return float(scipy.special.nctdtrinc(freedom, 1 - power, effect.critical)) * effect.error


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests (TOST): whether a difference lies within the margin.

    low, high: the 90 % interval, which lies within the margin just where p < 5 %. "different": the 95 % interval
    excludes zero and the 90 % interval is not within the margin. None where there is no error to test with.
    """

    outcome: Literal["equivalent", "different", "undecided"]
    difference: float
    margin: float
    low: float | None = None
    high: float | None = None
    p: float | None = None


def equivalence(
    effect: Effect, published: float = 0.0, *, published_error: float = 0.0, margin: float = MARGIN
) -> Equivalence:
    """Whether an effect (a mean of ours, say) equals a published number to within the margin.

    published_error: the published mean's standard error (its deviation over the root of its runs), where the paper
    gives it; 0 takes the number as it stands. The test set is the same, so use an effect without the images' part.
    Raises UserError where the margin is not above zero.
    """
    _positive(margin)
    gap = effect.estimate - published
    if effect.error is None or effect.freedom is None:
        return Equivalence("undecided", gap, margin)
    error = float(np.hypot(effect.error, published_error))
    if error == 0:
        return Equivalence("equivalent" if abs(gap) < margin else "different", gap, margin, gap, gap)
    # Satterthwaite, the published error taken as known
    freedom = effect.freedom * (error / effect.error) ** 4 if effect.error else np.inf
    freedom = min(freedom, 1e9)
    reach = float(scipy.special.stdtrit(freedom, 1 - ALPHA)) * error
    p = float(scipy.special.stdtr(freedom, (abs(gap) - margin) / error))
    outcome: Literal["equivalent", "different", "undecided"] = "undecided"
    if p < ALPHA:
        outcome = "equivalent"
    elif abs(gap) > float(scipy.special.stdtrit(freedom, 1 - ALPHA / 2)) * error:
        outcome = "different"
    return Equivalence(outcome, gap, margin, gap - reach, gap + reach, p)


@dataclass(frozen=True)
class Agreement:
    """Whether a difference is the same in all cells (an F test of the interaction).

    common: the mean over the cells, None where they disagree, or where no test is possible: effects of cells that
    disagree are shown apart, never averaged.
    """

    cells: dict[Hashable, Effect]
    p: float | None
    common: Effect | None

    @property
    def heterogeneous(self) -> bool:
        """Whether the cells disagree."""
        return self.p is not None and self.p < ALPHA


def agreement(model: Model, a: str, b: str, cells: Sequence[Hashable] | None = None) -> Agreement:
    """Test whether a minus b is the same in these cells (all cells with both, if None). One cell agrees with itself.

    Raises UserError where a is b, or has no runs in a cell that is named.
    """
    if cells is None:
        known = set(model.points)
        places = dict.fromkeys(cell for _, cell in model.points)
        cells = [cell for cell in places if (a, cell) in known and (b, cell) in known]
    if not cells:
        raise UserError(f"no cell has runs of both {a!r} and {b!r}")
    vectors = np.stack([model.vector(difference(a, b, cell)) for cell in cells])
    effects = {cell: model.effect(vector) for cell, vector in zip(cells, vectors, strict=True)}
    mean = model.effect(vectors.mean(axis=0))
    if len(cells) == 1:
        return Agreement(effects, None, mean)
    p = _interaction(model, vectors)
    return Agreement(effects, p, mean if p is not None and p >= ALPHA else None)


def _interaction(model: Model, vectors: np.ndarray) -> float | None:
    """p of the F test that all linear combinations [L, P] are equal; degrees of freedom as Fai & Cornelius (1996)."""
    contrasts = vectors[1:] - vectors[:-1]
    covariance = model.covariance(contrasts)
    values, axes = np.linalg.eigh(covariance)
    if values[0] <= 1e-12 * max(values[-1], 1e-300):
        return None
    apart = axes.T @ contrasts  # independent contrasts
    freedom = [model.error(one)[1] for one in apart]
    if any(one is None for one in freedom):
        return None
    count = len(values)
    f = float(((apart @ model.means) ** 2 / values).sum()) / count
    shares = sum(one / (one - 2) if np.isfinite(one) else 1.0 for one in freedom if one is not None and one > 2)
    within = 2 * shares / (shares - count) if shares > count else min(one for one in freedom if one is not None)
    return float(scipy.special.fdtrc(count, min(within, 1e9), f))


def _positive(margin: float) -> None:
    if not 0 < margin < float("inf"):
        raise UserError(f"margin {margin:g}: must be above zero, in points")
