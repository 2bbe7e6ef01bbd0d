"""Numbers of a run on resampled test sets, thousands at a time: by weights, how often each image was drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple, Protocol

import numpy as np

from common.errors import UserError
from reports.runs.predictions import Arrays


class Judged(NamedTuple):
    """A run on a test set: correct [N] bool and the uncertainty [N] of each image, higher = less certain.

    classes [N]: each image's class, by name. votes [N]: the entropy of its annotators' votes, NaN where unknown.
    arrays: what is stored of it, read by those who need its features.
    """

    correct: np.ndarray
    uncertainty: np.ndarray
    classes: np.ndarray | None = None
    votes: np.ndarray | None = None
    arrays: Callable[[], Arrays | None] = lambda: None


class Statistic(Protocol):
    """A number of a run, in per cent, that can be taken on a weighted test set."""

    def prepare(self, run: Judged) -> Prepared:
        """Whatever does not depend on the weights, once a run."""


class Prepared(Protocol):
    """A run, ready for weights [N, B] uint8: how often each image is in each of B resampled test sets."""

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
        return _Kept(rows, kept, window, run.correct[window].astype(np.uint8), starts[first:last] - low)


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
        counts = weights[self.window]  # [W, B]
        kind = np.int16 if len(weights) < 2**15 else np.int32  # the smaller, the faster; no sum is above N
        total = np.cumsum(counts, axis=0, dtype=kind)
        hits = np.cumsum(np.multiply(counts, self.correct[:, None], out=counts), axis=0, dtype=kind)
        ends = np.r_[self.starts[1:], len(self.window)] - 1
        wanted = (self.kept - sums[0]).astype(kind)
        draws = np.arange(weights.shape[1])
        grouped = total if len(ends) == len(total) else total[ends]
        at = (grouped < wanted).sum(axis=0, dtype=kind)  # the group in which the limit lies
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
