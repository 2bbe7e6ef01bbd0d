"""Which finished runs fill which cell of a suite. Runs of different set-ups never meet in one mean."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from benchmarks.plan import recipe as recipes
from benchmarks.plan.recipe_file import Verdicts
from benchmarks.plan.suite import Arm, Suite
from common import dotted
from reports.paper import numbers
from reports.runs.frame import value_label

if TYPE_CHECKING:
    import pandas as pd

# What has to be equal before numbers of two runs may stand in one column.
SETUP = ("protocol", "recipe", "recipe_key", "weights")
TIERS = get_args(Verdicts)  # what a recipe may say, the most first


@dataclass(frozen=True)
class Cell:
    """The runs of one arm on one data set under one noise, one row a seed. `expected` are the suite's seeds."""

    dataset: str
    noise: float
    arm: Arm
    expected: tuple[int, ...]
    runs: pd.DataFrame

    @property
    def missing(self) -> tuple[int, ...]:
        """Seeds of the suite without a finished run."""
        return tuple(seed for seed in self.expected if seed not in set(self.runs["seed"]))

    def by_seed(self, column: str) -> dict[int, float]:
        """seed -> value of a column of the frame (NaN where the metric is not defined)."""
        if column not in self.runs:
            return {}
        return dict(zip(self.runs["seed"].astype(int), self.runs[column].astype(float), strict=True))


@dataclass(frozen=True)
class Selection:
    """A suite's cells filled from the records, and what the reader must know about how they were chosen."""

    suite: Suite
    datasets: tuple[str, ...]
    cells: Mapping[tuple[str, float, str], Cell]
    notes: tuple[str, ...] = ()
    setups: Mapping[str, pd.Series] = field(default_factory=dict)  # data set -> a row of the chosen set-up

    def runs(self, dataset: str | None = None) -> pd.DataFrame:
        """All rows used (of one data set)."""
        import pandas as pd

        return pd.concat([cell.runs for cell in self.cells.values() if dataset in (None, cell.dataset)])


def describe_setup(row: pd.Series) -> str:
    """A set-up in words: `recipe quick, 8 epochs, backbone small, from scratch`."""
    epochs = f"{row.epochs} epoch" + ("s" if row.epochs != 1 else "")
    own = ", each method's own protocol" if row.protocols == "own" else ""
    return f"recipe {row.recipe}{own}, {epochs}, backbone {row.backbone}, {_pretrained(row)}"


def _pretrained(row: pd.Series) -> str:
    """What the network started from: what the run took, not what its recipe would have liked."""
    if row.weights is None or row.weights != row.weights:
        return "from scratch"
    known = row.weights == "imagenet"
    return f"pretrained ({'ImageNet' if known else f'weights of sha256 {row.weights[:12]}'})"


def belongs(arm: Arm, config: Mapping[str, Any], overrides: Mapping[str, Any]) -> bool:
    """Whether a run is one of this arm: it has the arm's settings and no other that somebody set.

    The resolved settings decide, since a run whose defaults equal the arm's settings is the same run.
    """
    if not set(overrides) <= set(arm.set):
        return False
    for key, wanted in arm.set.items():
        try:
            value = dotted.get(config, key)
        except KeyError:
            value = overrides.get(key)
        if value_label(value) != value_label(wanted):
            return False
    return True


def _of_arm(runs: pd.DataFrame, arm: Arm) -> pd.DataFrame:
    runs = runs[runs["method"] == arm.method]
    kinds = runs.drop_duplicates(["settings", "config_key"])
    wanted = [(row.settings, row.config_key) for row in kinds.itertuples() if belongs(arm, row.config, row.overrides)]
    keep = [pair in wanted for pair in zip(runs["settings"], runs["config_key"], strict=True)]
    return runs.loc[np.array(keep, dtype=bool)]


def weight(runs: pd.DataFrame) -> tuple[int, int, int]:
    """What decides between sets of runs that may not be mixed: own runs first, then what their recipe may say (a
    network that has converged before a demonstration), then how many there are."""
    tier = min((TIERS.index(recipes.verdicts(name)) for name in set(runs["recipe"])), default=len(TIERS))
    return int((~runs["released"]).sum()), -tier, len(runs)


