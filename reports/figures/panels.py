"""What a figure is of: the methods under one data set and noise, with their stored predictions and a fixed style."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.store.run_folder import RunFolder
from reports.figures.palette import styles
from reports.paper.tables import DATASET_LABELS
from reports.runs.frame import Loaded, noise_label
from reports.runs.groups import SeedGroup, seed_groups
from reports.runs.predictions import Arrays, predictions
from reports.runs.select import SETUP, largest, weight
from reports.stats.verdict import as_published

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class MethodRuns:
    """One method of a figure: its runs' predictions by seed, and the style it has in every figure."""

    name: str
    group: SeedGroup
    color: Any
    dash: Any

    @property
    def title(self) -> str:
        """The name for a narrow column: settings on a line of their own."""
        return self.name.replace(" (", "\n(", 1) if len(self.name) > 16 else self.name

    @property
    def stored(self) -> bool:
        """Whether any of its runs has predictions, readable or not."""
        return any(RunFolder(folder).predictions.is_file() for folder in self.group.runs["folder"])

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
    arms: tuple[MethodRuns, ...]
    cleanest: bool  # the lowest noise there is of this data set: the paper's figures are of clean labels

    def readable(self) -> Panel | None:
        """The panel with those methods whose predictions can be read; None without any."""
        arms = tuple(arm for arm in self.arms if arm.seeds)
        return replace(self, arms=arms) if arms else None

    @property
    def setup(self) -> str:
        """How its runs were trained, in words."""
        return self.arms[0].group.setup

    @property
    def as_published(self) -> bool:
        """Whether these runs are of the paper's schedule, so that its numbers may be drawn beside them."""
        return as_published(self.arms[0].group.runs.iloc[0].resolved, self.dataset)

    @property
    def notes(self) -> str:
        """What a reader of any number of this data set must know, as its runs recorded it."""
        return data_notes(arm.group.runs for arm in self.arms)

    @property
    def label(self) -> str:
        """Data set and noise, for titles."""
        row = self.arms[0].group.runs.iloc[0]
        noise = noise_label(row.noise, row.noise_kind, " %")
        return f"{DATASET_LABELS.get(self.dataset, self.dataset)}, noise {noise}"


def data_notes(frames: Iterable[pd.DataFrame]) -> str:
    """The data sets' notes of these runs, each once, as sentences; empty where there are none."""
    notes = dict.fromkeys(note for runs in frames for found in runs["data_notes"] for note in found)
    return " ".join(note if note.endswith(".") else f"{note}." for note in notes)


# A drawing function gives title, caption and figure; None where the panel does not hold what it needs, or the reason
# where a reader would look for the figure.
Drawing = tuple[str, str, "Figure"]
# It gets the panel and a folder to cache slow computations in.
Draw = Callable[[Panel, Path], Drawing | str | None]


def panels(loaded: Loaded, recipe: str | None = None, datasets: Sequence[str] | None = None) -> Iterator[Panel]:
    """Every (data set, noise) with stored predictions, in the set-up with most runs of the data set; none is read."""
    found = list(seed_groups(loaded, datasets, recipe))
    style = styles([group.keys[2] for group in seed_groups(loaded)])  # of all, so that a filter changes no colour
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
            arms = [MethodRuns(name, group, style[name].color, style[name].dash) for name, group in best.items()]
            arms = [arm for arm in arms if arm.stored]
            if arms:
                yield Panel(dataset, noise, tuple(arms), noise == noises[0])
