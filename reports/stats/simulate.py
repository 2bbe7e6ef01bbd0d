"""Calibration by simulation: `python -m reports.stats.simulate` prints what our tests find where nothing is, and
where something is.

Tables like ours are drawn: arms x cells x seeds, cells that share a seed correlate (0.47 as measured on the released
runs), the flips of one noise level are among those of the next (arms correlate within a cell and seed, 0.18), and a
deviation of 0.75 points between seeds. With images: a test set is drawn too, on which easy and hard images, arms that
are better at some images, and seeds all decide what is correct.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats

from reports.stats.effects import ALPHA, Effect, Observed, difference
from reports.stats.images.bootstrap import ImageDraws, RunKey, image_draws, interval, over_seeds
from reports.stats.images.statistics import Accuracy, Judged
from reports.stats.intervals import dunnett, tukey
from reports.stats.likelihood import one_thread
from reports.stats.model import fit
from reports.stats.outcome import agreement, equivalence, rule

DEVIATION = 0.75  # points between seeds, of Table 1's released runs
BETWEEN_CELLS = 0.47  # correlation of an arm's cells that share a seed
BETWEEN_ARMS = 0.18  # correlation of the arms of a cell that share a seed


@dataclass(frozen=True)
class Design:
    """Tables to draw. missing: share of runs left out; factors: how much more the first arms vary than the others."""

    seeds: int
    arms: int = 5
    cells: int = 3
    missing: float = 0.0
    factors: tuple[float, ...] = ()

    def draw(self, rng: np.random.Generator) -> list[Observed]:
        """A table in which no two arms differ, in points."""
        shape = self.arms, self.cells, self.seeds
        common, own = sqrt(BETWEEN_ARMS / 2), sqrt(1 - BETWEEN_ARMS)
        noise = rng.standard_normal((1, 1, self.seeds)) + rng.standard_normal((1, *shape[1:]))
        arm = sqrt(BETWEEN_CELLS) * rng.standard_normal((self.arms, 1, self.seeds))
        rest = sqrt(1 - BETWEEN_CELLS) * rng.standard_normal(shape)
        factor = np.ones(self.arms)
        factor[: len(self.factors)] = self.factors
        values = DEVIATION * (common * noise + own * factor[:, None, None] * (arm + rest))
        kept = rng.random(shape) >= self.missing
        kept[..., :2] |= self.missing > 0  # two runs at least
        return [
            Observed(f"arm {a}", c, s, float(values[a, c, s])) for a, c, s in np.ndindex(*shape) if kept[a, c, s]
        ]  # fmt: skip


@dataclass
class Counter:
    """How often something happened."""

    hits: float = 0
    trials: int = 0

    def add(self, hit: bool | np.bool_) -> None:
        """Count a trial."""
        self.hits, self.trials = self.hits + bool(hit), self.trials + 1

    @property
    def percent(self) -> float:
        """Share of the trials, in per cent."""
        return 100 * self.hits / max(1, self.trials)

    @property
    def error(self) -> float:
        """Monte Carlo standard error of `percent` where the truth is 5 %, taking all trials as independent."""
        return 100 * sqrt(0.05 * 0.95 / max(1, self.trials))


def found(effect: Effect, shift: float = 0.0) -> bool:
    """Whether the interval excludes zero on the side of a true difference `shift` (0: on either side).

    An interval moves with the truth, so that one drawn table serves all differences.
    """
    low, high = effect.low, effect.high
    if low is None or high is None:
        return False
    return low + shift > 0 if shift else low > 0 or high < 0


def tables(design: Design, count: int, differences: Sequence[float] = (1, 2, 3), seed: int = 0) -> dict[str, Counter]:
    """Draw `count` tables; name -> how often. Of a column, a table or a comparison, as the names say."""
    rng = np.random.default_rng(seed)
    result: dict[str, Counter] = {}

    def tally(name: str, hit: bool | np.bool_) -> None:
        result.setdefault(name, Counter()).add(hit)

    for _ in range(count):
        runs = design.draw(rng)
        model = fit(runs)
        cells = sorted({run.cell for run in runs}, key=str)
        columns = [tukey(model, cell) for cell in cells]
        against = [dunnett(model, cell, "arm 0") for cell in cells]
        alone = [model.difference("arm 1", "arm 0", cell) for cell in cells]
        for column, control, single in zip(columns, against, alone, strict=True):
            tally("false: any of a column's pairs (Tukey)", any(map(found, column.values())))
            tally("false: any against one arm (Dunnett)", any(map(found, control.values())))
            tally("false: one comparison", found(single))
            tally(
                "false: equivalent, true difference 1 point",
                rule(_moved(single, 1.0), design.seeds).outcome == "equivalent",
            )
            tally("false: TOST, true difference 1 point", equivalence(_moved(single, 1.0)).outcome == "equivalent")
            for size in differences:
                tally(f"power, {size:g} points: Tukey", found(column["arm 0", "arm 1"], size))
                tally(f"power, {size:g} points: Dunnett", found(control["arm 1"], size))
                tally(f"power, {size:g} points: one comparison", found(single, size))
        both = agreement(model, "arm 1", "arm 0")
        if len(cells) > 1:
            tally("false: cells disagree", both.heterogeneous)
            tally("false: mean over cells that agree", both.common is not None and found(both.common))
    return result


def _moved(effect: Effect, by: float) -> Effect:
    return replace(effect, estimate=effect.estimate + by)


# As in the released runs of FER2013: of 0.75 points between seeds, 0.46 are what seeds make of single images; the
# images' part of a difference has a standard error of 0.28.
IMAGES = 3589
EASE, TASTE, SHIFT = (
    2.6,
    0.6,
    0.045,
)  # deviations: of images, of arms at single images, of seeds; of a run at an image: 1


def test_sets(design: Design, count: int, draws: int = 400, seed: int = 0) -> dict[str, Counter]:
    """Draw `count` tables together with their test sets; name -> how often arm 0 and arm 1 differ in the first cell."""
    rng = np.random.default_rng(seed)
    result: dict[str, Counter] = {}
    shape = design.arms, design.cells, design.seeds
    keys = [(f"arm {a}", c, s) for a, c, s in np.ndindex(*shape)]
    weights = difference("arm 1", "arm 0", 0)
    for _ in range(count):
        ease = EASE * rng.standard_normal(IMAGES) + TASTE * rng.standard_normal((design.arms, 1, 1, IMAGES))
        arm = sqrt(BETWEEN_CELLS) * rng.standard_normal((design.arms, 1, design.seeds, 1))
        shift = SHIFT * (arm + sqrt(1 - BETWEEN_CELLS) * rng.standard_normal((*shape, 1)))
        correct = (rng.standard_normal((*shape, IMAGES), dtype=np.float32) + ease + shift > 0).reshape(-1, IMAGES)
        values = 100 * correct.mean(axis=1)
        model = fit(Observed(*key, float(value)) for key, value in zip(keys, values, strict=True))
        runs = {key: Judged(one, np.zeros(0)) for key, one in zip(keys, correct, strict=True) if key[1] == 0}
        images = image_draws(runs, Accuracy(), draws=draws, seed=int(rng.integers(2**31)))
        with one_thread():
            between = np.cov(100 * correct.astype(np.float32)) / IMAGES  # what infinitely many draws give
        whole = model.with_images(*over_seeds(between, keys, model.points))
        ends = interval(model, images, weights, seed=int(rng.integers(2**31)))
        hits = {
            "seeds alone (the model without images)": found(model.effect(weights)),
            "seeds and images (the model with images)": found(whole.effect(weights)),
            "seeds and images (bootstrap.interval)": ends is not None and not ends[0] <= 0 <= ends[1],
            "images alone (bootstrap)": not _inside(_plain(images, values, keys, rng, seeds=False)),
            "seeds alone (bootstrap)": not _inside(_plain(images, values, keys, rng, images_too=False)),
            "plain bootstrap of seeds and images": not _inside(_plain(images, values, keys, rng)),
            "any of a column's pairs (Tukey with images)": any(map(found, tukey(whole, 0).values())),
        }
        for name, hit in hits.items():
            result.setdefault(f"false: {name}", Counter()).add(hit)
    return result


def _plain(
    images: ImageDraws,
    values: np.ndarray,
    keys: Sequence[RunKey],
    rng: np.random.Generator,
    *,
    seeds: bool = True,
    images_too: bool = True,
) -> np.ndarray:
    """Draws of arm 1 minus arm 0 in the first cell as the textbook has it: seeds drawn with replacement as well."""
    known = dict(zip(keys, values, strict=True))
    total = 0.0
    for arm, sign in (("arm 1", 1), ("arm 0", -1)):
        own = [key for key in images.values if key[0] == arm]
        runs = np.stack([known[key] + images_too * images.values[key] for key in own])  # [seeds, draws]
        places = np.arange(len(own))[:, None] if not seeds else rng.integers(len(own), size=runs.shape)
        total = total + sign * np.take_along_axis(runs, np.broadcast_to(places, runs.shape), axis=0).mean(axis=0)
    return np.asarray(total)


def _inside(draws: np.ndarray) -> bool:
    low, high = np.quantile(draws, (ALPHA / 2, 1 - ALPHA / 2))
    return bool(low <= 0 <= high)


def paired_t(
    design: Design, count: int, differences: Sequence[float] = (0, 1, 2, 3), seed: int = 0
) -> dict[str, Counter]:
    """For comparison, what reports did before: paired t tests within a column, Holm over its pairs."""
    rng = np.random.default_rng(seed)
    result: dict[str, Counter] = {}
    for _ in range(count):
        value = {(run.arm, run.seed): run.value for run in design.draw(rng) if run.cell == 0}
        table = np.array([[value[f"arm {a}", s] for s in range(design.seeds)] for a in range(design.arms)])
        for size in differences:
            moved = table + size * (np.arange(design.arms) == 1)[:, None]
            pairs = list(combinations(range(design.arms), 2))
            p = np.array([stats.ttest_rel(moved[a], moved[b]).pvalue for a, b in pairs])
            order = np.argsort(p)
            adjusted = np.empty_like(p)
            adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
            name = f"power, {size:g} points" if size else "false: any of a column's pairs"
            result.setdefault(name, Counter()).add(
                adjusted[pairs.index((0, 1))] < ALPHA if size else p.min() * len(p) < ALPHA
            )
    return result


DESIGNS: dict[str, dict[str, Any]] = {
    "complete": {},
    "one run in ten missing": {"missing": 0.1},
    "one arm varies twice as much": {"factors": (2.0,)},
    "one arm varies three times as much": {"factors": (3.0,)},
    "one cell": {"cells": 1},
    "eight arms, six cells": {"arms": 8, "cells": 6},
}


def main(argv: Sequence[str] | None = None) -> None:
    """Print all rates in per cent: a line a name, a column a number of seeds."""
    parser = argparse.ArgumentParser(description="Calibration of the reports' statistics by simulation.")
    parser.add_argument("--tables", type=int, default=1000, help="tables to draw for each design (default 1000)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5, 8], help="seeds of a table (default 3 5 8)")
    options = parser.parse_args(argv)
    if options.tables < 1 or min(options.seeds) < 2:
        parser.error("--tables must be at least 1, --seeds at least 2")

    def show(title: str, columns: Sequence[dict[str, Counter]]) -> None:
        error = max(one.error for one in columns[0].values())
        print(f"\n{title} (Monte Carlo error at 5 %: {error:.1f})", flush=True)
        for name in columns[0]:
            print(f"  {name:55}" + "".join(f"{column[name].percent:8.1f}" for column in columns), flush=True)

    print(f"{'per cent, by number of seeds':57}" + "".join(f"{seeds:8d}" for seeds in options.seeds))
    for title, settings in DESIGNS.items():
        count = options.tables if settings.get("arms", 5) == 5 else max(1, options.tables // 5)
        show(title, [tables(Design(seeds, **settings), count) for seeds in options.seeds])
    show("with test sets", [test_sets(Design(seeds), max(1, options.tables // 2)) for seeds in options.seeds])
    show("paired t tests with Holm, as before", [paired_t(Design(seeds), options.tables) for seeds in options.seeds])


if __name__ == "__main__":
    main()
