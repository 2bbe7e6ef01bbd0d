"""How much of a difference is the chance of which test images there are, and of which seeds.

Images are resampled by the bootstrap: one multinomial weight an image, the same for all runs on a test set (so a
difference is paired by image); draw k of every run is its value on the same resampled test set. From them follow

- `ImageDraws.covariance`: what the images add to the covariance of the means, for `Model.with_images`;
- `interval`: the hierarchical interval of a comparison, over seeds and images.

Seeds are *not* resampled with replacement. Of three seeds that gives ten samples; their variance is (n - 1) / n = 2/3
of what it should be, and its tails are the normal's instead of t's, so that intervals are too narrow (`python -m
reports.stats.simulate` prints by how much). The part of the seeds is drawn from Student's t instead, with the error and
the degrees of freedom of the table's model.

The parts are those of the multi-reader multi-case design (readers = seeds, cases = images; Obuchowski & Rockette 1995,
Hillis 2007). A run differs from another of the same arm also by what its seed makes of single images. The variance
between seeds has that in it already; counted again with the images it would make intervals too wide. So the
images' part is the covariance between runs of *different* seeds, which is free of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, sqrt
from typing import NamedTuple, Protocol

import numpy as np

from common.errors import UserError
from reports.stats.likelihood import one_thread
from reports.stats.model import ALPHA, Model, Point, Weights

DRAWS = 10_000
CHUNK = 500  # resampled test sets at a time: 500 x 10,000 images x 4 bytes = 20 MB
RunKey = tuple[str, Hashable, Hashable]  # arm, cell, seed


class Judged(NamedTuple):
    """A run on a test set: correct [N] bool and the uncertainty [N] of each image, higher = less certain."""

    correct: np.ndarray
    uncertainty: np.ndarray


class Statistic(Protocol):
    """A number of a run, in per cent, that can be taken on a weighted test set."""

    def prepare(self, run: Judged) -> Prepared:
        """Whatever does not depend on the weights, once a run."""


class Prepared(Protocol):
    """A run, ready for weights [N, B]: how often each image is in each of B resampled test sets."""

    @property
    def rows(self) -> np.ndarray:
        """[C, N] float32, whose weighted sums are wanted: of all runs in one matrix product."""

    def value(self, sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Values [B] from rows @ weights [C, B], and from the weights where that is not enough."""


@dataclass(frozen=True)
class Accuracy:
    """Share of correct images."""

    def prepare(self, run: Judged) -> Prepared:
        """See Statistic."""
        return _Mean(run.correct.astype(np.float32)[None])


