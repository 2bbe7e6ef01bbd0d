"""What goes into a table's model and what comes out: runs, linear combinations of means, and effects with intervals."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from common.errors import UserError

ALPHA = 0.05
Point = tuple[str, Hashable]  # an arm in a cell
Weights = Mapping[Point, float]  # a linear combination of the means


class Observed(NamedTuple):
    """The value of one run.

    seed: equal for runs that share their chance. Seed 0 of two data sets is not the same seed: give (dataset, seed).
    """

    arm: str
    cell: Hashable
    seed: Hashable
    value: float


@dataclass(frozen=True)
class Effect:
    """An estimated difference (or mean), in the units of the values.

    None stands for what cannot be known: without repeated seeds there is no error. critical: how many standard errors
    the interval reaches to each side; p: two-sided, that the true value is 0, adjusted where the interval is
    simultaneous.
    """

    estimate: float
    error: float | None = None
    freedom: float | None = None
    critical: float | None = None
    p: float | None = None

    @property
    def low(self) -> float | None:
        """Lower end of the 95 % interval."""
        return None if self.error is None or self.critical is None else self.estimate - self.critical * self.error

    @property
    def high(self) -> float | None:
        """Upper end of the 95 % interval."""
        return None if self.error is None or self.critical is None else self.estimate + self.critical * self.error


def difference(a: str, b: str, cell: Hashable) -> dict[Point, float]:
    """The weights of a minus b in a cell."""
    if a == b:
        raise UserError(f"{a!r} is compared with itself")
    return {(a, cell): 1.0, (b, cell): -1.0}


def slope(places: Sequence[float]) -> list[float]:
    """The weights of the least-squares slope over these places, two of which differ."""
    away = np.asarray(places, dtype=np.float64) - np.mean(places)
    return [float(one) for one in away / (away @ away)]
