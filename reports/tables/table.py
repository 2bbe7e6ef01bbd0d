"""From results to a table on paper: rows, column groups, caption and footnotes; no format yet (reports/render/)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.paper import numbers
from reports.paper.tables import DATASET_LABELS, Definition
from reports.runs.frame import Loaded
from reports.runs.select import Selection
from reports.tables.caption import Note, caption, notes
from reports.tables.cell_results import CellResult, cell_results
from reports.tables.fields import NONE, PUBLISHED, Column, Value, columns_of, published


@dataclass(frozen=True)
class Group:
    """Columns that belong to one data set."""

    title: str
    columns: tuple[Column, ...]


def titled(*titles: str) -> Group:
    """Columns of a table whose rows come whole."""
    return Group("", tuple(Column(title) for title in titles))


@dataclass(frozen=True)
class Row:
    """Key fields (noise or rejection, method) and one field for every column. `block` changes where a rule is drawn."""

    keys: tuple[str, ...]
    values: tuple[Value, ...]
    block: str


@dataclass(frozen=True)
class Table:
    """A finished table. `records` are the numbers behind it, a row a cell, for CSV."""

    name: str
    heading: str  # "Table 1"
    title: str
    keys: tuple[str, ...]
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    caption: tuple[str, ...]
    notes: tuple[Note, ...]
    records: tuple[Mapping[str, str | float | None], ...]
    results: tuple[CellResult, ...] = ()  # of the paper's tables

    @property
    def empty(self) -> str:
        """That there is nothing to show, for a table of the paper without a single finished run; else empty."""
        if not self.results or any(item.runs for item in self.results):
            return ""
        names = dict.fromkeys(DATASET_LABELS.get(item.dataset, item.dataset) for item in self.results)
        return f"Nothing to show: no finished runs on {' or '.join(names)}."


def build_table(definition: Definition, selection: Selection, loaded: Loaded, prefix: str) -> Table:
    """Lay out one table. `prefix` is how the user calls bench.py (for the commands that fill missing cells)."""
    results = cell_results(definition, selection)
    # Beside a demonstration stands no published number.
    reference = [name for name in numbers.datasets(definition.name) if name not in selection.datasets]
    reference = [] if any(item.allows == "none" for item in results) else reference
    lost = Counter(problem.folder.parts[-4:-1] for problem in loaded.unreadable)
    columns = {dataset: columns_of(definition, dataset, results, lost) for dataset in selection.datasets}
    groups = [Group(DATASET_LABELS.get(name, name), tuple(columns[name])) for name in selection.datasets]
    groups += [Group(f"{DATASET_LABELS.get(name, name)} (paper)", (PUBLISHED,)) for name in reference]
    single_axis = definition.axis == "rejection" and definition.rates == (0,)
    axis = "noise (%)" if definition.axis == "noise" else "rejected (%)"
    quoted = _quoted(definition) if reference or any(PUBLISHED in part for part in columns.values()) else []
    rows = [_quoted_row(definition, name, value, columns, reference) for name, value in quoted]
    by_key: dict[tuple[int, int, str], dict[str, CellResult]] = {}
    for item in results:
        by_key.setdefault((item.noise, item.rejection, item.arm), {})[item.dataset] = item
    for (noise, rate, arm), items in by_key.items():
        step = noise if definition.axis == "noise" else rate
        values = [
            column.value(items[dataset])
            for dataset in selection.datasets
            for column in columns[dataset]
            if column.value is not None
        ]
        values += [published(_reference(definition, dataset, arm, step)) for dataset in reference]
        rows.append(Row((arm,) if single_axis else (str(step), arm), tuple(values), f"{step}"))
    return Table(
        name=definition.name,
        heading=definition.heading,
        title=selection.suite.title,
        keys=("method",) if single_axis else (axis, "method"),
        groups=tuple(groups),
        rows=tuple(rows),
        caption=tuple(caption(definition, selection, results)),
        notes=tuple(notes(definition, selection, results, loaded, prefix)),
        results=tuple(results),
        records=tuple(item.record() for item in results),
    )


def _reference(definition: Definition, dataset: str, arm: str, step: int) -> numbers.PaperNumber | None:
    return numbers.lookup(definition.name, dataset, definition.published_rows.get(arm, arm), step)


def _quoted(definition: Definition) -> list[tuple[str, float]]:
    return list(numbers.quoted(definition.name).items())


def _quoted_row(
    definition: Definition, name: str, value: float, columns: dict[str, list[Column]], reference: Sequence[str]
) -> Row:
    """Another system as the paper quotes it: a published number and nothing measured."""
    own = numbers.datasets(definition.name)
    quoted = published(numbers.PaperNumber(value))
    values = [
        quoted if dataset in own and column is PUBLISHED else NONE
        for dataset, names in columns.items()
        for column in names
    ]
    return Row((f"{name} (quoted)",), (*values, *(quoted for _ in reference)), "quoted")