@dataclass(frozen=True)
class _Mean:
    rows: np.ndarray

    def value(self, sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return 100 * sums[0].astype(np.float64) / self.rows.shape[1]


@dataclass(frozen=True)
class AfterRejection:
    """Accuracy once the round(rate x N) most uncertain images are rejected, equal ones in expectation.

    On a resampled test set that is exactly `accuracy_after_rejection` of that set (benchmarks/metrics/accuracy.py).
    """

    rate: float

    def prepare(self, run: Judged) -> Prepared:
        """See Statistic."""
        size = len(run.correct)
        kept = size - round(self.rate * size)
        if kept <= 0:
            raise UserError(f"rejecting {self.rate:g} of {size} images leaves none")
        order = np.argsort(run.uncertainty, kind="stable")
        ranked = run.uncertainty[order]
        starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        # The limit falls within so many images of its place in all but 1 of 10^11 resampled sets.
        reach = 7 * sqrt(size * (kept / size) * (1 - kept / size)) + 1
        first = int(np.searchsorted(starts, max(0, kept - reach), side="right")) - 1
        last = int(np.searchsorted(starts, min(size, kept + reach), side="left"))
        ends = np.r_[starts, size]
        low, high = int(ends[first]), int(ends[last])
        rows = np.zeros((2, size), dtype=np.float32)
        rows[0, order[:low]] = 1
        rows[1, order[:low]] = run.correct[order[:low]]
        window = order[low:high]
        return _Kept(rows, kept, window, run.correct[window].astype(np.float32), starts[first:last] - low)


@dataclass(frozen=True)
class _Kept:
    """rows: the images surely kept, and those of them that are correct. The limit lies among those of `window`, in
    order of uncertainty, where groups of equal uncertainty begin at `starts`."""

    rows: np.ndarray
    kept: int
    window: np.ndarray
    correct: np.ndarray
    starts: np.ndarray

    def value(self, sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
        counts = weights[self.window]  # [W, B]; whole numbers below 2^24, so that float32 is exact
        hits = np.cumsum(counts * self.correct[:, None], axis=0)
        total = np.cumsum(counts, axis=0, out=counts)
        ends = np.r_[self.starts[1:], len(self.window)] - 1
        draws = np.arange(weights.shape[1])
        at = (total[ends] < self.kept - sums[0]).sum(axis=0)  # the group in which the limit lies
        first, last = self.starts[at], ends[at]
        count, hit = (each[last, draws].astype(np.float64) for each in (total, hits))
        count_before, hit_before = (np.where(first > 0, each[first - 1, draws], 0) for each in (total, hits))
        part = (self.kept - sums[0] - count_before) / np.maximum(count - count_before, 1)
        return 100 * (sums[1] + hit_before + part * (hit - hit_before)) / self.kept


@dataclass(frozen=True)
class Rise:
    """What rejection adds to the accuracy."""

    rate: float

    def prepare(self, run: Judged) -> Prepared:
        """See Statistic."""
        return _Minus(AfterRejection(self.rate).prepare(run), Accuracy().prepare(run))


@dataclass(frozen=True)
class _Minus:
    a: Prepared
    b: Prepared

    @property
    def rows(self) -> np.ndarray:
        return np.concatenate([self.a.rows, self.b.rows])

    def value(self, sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
        split = len(self.a.rows)
        return self.a.value(sums[:split], weights) - self.b.value(sums[split:], weights)


@dataclass(frozen=True)
class ImageDraws:
    """Values of every run on the same resampled test sets: (arm, cell, seed) -> [draws], less their own mean."""

    values: Mapping[RunKey, np.ndarray]

    def covariance(self, points: Sequence[Point]) -> np.ndarray:
        """What the images add to the covariance of the means of these arms and cells: [P, P]. See `over_seeds`."""
        keys = [key for key in self.values if key[:2] in set(points)]
        draws = np.stack([self.values[key] for key in keys]) if keys else np.zeros((0, 1))  # [R, B]
        with one_thread():
            between = draws @ draws.T / draws.shape[1]
        return over_seeds(between, keys, points)

    def of(self, points: Sequence[Point]) -> np.ndarray:
        """The mean over seeds of each of these arms and cells: [P, draws]."""
        return np.stack([np.mean([draw for key, draw in self.values.items() if key[:2] == one], 0) for one in points])


def over_seeds(between: np.ndarray, keys: Sequence[RunKey], points: Sequence[Point]) -> np.ndarray:
    """From the runs' covariance over images [R, R] to what images add to that of the means [P, P].

    Between two arms or cells, and within one, it is the mean over the pairs of runs of different seeds; with one seed
    in all, that of the run itself. Raises UserError for a point without runs.
    """
    member = np.array([[key[:2] == point for key in keys] for point in points], dtype=float).reshape(len(points), -1)
    for point, runs in zip(points, member, strict=True):
        if not runs.any():
            raise UserError(f"no predictions of {point[0]!r} in cell {point[1]!r}")
    other = np.array([[a[2] != b[2] for b in keys] for a in keys], dtype=float)
    pairs = member @ other @ member.T
    everything = member @ between @ member.T / np.outer(member.sum(1), member.sum(1))
    return np.where(pairs > 0, member @ (between * other) @ member.T / np.maximum(pairs, 1), everything)


def image_draws(
    runs: Mapping[RunKey, Judged], statistic: Statistic, *, draws: int = DRAWS, seed: int = 0
) -> ImageDraws:
    """Resample the test set of these runs, all of one data set and of the same images in the same order.

    The same seed gives the same test sets for any statistic: draws of several may be subtracted.
    Raises UserError where the runs have different numbers of images.
    """
    sizes = {key: len(run.correct) for key, run in runs.items()}
    if len(set(sizes.values())) != 1:
        counts = ", ".join(str(size) for size in sorted(set(sizes.values())))
        raise UserError(f"runs that are paired by image need one test set; these have {counts or 'no'} images")
    prepared = [statistic.prepare(run) for run in runs.values()]
    rows = np.concatenate([one.rows for one in prepared])
    places = list(pairwise(np.cumsum([0, *(len(one.rows) for one in prepared)])))
    found: list[np.ndarray] = []
    with one_thread():
        for weights in _weights(rows.shape[1], draws, seed):
            sums = rows @ weights
            found.append(
                np.stack([one.value(sums[a:b], weights) for one, (a, b) in zip(prepared, places, strict=True)])
            )
    values = np.concatenate(found, axis=1)
    values -= values.mean(axis=1, keepdims=True)
    return ImageDraws(dict(zip(runs, values, strict=True)))


def _weights(images: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each image is in each resampled test set, [N, <= CHUNK] at a time."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, CHUNK):
        rows = min(CHUNK, draws - start)
        drawn = rng.integers(images, size=(rows, images), dtype=np.int32) + images * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images)
        yield np.ascontiguousarray(counts.T, dtype=np.float32)


def interval(model: Model, images: ImageDraws, weights: Weights, *, seed: int = 0) -> tuple[float, float] | None:
    """95 % interval of a comparison, over seeds and test images: (low, high), or None where no seed was repeated.

    model: of the same values in per cent; its own images' part, if any, is not used. Each draw is the estimate, plus
    Student's t for the seeds, plus the comparison's value on a resampled test set, less its mean, scaled to the images'
    part (see above). Percentiles of as many draws as `images` has.
    """
    vector = model.vector(weights)
    error, freedom = model.error(vector, images=False)
    if error is None or freedom is None:
        return None
    points = [point for point, weight in zip(model.points, vector, strict=True) if weight]
    used = vector[vector != 0]
    deviation = used @ images.of(points)
    part = max(0.0, float(used @ images.covariance(points) @ used))
    spread = float(deviation.std())
    if spread > 0:
        deviation = deviation * (sqrt(part) / spread)
    rng = np.random.default_rng(seed)
    student = rng.standard_t(freedom, len(deviation)) if isfinite(freedom) else rng.standard_normal(len(deviation))
    center = float(vector @ model.means)
    low, high = np.quantile(center + error * student + deviation, (ALPHA / 2, 1 - ALPHA / 2))
    return float(low), float(high)
