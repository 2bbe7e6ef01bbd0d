"""How much of a difference is the chance of which test images there are, and of which seeds.

Images are resampled by the bootstrap: one multinomial weight an image, the same for all runs on a test set (so a
difference is paired by image); draw k of every run is its value on the same resampled test set. From them follow

- `images_part`: what the images add to the covariance of the means, for `Model.with_images`;
- `interval`: the hierarchical interval of one comparison, over seeds and images, which the simulation compares with.

Seeds are *not* resampled with replacement. Of three seeds that gives ten samples; their variance is (n - 1) / n = 2/3
of what it should be, and its tails are the normal's instead of t's: alone it makes 23 % false findings instead of 5 %.
With the images it counts what seeds make of single images up to three times (Owen, *The pigeonhole bootstrap*, 2007):
two errors that cancel where the test set happens to be of the right size. The part of the seeds is drawn from Student's
t instead, with the error and the degrees of freedom of the table's model. `python -m reports.stats.simulate` compares.

The parts are those of the multi-reader multi-case design (readers = seeds, cases = images; Obuchowski & Rockette 1995,
Hillis 2007). A run differs from another of the same arm also by what its seed makes of single images. The variance
between seeds has that in it already; counted again with the images it would make intervals too wide. So the
images' part is the covariance between runs of *different* seeds, which is free of it. What these runs have beyond that
is what seeds make of single images, the least that the variance between seeds can be (`Model.with_images`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import isfinite, sqrt

import numpy as np

from common.errors import UserError
from reports.stats.effects import ALPHA, Point, Weights
from reports.stats.images.statistics import Judged, Statistic
from reports.stats.likelihood import one_thread
from reports.stats.model import Model

DRAWS = 10_000
CHUNK = 500  # resampled test sets at a time: 500 x 10,000 images x 4 bytes = 20 MB
KEPT = 2**28  # bytes that the resampled test sets of one size may take to be kept for the next statistic
RunKey = tuple[str, Hashable, Hashable]  # arm, cell, seed


@dataclass(frozen=True)
class ImageDraws:
    """Values of every run on the same resampled test sets: (arm, cell, seed) -> [draws], less their own mean."""

    values: Mapping[RunKey, np.ndarray]

    def covariance(self, points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
        """Covariance over images of the means of these arms and cells, [P, P] each; see `over_seeds`."""
        keys = [key for key in self.values if key[:2] in set(points)]
        draws = np.stack([self.values[key] for key in keys]) if keys else np.zeros((0, 1))  # [R, B]
        with one_thread():
            between = draws @ draws.T / draws.shape[1]
        return over_seeds(between, keys, points)

    @property
    def points(self) -> set[Point]:
        """The arms and cells that have runs."""
        return {(arm, cell) for arm, cell, _ in self.values}

    def of(self, points: Sequence[Point]) -> np.ndarray:
        """The mean over seeds of each of these arms and cells: [P, draws]."""
        return np.stack([np.mean([draw for key, draw in self.values.items() if key[:2] == one], 0) for one in points])


def images_part(points: Sequence[Point], sets: Sequence[ImageDraws]) -> tuple[np.ndarray, np.ndarray]:
    """`ImageDraws.covariance` [P, P] each, of a table over several test sets, which have nothing to do with each other.

    Raises UserError for a point that is in none of them.
    """
    over_all, of_these = np.zeros((2, len(points), len(points)))
    for place, point in enumerate(points):
        if not any(point in one.points for one in sets):
            raise UserError(f"no predictions of {points[place][0]!r} in cell {point[1]!r}")
    for one in sets:
        own = [place for place, point in enumerate(points) if point in one.points]
        if own:
            over_all[np.ix_(own, own)], of_these[np.ix_(own, own)] = one.covariance([points[place] for place in own])
    return over_all, of_these


def over_seeds(between: np.ndarray, keys: Sequence[RunKey], points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
    """From the covariance of runs over images [R, R] to that of means: over all seeds, and of these runs. [P, P] each.

    Over all seeds it is, between two arms or cells and within one, the mean over the pairs of runs of different seeds;
    with one seed in all, that of the run itself. Raises UserError for a point without runs.
    """
    member = np.array([[key[:2] == point for key in keys] for point in points], dtype=float).reshape(len(points), -1)
    for point, runs in zip(points, member, strict=True):
        if not runs.any():
            raise UserError(f"no predictions of {point[0]!r} in cell {point[1]!r}")
    other = np.array([[a[2] != b[2] for b in keys] for a in keys], dtype=float)
    pairs = member @ other @ member.T
    these = member @ between @ member.T / np.outer(member.sum(1), member.sum(1))
    return np.where(pairs > 0, member @ (between * other) @ member.T / np.maximum(pairs, 1), these), these


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
        for weights in _resampled(rows.shape[1], draws, seed):
            sums = rows @ weights.astype(np.float32)
            found.append(
                np.stack([one.value(sums[a:b], weights) for one, (a, b) in zip(prepared, places, strict=True)])
            )
    values = np.concatenate(found, axis=1)
    values -= values.mean(axis=1, keepdims=True)
    return ImageDraws(dict(zip(runs, values, strict=True)))


def _resampled(images: int, draws: int, seed: int) -> Iterable[np.ndarray]:
    """`_weights`, kept where they are not too many: drawing them takes longer than all that is made of them."""
    return _kept(images, draws, seed) if images * draws <= KEPT else _weights(images, draws, seed)


@lru_cache(maxsize=2)
def _kept(images: int, draws: int, seed: int) -> tuple[np.ndarray, ...]:
    return tuple(_weights(images, draws, seed))


def _weights(images: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each image is in each resampled test set, [N, <= CHUNK] uint8 at a time."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, CHUNK):
        rows = min(CHUNK, draws - start)
        drawn = rng.integers(images, size=(rows, images), dtype=np.int32)
        drawn += images * np.arange(rows, dtype=np.int32)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * images).astype(np.uint8)
        yield np.ascontiguousarray(counts.reshape(rows, images).T)


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
    part = max(0.0, float(used @ images.covariance(points)[0] @ used))
    spread = float(deviation.std())
    if spread > 0:
        deviation = deviation * (sqrt(part) / spread)
    rng = np.random.default_rng(seed)
    student = rng.standard_t(freedom, len(deviation)) if isfinite(freedom) else rng.standard_normal(len(deviation))
    center = float(vector @ model.means)
    low, high = np.quantile(center + error * student + deviation, (ALPHA / 2, 1 - ALPHA / 2))
    return float(low), float(high)
