"""Whatever runs there are, of no suite: averaged over nothing but seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.runs.frame import Loaded, noise_label
from reports.runs.select import SETUP, describe_setup
from reports.stats.statistics import Summary, summary
from reports.tables.caption import evidence, problems
from reports.tables.table import Group, Row, Table, Value, spread

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("data set", "noise (%)", "method")
_GROUPS = ["dataset", "noise", "noise_kind", "method", "settings", "config_key", *SETUP]


@dataclass(frozen=True)
class Lot:
    """Runs that differ in nothing but the seed, and their scores by seed."""

    keys: tuple[str, str, str]
    setup: str
    runs: pd.DataFrame

    def percent(self, column: str) -> Summary:
        """Summary of a fraction as per cent."""
        return summary([100 * float(value) for value in self.runs[column]]) if column in self.runs else Summary(0)

    @property
    def record(self) -> dict[str, str | float | None]:
        """What opens a CSV row of this lot."""
        row = self.runs.iloc[0]
        names = ("dataset", "noise", "noise_kind", "method", "settings", "recipe", "epochs", "backbone")
        return {**{name: row[name] for name in names}, "runs": " ".join(self.runs["run_id"])}


def lots(loaded: Loaded, datasets: Sequence[str] | None = None, recipe: str | None = None) -> Iterator[Lot]:
    """Every set of runs that may be averaged, in the order of the frame."""
    runs = _shown(loaded, datasets, recipe)
    for _, group in runs.groupby(_GROUPS, dropna=False, sort=True):
        row = group.iloc[0]
        noise = noise_label(row.noise, row.noise_kind)
        method = f"{row.method} ({row.settings})" if row.settings else row.method
        yield Lot((row.dataset, noise, method), describe_setup(row), group.sort_values("seed"))


def _shown(loaded: Loaded, datasets: Sequence[str] | None, recipe: str | None) -> pd.DataFrame:
    runs = loaded.runs
    if datasets is not None:
        runs = runs[runs["dataset"].isin(datasets)]
    return runs if recipe is None else runs[runs["recipe"] == recipe]


def plain(value: Summary, digits: int = 2, runs: int | None = None) -> Value:
    """A field with mean and deviation. runs: how many there are, to say so where some have no such number."""
    remark = f"undefined in {runs - value.n} of {runs}" if runs is not None and 0 < value.n < runs else ""
    return Value(spread(value, digits), "", value.mean, (), remark)


def accuracy(value: Summary, runs: int) -> Value:
    """A field that every run should have: its absence is named."""
    return plain(value, 2, runs) if value.n else Value("undefined", "missing")


def runs_table(loaded: Loaded, datasets: Sequence[str] | None = None, recipe: str | None = None) -> Table:
    """All finished runs, averaged over nothing but seeds."""
    columns = {
        "accuracy": "last.accuracy",
        "10 % rejected": "last.accuracy_at_10",
        "20 % rejected": "last.accuracy_at_20",
        "30 % rejected": "last.accuracy_at_30",
        "best-on-validation": "best_on_validation.accuracy",
        "best-on-test (oracle)": "best_on_test.accuracy",
    }
    rows, records = [], []
    for lot in lots(loaded, datasets, recipe):
        values = {name: lot.percent(column) for name, column in columns.items()}
        seconds = summary([float(value) for value in lot.runs["timing.seconds"]])
        size = len(lot.runs)
        fields = [plain(value, 2, size) for value in values.values()]
        fields = [accuracy(values["accuracy"], size), *fields[1:], plain(seconds, 0)]
        count = Value(str(len(lot.runs)), "", float(len(lot.runs)), tuple(lot.runs["run_id"]))
        rows.append(Row((*lot.keys, lot.setup), (count, *fields), lot.keys[0]))
        parts = {f"{name} {part}": getattr(value, part) for name, value in values.items() for part in ("mean", "sd")}
        records.append({**lot.record, "n": len(lot.runs), **parts, "seconds": seconds.mean})
    return Table(
        name="summary",
        heading="Summary",
        title="All finished runs, test accuracy (%)",
        keys=(*KEYS, "set-up"),
        groups=(Group("", ("n", *columns, "seconds")),),
        rows=tuple(rows),
        caption=(
            "Mean ± standard deviation over seeds. Rejection by the method's own uncertainty, last epoch. "
            "best-on-test (oracle) takes the epoch that is best on the test set itself.",
            *evidence(_shown(loaded, datasets, recipe)),
        ),
        notes=tuple(problems(loaded)),
        records=tuple(records),
    )
