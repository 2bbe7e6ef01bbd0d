"""Means and intervals over seeds. Small samples are named as such: one seed has no deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, sqrt

import numpy as np

from reports.stats.effects import ALPHA


@dataclass(frozen=True)
class Summary:
    """Of n defined values: mean, sample standard deviation (ddof = 1), 95 % t interval of the mean; None: undefined."""

    n: int
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None


def interval(mean: float, sd: float, n: int) -> tuple[float, float]:
    """95 % interval of the mean by Student's t with n - 1 degrees of freedom; n >= 2."""
    from scipy.stats import t

    half = float(t.ppf(1 - ALPHA / 2, n - 1)) * sd / sqrt(n)
    return mean - half, mean + half


def summary(values: Sequence[float]) -> Summary:
    """Summary of the values that are defined (NaN is left out, and does not count)."""
    defined = np.asarray([value for value in values if not isnan(value)], dtype=np.float64)
    if len(defined) == 0:
        return Summary(0)
    mean = float(defined.mean())
    if len(defined) == 1:
        return Summary(1, mean)
    # Equal values: no deviation, rather than the rounding error of their mean.
    sd = 0.0 if np.ptp(defined) == 0 else float(defined.std(ddof=1))
    return Summary(len(defined), mean, sd, *interval(mean, sd, len(defined)))
