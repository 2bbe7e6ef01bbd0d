"""Statistics of resampled test sets to first order in the weights.

Each is its value on the test set itself plus a mean of structural components, one an image. What is left out is of the
order of 1 / N, where a resampled set's value varies by 1 / sqrt(N). So thousands of draws are one matrix product; exact
ones would take a sum over all images for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
import scipy  # loads its parts when they are first used

from benchmarks.metrics.ranking import augrc, selective_risks
from common.errors import UserError
from reports.runs.geometry import centre, looked_at, silhouette
from reports.runs.stored import hardest
from reports.stats.images.statistics import Judged, Prepared


@dataclass(frozen=True)
class ErrorAuroc:
    """How well the uncertainty tells wrong images from right ones: AUROC, equal uncertainties counting one half."""

    def prepare(self, run: Judged) -> Prepared:
        """See Statistic."""
        if run.correct.all() or not run.correct.any():
            raise UserError("no AUROC of errors: the images are all right, or all wrong")
        return _auroc(run.uncertainty, ~run.correct.astype(bool), np.ones(len(run.correct), bool))


@dataclass(frozen=True)
class Aurc:
    """Area under the risk-coverage curve, equal uncertainties in expectation (benchmarks/metrics/ranking.py)."""

    def prepare(self, run: Judged) -> Prepared:
        """See Statistic. The mean of r_k = E_k / k over the places k, E_k the errors up to there."""
        size, wrong = len(run.correct), ~run.correct.astype(bool)
        risks, places = selective_risks(run.correct.astype(bool), run.uncertainty), np.arange(1, size + 1)
        own = np.cumsum((1 / places)[::-1])[::-1]  # what an error at a place adds to the risks from there on
        others = risks - np.cumsum((risks / places)[::-1])[::-1]
        group = np.unique(run.uncertainty, return_inverse=True)[1]
        own, others = (np.bincount(np.sort(group), part)[group] / np.bincount(group)[group] for part in (own, others))
        parts = others + wrong * own
        return _Linear(((parts - parts.mean()) / size).astype(np.float32)[None], float(risks.mean()))


@dataclass(frozen=True)
class Augrc:
    """Area under the generalized risk-coverage curve: errors that are accepted, averaged over coverage."""

    def prepare(self, run: Judged) -> Prepared:
        """See Statistic."""
        size, wrong = len(run.correct), (~run.correct.astype(bool)).astype(float)
        accepted = 1 - (scipy.stats.rankdata(run.uncertainty) - 0.5) / size  # how often an image is
        parts = wrong * accepted + (wrong.mean() - _above_less_below(run.uncertainty, wrong)) / 2
        value = augrc(run.correct.astype(bool), run.uncertainty)
        return _Linear(((parts - parts.mean()) / size).astype(np.float32)[None], value)


@dataclass(frozen=True)
class HardAuroc:
    """How well the uncertainty finds the images that annotators agree on least."""

    def prepare(self, run: Judged) -> Prepared:
        """See Statistic."""
        known = _with_votes(run)
        hard = np.zeros(len(known), bool)
        hard[known] = hardest(run.votes[known])  # type: ignore[index]
        if hard[known].all():
            raise UserError("no AUROC of hard images: annotators agree on all alike")
        return _auroc(run.uncertainty, hard, known)


@dataclass(frozen=True)
class VotesCorrelation:
    """Rank correlation of the uncertainty with the entropy of the votes, equal values sharing their ranks."""

    def prepare(self, run: Judged) -> Prepared:
        """See Statistic. rho = C / sqrt(A B), C the mean of a b, A that of a a, with a the centred ranks."""
        known = _with_votes(run)
        x, y = run.uncertainty[known], run.votes[known]  # type: ignore[index]
        size = len(x)
        a, b = ((2 * scipy.stats.rankdata(values) - size - 1) / size for values in (x, y))
        c, aa, bb = (a * b).mean(), (a * a).mean(), (b * b).mean()
        if not (aa and bb):
            raise UserError("no rank correlation: one of the two is constant")
        of_c = a * b + _above_less_below(x, b) + _above_less_below(y, a) - 3 * c
        of_aa, of_bb = (
            own**2 + 2 * _above_less_below(of, own) - 3 * part for of, own, part in ((x, a, aa), (y, b, bb))
        )
        rho = c / sqrt(aa * bb)
        away = np.zeros(len(known))
        away[known] = (of_c / sqrt(aa * bb) - rho / 2 * (of_aa / aa + of_bb / bb)) / size
        return _Linear(away.astype(np.float32)[None], rho)


@dataclass(frozen=True)
class ClassGap:
    """Mean accuracy of some classes minus that of all others."""

    names: tuple[str, ...]

    def prepare(self, run: Judged) -> Prepared:
        """See Statistic."""
        if run.classes is None:
            raise UserError("no accuracy by class: the classes are not known")
        every = np.unique(run.classes)
        own = np.isin(every, self.names)
        shares = np.where(own, 1 / max(own.sum(), 1), -1 / max((~own).sum(), 1))
        away, value = np.zeros(len(run.correct)), 0.0
        for name, share in zip(every, shares, strict=True):
            mine = run.classes == name
            accuracy = run.correct[mine].mean()
            value += float(share * accuracy)
            away[mine] = share * (run.correct[mine] - accuracy) / mine.sum()
        return _Linear(away.astype(np.float32)[None], value)


@dataclass(frozen=True)
class Geometry:
    """How the features of some test images lie: their silhouette, or who is near the centre."""

    of: Literal["silhouette", "centre"]

    def prepare(self, run: Judged) -> Prepared:
        """See Statistic."""
        arrays = run.arrays()
        if arrays is None or "test_features" not in arrays:
            raise UserError("no features are stored")
        rows, features, labels, uncertainty = looked_at(arrays)
        value, parts = silhouette(features, labels) if self.of == "silhouette" else centre(features, uncertainty)
        away = np.zeros(len(run.correct))
        away[rows] = parts
        return _Linear(away.astype(np.float32)[None], value)


def _with_votes(run: Judged) -> np.ndarray:
    """Which images [N] have votes. Raises UserError where none has."""
    if run.votes is None or np.isnan(run.votes).all():
        raise UserError("no votes of annotators")
    return ~np.isnan(run.votes)


def _auroc(uncertainty: np.ndarray, positive: np.ndarray, known: np.ndarray) -> _Linear:
    """AUROC of the `positive` among the `known` images; the components are DeLong's (Biometrics 1988)."""
    score, wrong = uncertainty[known], positive[known]
    right = ~wrong
    rank, share = scipy.stats.rankdata, np.empty(len(score))
    every = rank(score)
    share[wrong] = (every[wrong] - rank(score[wrong])) / right.sum()  # of the others, that lie below
    share[right] = 1 - (every[right] - rank(score[right])) / wrong.sum()  # of the positive ones, above
    auroc = float(share[wrong].mean())
    away = np.zeros(len(known))
    away[known] = (share - auroc) / np.where(wrong, wrong.sum(), right.sum())
    return _Linear(away.astype(np.float32)[None], auroc)


def _above_less_below(values: np.ndarray, summed: np.ndarray) -> np.ndarray:
    """Of each image [N], the sum of `summed` [N] over those of larger value less that over those of smaller, by N."""
    places = np.unique(values, return_inverse=True)[1]
    groups = np.bincount(places, summed)
    through = np.cumsum(groups)
    return ((through[-1] - through) - (through - groups))[places] / len(values)


@dataclass(frozen=True)
class _Linear:
    rows: np.ndarray
    value_here: float

    def value(self, sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return 100 * (self.value_here + sums[0].astype(np.float64))