def largest(runs: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The group with the most weight, then the one finished last, then the first by name."""
    groups = [group for _, group in runs.groupby(list(keys), dropna=False, sort=True)]
    return max(groups, key=lambda group: (*weight(group), max(group["finished"])))


def select(
    runs: pd.DataFrame, suite: Suite, datasets: Sequence[str] | None = None, recipe: str | None = None
) -> Selection:
    """Fill a suite's cells.

    A data set shows one set-up (protocol, recipe with every value, pretrained weights): that of the recipe asked for,
    else the one of most `weight` among the suite's, then the newest. Released
    records of that set-up fill its gaps. Without `datasets`: those of the suite that have finished runs; with only
    released ones the stand-in too, if somebody ran it; the stand-in alone if there is nothing else; else others that
    have runs; else all of the suite, as missing. Seeds beyond the suite's are used too: leaving finished runs out
    would be choosing among results.
    """
    matched = {arm.name: _of_arm(runs, arm) for arm in suite.arms}
    matched = {name: rows[_in_suite(rows, suite)] for name, rows in matched.items()}
    asked = {name: rows if recipe is None else rows[rows["recipe"] == recipe] for name, rows in matched.items()}
    shown = tuple(datasets) if datasets is not None else _shown(suite, asked)
    cells: dict[tuple[str, float, str], Cell] = {}
    setups: dict[str, pd.Series] = {}
    notes: list[str] = []
    for dataset in shown:
        rows = {name: part[part["dataset"] == dataset] for name, part in matched.items()}
        rows = _one_setup(dataset, rows, recipe, setups, notes)
        notes += _other_settings(dataset, runs, suite, matched)
        rows = {arm.name: _one_config(dataset, arm, rows[arm.name], notes) for arm in suite.arms}
        for noise in suite.noise:
            for arm in suite.arms:
                part = rows[arm.name]
                part = part[(part["noise"] - noise).abs() < 1e-9] if len(part) else part
                cells[dataset, noise, arm.name] = Cell(
                    dataset, noise, arm, suite.seeds_of(dataset), part.sort_values("seed")
                )
    return Selection(suite, shown, cells, tuple(dict.fromkeys(notes)), setups)


def _shown(suite: Suite, asked: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """Which data sets a table shows when nobody says which."""
    found = {dataset for rows in asked.values() for dataset in rows["dataset"]}
    own = {dataset for rows in asked.values() for dataset in rows["dataset"][~rows["released"].astype(bool)]}
    shown = tuple(name for name in suite.datasets if name in found)
    # For those without real data: their own runs of the stand-in stay in sight beside released ones of real data.
    stands_in = own.isdisjoint(shown) and suite.stand_in in (own if shown else found)
    if stands_in and suite.stand_in is not None:
        shown = (*shown, suite.stand_in)
    # A table that quotes other systems' numbers is of its own data set and of no other.
    others = () if numbers.quoted(suite.name) else tuple(sorted(found))
    return shown or others or suite.datasets


def _in_suite(runs: pd.DataFrame, suite: Suite) -> pd.Series:
    """Rows under one of the suite's noises. The kind of noise is of no account where there is none."""
    ratios = runs["noise"].astype(float)
    near = ratios.apply(lambda ratio: any(abs(ratio - wanted) < 1e-9 for wanted in suite.noise)).astype(bool)
    return near & ((runs["noise_kind"] == suite.noise_kind) | (ratios == 0))


def _one_setup(
    dataset: str, rows: dict[str, pd.DataFrame], recipe: str | None, setups: dict[str, pd.Series], notes: list[str]
) -> dict[str, pd.DataFrame]:
    import pandas as pd

    together = pd.concat(rows.values()).drop_duplicates("run_id")
    asked = together if recipe is None else together[together["recipe"] == recipe]
    ids: set[str] = set()
    if len(asked):
        chosen = largest(asked, SETUP)
        setups[dataset] = row = chosen.iloc[0]
        ids = set(chosen["run_id"])
        if row.protocol != together["protocol"].max():
            notes.append(f"{dataset}: these runs are of an older protocol ({row.protocol})")
    rest = together[~together["run_id"].isin(ids)]
    for _, others in rest.groupby(list(SETUP), dropna=False, sort=False):
        what = "released records" if others["released"].all() else "finished runs"
        notes.append(
            f"{dataset}: {what} of another set-up exist and are not used here ({describe_setup(others.iloc[0])})"
        )
    return {name: part[part["run_id"].isin(ids)] for name, part in rows.items()}


def _one_config(dataset: str, arm: Arm, rows: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    if rows["config_key"].nunique() <= 1:
        return rows
    own = " or, by the protocol of its own, other values of the recipe" if (rows["protocols"] == "own").any() else ""
    notes.append(f"{dataset}, {arm.name}: finished runs with other defaults{own} exist and are not used here")
    return largest(rows, ["config_key"])


def _other_settings(dataset: str, runs: pd.DataFrame, suite: Suite, matched: Mapping[str, pd.DataFrame]) -> list[str]:
    """Runs of the suite's methods that no arm takes, because of their settings."""
    used = {run_id for rows in matched.values() for run_id in rows["run_id"]}
    methods = {arm.method for arm in suite.arms}
    rest = runs[(runs["dataset"] == dataset) & runs["method"].isin(methods) & ~runs["run_id"].isin(used)]
    rest = rest[_in_suite(rest, suite)]
    return [
        f"{dataset}: {len(part)} finished run(s) of {method} with {settings or 'default settings'} "
        "are no arm of this table"
        for (method, settings), part in rest.groupby(["method", "settings"], sort=True)
    ]


def command(suite: Suite, dataset: str, setup: pd.Series | None, prefix: str) -> str:
    """The command that fills this data set's missing cells. Finished runs are skipped, so it asks for all of them."""
    words = [prefix, "--suite", suite.name, "--datasets", shlex.quote(dataset)]
    return " ".join([*words, *(recipe_flags(setup, dataset) if setup is not None else ())])


def recipe_flags(row: pd.Series | Mapping[str, Any], dataset: str) -> list[str]:
    """The flags that ask for a run's recipe, protocol and epochs; where a user's own file lies no record says."""
    from common.errors import UserError

    recipe, epochs, own = row["recipe"], row["epochs"], row["protocols"] == "own"
    try:
        usual = recipes.load(recipe, dataset, row["method"] if own else None).epochs
    except UserError:
        usual = None
    called = recipe if recipe in recipes.RECIPES.names() else f"PATH/{recipe}.toml"
    protocol = ["--protocol", "own"] if own else []
    return ["--recipe", called, *protocol, *(["--epochs", str(epochs)] if epochs != usual else [])]
