"""What a figure is of: the methods under one data set and noise, with their stored predictions and a fixed style."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.paper.tables import DATASET_LABELS
from reports.runs.frame import Loaded, noise_label
from reports.runs.groups import SeedGroup, seed_groups
from reports.runs.predictions import Arrays, predictions
from reports.runs.select import SETUP, largest, weight

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class MethodRuns:
    """One method of a figure: its runs' predictions by seed, and the style it has in every figure."""

    name: str
    group: SeedGroup
    color: Any
    dash: Any

    @cached_property
    def seeds(self) -> dict[int, Arrays]:
        """seed -> arrays of the runs whose predictions can be read."""
        pairs = zip(self.group.runs["seed"], self.group.runs["folder"], strict=True)
        found = {int(seed): predictions(folder) for seed, folder in pairs}
        return {seed: arrays for seed, arrays in found.items() if arrays is not None}

    @property
    def first(self) -> Arrays:
        """The arrays of the lowest seed, for figures of one run."""
        return self.seeds[min(self.seeds)]


@dataclass(frozen=True)
class Panel:
    """What one figure is of: all methods under one data set, noise and set-up."""

    dataset: str
    noise: str
    setup: str
    arms: tuple[MethodRuns, ...]
    cleanest: bool  # the lowest noise there is of this data set: the paper's figures are of clean labels

    @property
    def label(self) -> str:
        """Data set and noise, for titles."""
        row = self.arms[0].group.runs.iloc[0]
        noise = noise_label(row.noise, row.noise_kind, " %")
        return f"{DATASET_LABELS.get(self.dataset, self.dataset)}, noise {noise}"


# A drawing function gives title, caption and figure; None where the panel does not hold what it needs, or the reason
# where a reader would look for the figure.
Drawing = tuple[str, str, "Figure"]
# It gets the panel and a folder to cache slow computations in.
Draw = Callable[[Panel, Path], Drawing | str | None]


def panels(loaded: Loaded, recipe: str | None = None, datasets: Sequence[str] | None = None) -> Iterator[Panel]:
    """Every (data set, noise) with finished runs, in the set-up with most runs of the data set."""
    import seaborn

    found = list(seed_groups(loaded, datasets, recipe))
    methods = sorted({group.keys[2] for group in found})
    colors = seaborn.color_palette("colorblind", max(len(methods), 1))
    dashes = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1))]
    for dataset in dict.fromkeys(group.keys[0] for group in found):
        mine = [group for group in found if group.keys[0] == dataset]
        rows = loaded.runs[loaded.runs["run_id"].isin({run for group in mine for run in group.runs["run_id"]})]
        chosen = set(largest(rows, SETUP)["run_id"])
        mine = [group for group in mine if group.runs["run_id"].iloc[0] in chosen]
        noises = list(dict.fromkeys(group.keys[1] for group in mine))
        for noise in noises:
            best: dict[str, SeedGroup] = {}  # of several defaults of one method, the one with more seeds
            for group in (group for group in mine if group.keys[1] == noise):
                if group.keys[2] not in best or weight(group.runs) > weight(best[group.keys[2]].runs):
                    best[group.keys[2]] = group
            arms = [
                MethodRuns(name, group, colors[methods.index(name)], dashes[methods.index(name) % len(dashes)])
                for name, group in best.items()
            ]
            arms = [arm for arm in arms if arm.seeds]
            if arms:
                yield Panel(dataset, noise, arms[0].group.setup, tuple(arms), noise == noises[0])
