"""Means, intervals and paired tests over seeds. Small samples are named as such: one seed has no deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan, sqrt
from typing import Any

import numpy as np

ALPHA = 0.05


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


def paired_p(a: Mapping[Any, float], b: Mapping[Any, float]) -> float | None:
    """Two-sided p of a paired t test over the seeds (or other keys) both have. None where there is nothing to test.

    Fewer than two common seeds, or differences that are all the same number but not zero (no spread to compare with),
    give None; differences that are all zero give 1.
    """
    from scipy.stats import t

    common = [seed for seed in a if seed in b and not isnan(a[seed]) and not isnan(b[seed])]
    difference = np.array([a[seed] - b[seed] for seed in common], dtype=np.float64)
    if len(difference) < 2:
        return None
    if not difference.any():
        return 1.0
    spread = float(difference.std(ddof=1))
    if spread <= 1e-12 * float(np.abs(difference).max()):
        return None
    statistic = float(difference.mean()) / (spread / sqrt(len(difference)))
    return float(2 * t.sf(abs(statistic), len(difference) - 1))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment over the tests that exist; None stays None. Adjusted p is at most 1."""
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, (p, index) in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p))
        adjusted[index] = running
    return adjusted


def rank_marks(samples: Mapping[str, Mapping[int, float]]) -> dict[str, str]:
    """Which of several arms is best: "best" only where significant, "tie" where not told apart from the best.

    samples: arm -> {seed: value}, higher is better. All pairs are tested (the best is chosen after looking, so tests
    against it alone would be too lenient) and Holm-corrected together. Arms that no test reaches get "", and nothing
    is called best while an arm has no value.
    """
    means = {name: summary(list(values.values())).mean for name, values in samples.items()}
    known = [name for name, mean in means.items() if mean is not None]
    marks = dict.fromkeys(samples, "")
    if len(known) < 2:
        return marks
    pairs = list(combinations(known, 2))
    adjusted = holm([paired_p(samples[a], samples[b]) for a, b in pairs])
    p = {frozenset(pair): value for pair, value in zip(pairs, adjusted, strict=True)}
    best = max(known, key=lambda name: means[name] or 0.0)
    against = {name: p[frozenset((best, name))] for name in known if name != best}
    ties = [name for name, value in against.items() if value is not None and value >= ALPHA]
    if len(known) == len(samples) and all(value is not None and value < ALPHA for value in against.values()):
        marks[best] = "best"
    elif ties:
        marks.update(dict.fromkeys([best, *ties], "tie"))
    return marks


def within_slope(groups: Sequence[Sequence[tuple[float, float]]]) -> tuple[float | None, float | None]:
    """Slope of y over x common to all groups of (x, y), each with a level of its own, and its two-sided p.

    Least squares with one intercept a group; t test with N - groups - 1 degrees of freedom. None where undefined.
    """
    from scipy.stats import t

    centered = [np.array(group, dtype=np.float64) - np.mean(group, axis=0) for group in groups]
    x, y = np.concatenate(centered).T if centered else (np.zeros(0), np.zeros(0))
    if not x.any():
        return None, None
    slope = float((x * y).sum() / (x * x).sum())
    freedom = len(x) - len(groups) - 1
    error = float(((y - slope * x) ** 2).sum())
    if freedom < 1 or error <= 1e-18 * float((y * y).sum()):
        return slope, None
    return slope, float(2 * t.sf(abs(slope) / sqrt(error / freedom / float((x * x).sum())), freedom))
