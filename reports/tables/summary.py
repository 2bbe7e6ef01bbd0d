"""Whatever runs there are, of no suite: averaged over nothing but seeds."""

from __future__ import annotations

from collections.abc import Sequence

from reports.runs.frame import Loaded
from reports.runs.groups import seed_groups, shown
from reports.stats.summary import Summary, summary
from reports.tables.caption import evidence, of_the_data, problems
from reports.tables.fields import NONE, Value, spread
from reports.tables.table import Row, Table, titled

KEYS = ("data set", "noise (%)", "method")


def plain(value: Summary, digits: int = 2, runs: int | None = None) -> Value:
    """A field with mean and deviation. runs: how many there are, to say so where some have no such number."""
    remark = f"undefined in {runs - value.n} of {runs}" if runs is not None and 0 < value.n < runs else ""
    return Value(spread(value, digits), "", value.mean, (), remark) if value.n else NONE


def accuracy(value: Summary, runs: int) -> Value:
    """A field that every run should have: its absence is named."""
    return plain(value, 2, runs) if value.n else Value("undefined", kind="missing")


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
    runs = shown(loaded, datasets, recipe)
    rows, records = [], []
    for group in seed_groups(loaded, datasets, recipe):
        values = {name: summary(group.percent(column)) for name, column in columns.items()}
        seconds = summary([float(value) for value in group.runs["timing.seconds"]])
        size = len(group.runs)
        fields = [plain(value, 2, size) for value in values.values()]
        fields = [accuracy(values["accuracy"], size), *fields[1:], plain(seconds, 0)]
        count = Value(str(len(group.runs)), "", float(len(group.runs)), tuple(group.runs["run_id"]))
        rows.append(Row((*group.keys, group.setup), (count, *fields), group.keys[0]))
        parts = {f"{name} {part}": getattr(value, part) for name, value in values.items() for part in ("mean", "sd")}
        records.append({**group.record, "n": len(group.runs), **parts, "seconds": seconds.mean})
    return Table(
        name="summary",
        heading="Summary",
        title="All finished runs, test accuracy (%)",
        keys=(*KEYS, "set-up"),
        groups=(titled("n", *columns, "seconds"),),
        rows=tuple(rows),
        caption=(
            "Mean ± standard deviation over seeds. Rejection by the method's own uncertainty, last epoch. "
            "best-on-test (oracle) takes the epoch that is best on the test set itself.",
            *evidence(runs),
            *of_the_data(runs),
        ),
        notes=tuple(problems(loaded)),
        records=tuple(records),
    )
