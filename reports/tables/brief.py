"""What a command prints at its end: a line a method, few enough columns for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from benchmarks.plan import suite as suites
from reports.paper import numbers
from reports.paper.tables import DATASET_LABELS, TABLES
from reports.runs.frame import Loaded, noise_label
from reports.runs.groups import SeedGroup, seed_groups
from reports.runs.select import belongs, select
from reports.stats.summary import Summary, summary
from reports.stats.verdict import as_published
from reports.tables.fields import comparison_word, spread
from reports.tables.table import Table

REJECTED = 30
MEASURED = ("accuracy", f"{REJECTED} %: own", f"{REJECTED} %: free")
WRAPS = 1  # the column of methods: names with settings are long
_COLUMNS = ("last.accuracy", f"last.accuracy_at_{REJECTED}", f"last.free_accuracy_at_{REJECTED}")


@dataclass(frozen=True)
class Brief:
    """The runs of one data set and set-up."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def briefs(
    loaded: Loaded,
    names: Sequence[str] = (),
    recipe: str | None = None,
    datasets: Sequence[str] | None = None,
    tables: Sequence[Table] = (),
) -> list[Brief]:
    """A table a data set and set-up. names: reports; where all are tables of the paper, only their runs are shown.

    tables: the paper's, as made for these reports: the outcomes in them are shown. Columns that would be empty in every
    row (the paper's number, the outcome) are left out.
    """
    outcomes = _outcomes(tables)
    ids = _of_tables(loaded, names, recipe, datasets)
    found: dict[tuple[str, str], list[SeedGroup]] = {}
    for group in seed_groups(loaded, datasets, recipe):
        if ids is None or not ids.isdisjoint(group.runs["run_id"]):
            found.setdefault((group.keys[0], group.setup), []).append(group)
    return [_brief(dataset, setup, groups, outcomes) for (dataset, setup), groups in found.items()]


def _of_tables(
    loaded: Loaded, names: Sequence[str], recipe: str | None, datasets: Sequence[str] | None
) -> Set[str] | None:
    """The runs that the named tables show; None: all."""
    if not names or not set(names) <= set(TABLES):
        return None
    chosen = (select(loaded.runs, suites.load(TABLES[name].suite), datasets, recipe) for name in names)
    return {run_id for selection in chosen for run_id in selection.runs()["run_id"]}


@dataclass(frozen=True)
class _Outcome:
    """What a table says of a cell's runs, in a word or two, and of which difference."""

    text: str
    of: str


def _outcomes(tables: Sequence[Table]) -> dict[str, _Outcome]:
    """run -> the outcome of its cell, of the first table that has one; at REJECTED % where a table rejects so much."""
    found: dict[str, _Outcome] = {}
    for name, item in ((table.name, item) for table in tables for item in table.results):
        if item.rejection != (REJECTED if REJECTED in TABLES[name].rates else 0):
            continue
        parts = [comparison_word(item.against)] if item.against is not None else []
        parts += [item.verdict] if item.allows == "reproduction" and item.verdict else []
        what = f"accuracy with {item.rejection} % rejected" if item.rejection else "accuracy"
        outcome = _Outcome(", ".join(parts), f"{what} minus that of {item.control}" if item.control else "")
        if parts:
            found = {**dict.fromkeys(item.run_ids, outcome), **found}
    return found


def _brief(dataset: str, setup: str, groups: Sequence[SeedGroup], outcomes: Mapping[str, _Outcome]) -> Brief:
    head = ["noise", "method", "n", *MEASURED, "paper", "outcome"]
    rows = []
    compared: dict[str, dict[str, None]] = {}  # difference -> the noises under which it is shown
    for group in groups:
        values = [summary(group.percent(column)) for column in _COLUMNS]
        first = group.runs.iloc[0]
        noise = noise_label(first.noise, first.noise_kind, " %")
        outcome = next((outcomes[run_id] for run_id in group.runs["run_id"] if run_id in outcomes), None)
        if outcome is not None and outcome.of:
            compared.setdefault(outcome.of, {})[noise] = None
        row = [noise, group.keys[2], str(len(group.runs)), *map(spread, values)]
        rows.append([*row, paper_number(group), outcome.text if outcome is not None else ""])
    kept = [place for place in range(len(head)) if place < 6 or any(row[place] for row in rows)]
    title = (
        f"{DATASET_LABELS.get(dataset, dataset)}: {setup}. Test accuracy (%); with {REJECTED} % rejected by the "
        "method's own and by the free score." + _compared(compared)
    )
    return Brief(title, tuple(head[place] for place in kept), tuple(tuple(row[p] for p in kept) for row in rows))


def _compared(found: Mapping[str, Iterable[str]]) -> str:
    """Of which differences the outcomes are; of several, under which noises each."""
    texts = [f"{of} (noise {', '.join(noises)})" if len(found) > 1 else of for of, noises in found.items()]
    return f" Outcome: {'; '.join(texts)}." if texts else ""


def paper_number(group: SeedGroup) -> str:
    """The paper's accuracy of the same arm, data set and noise; empty where it has none or the schedule is another."""
    row = group.runs.iloc[0]
    if not as_published(row.resolved, row.dataset) or (row.noise and row.noise_kind != "symmetric"):
        return ""
    for definition in TABLES.values():
        suite = suites.load(definition.suite)
        if not any(abs(row.noise - wanted) < 1e-9 for wanted in suite.noise):
            continue
        condition = round(100 * row.noise) if definition.axis == "noise" else 0
        for arm in suite.arms:
            if arm.method == row.method and belongs(arm, row.config, row.overrides):
                name = definition.published_rows.get(arm.name, arm.name)
                if value := numbers.lookup(definition.name, row.dataset, name, condition):
                    return spread(Summary(value.runs, value.mean, value.sd))
    return ""
