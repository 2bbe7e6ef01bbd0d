"""Runs of no particular suite, in groups that may be averaged: they differ in nothing but the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.runs.frame import Loaded, noise_label
from reports.runs.select import SETUP, describe_setup

if TYPE_CHECKING:
    import pandas as pd

_GROUPS = ["dataset", "noise", "noise_kind", "method", "settings", "config_key", *SETUP]


@dataclass(frozen=True)
class SeedGroup:
    """Runs that differ in nothing but the seed, and their scores by seed.

    keys: data set, noise, method with its settings; heads: the same for tables that have no column for the set-up,
    which stands behind the method where the data set has runs of several.
    """

    keys: tuple[str, str, str]
    heads: tuple[str, str, str]
    setup: str
    runs: pd.DataFrame

    def percent(self, column: str) -> list[float]:
        """A fraction of each run as per cent; none where no run has it."""
        return [100 * float(value) for value in self.runs[column]] if column in self.runs else []

    @property
    def record(self) -> dict[str, str | float | None]:
        """What opens a CSV row of this group."""
        row = self.runs.iloc[0]
        names = ("dataset", "noise", "noise_kind", "method", "settings", "recipe", "epochs", "backbone")
        return {**{name: row[name] for name in names}, "runs": " ".join(self.runs["run_id"])}


def seed_groups(
    loaded: Loaded, datasets: Sequence[str] | None = None, recipe: str | None = None
) -> Iterator[SeedGroup]:
    """Every set of runs that may be averaged, in the order of the frame."""
    runs = shown(loaded, datasets, recipe)
    setups = {name: group[list(SETUP)].drop_duplicates() for name, group in runs.groupby("dataset")}
    own = runs[runs["protocols"] == "own"].groupby(["dataset", "method", "settings"])["config_key"].nunique()
    for _, group in runs.groupby(_GROUPS, dropna=False, sort=True):
        row = group.iloc[0]
        noise = noise_label(row.noise, row.noise_kind)
        method = f"{row.method} ({row.settings})" if row.settings else row.method
        several, setup = setups[row.dataset], describe_setup(row)
        alike = own.get((row.dataset, row.method, row.settings), 1) == 1  # one set of values of the method's own
        words = f"recipe {row.recipe}" if several["recipe"].is_unique and alike else setup
        head = method if len(several) == 1 and alike else f"{method}, {words}"
        yield SeedGroup((row.dataset, noise, method), (row.dataset, noise, head), setup, group.sort_values("seed"))


def shown(loaded: Loaded, datasets: Sequence[str] | None, recipe: str | None) -> pd.DataFrame:
    """The runs of these data sets and this recipe, of all where None."""
    runs = loaded.runs
    if datasets is not None:
        runs = runs[runs["dataset"].isin(datasets)]
    return runs if recipe is None else runs[runs["recipe"] == recipe]
