"""From measures to a table on paper: rows, column groups, caption and footnotes; no format yet (reports/render.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.paper import numbers
from reports.paper.tables import DATASET_LABELS, Definition
from reports.runs.frame import Loaded
from reports.runs.select import Selection
from reports.stats.statistics import ALPHA, Summary
from reports.tables.caption import Note, caption, notes
from reports.tables.measure import Measure, measure, undefined


@dataclass(frozen=True)
class Value:
    """What stands in one field. `number` is for sorting, `run_ids` are the runs behind it.

    `remark` says at the number itself what is wrong with it.
    """

    text: str
    mark: str = ""  # "best" (bold) or "tie" or "missing"
    number: float | None = None
    run_ids: tuple[str, ...] = ()
    remark: str = ""


@dataclass(frozen=True)
class Group:
    """Columns that belong to one data set."""

    title: str
    columns: tuple[str, ...]


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


NONE = Value("–")


def build_table(definition: Definition, selection: Selection, loaded: Loaded, prefix: str) -> Table:
    """Lay out one table. `prefix` is how the user calls bench.py (for the commands that fill missing cells)."""
    measures = measure(definition, selection)
    reference = [name for name in numbers.datasets(definition.name) if name not in selection.datasets]
    columns = {dataset: _columns(definition, dataset, measures) for dataset in selection.datasets}
    groups = [Group(DATASET_LABELS.get(name, name), tuple(columns[name])) for name in selection.datasets]
    groups += [Group(f"{DATASET_LABELS.get(name, name)} (paper)", ("published",)) for name in reference]
    single_axis = definition.axis == "rejection" and definition.rates == (0,)
    axis = "noise (%)" if definition.axis == "noise" else "rejected (%)"
    rows = [_quoted_row(definition, name, value, columns, reference) for name, value in _quoted(definition)]
    lost = Counter(problem.folder.parts[-4:-1] for problem in loaded.unreadable)
    by_key: dict[tuple[int, int, str], dict[str, Measure]] = {}
    for item in measures:
        by_key.setdefault((item.noise, item.rejection, item.arm), {})[item.dataset] = item
    for (noise, rate, arm), items in by_key.items():
        step = noise if definition.axis == "noise" else rate
        values = [_value(name, items[dataset], lost) for dataset in selection.datasets for name in columns[dataset]]
        values += [_published(_reference(definition, dataset, arm, step)) for dataset in reference]
        rows.append(Row((arm,) if single_axis else (str(step), arm), tuple(values), f"{step}"))
    return Table(
        name=definition.name,
        heading=definition.heading,
        title=selection.suite.title,
        keys=("method",) if single_axis else (axis, "method"),
        groups=tuple(groups),
        rows=tuple(rows),
        caption=tuple(caption(definition, selection, measures)),
        notes=tuple(notes(definition, selection, measures, loaded, prefix)),
        records=tuple(item.record() for item in measures),
    )


def _columns(definition: Definition, dataset: str, measures: Sequence[Measure]) -> list[str]:
    mine = [item for item in measures if item.dataset == dataset]
    names = ["accuracy" if definition.rates == (0,) else "own"]
    if definition.free_score:
        names += ["by 1 − max softmax", "own − free"]
    if definition.both_directions:
        names += ["reversed"]
    names += ["n"]
    if dataset in numbers.datasets(definition.name):
        names += ["published", "difference", "verdict"]
    if any(item.validation.n for item in mine):
        names += ["best-on-validation"]
    return [*names, "best-on-test (oracle)"]


def _value(column: str, item: Measure, unreadable: Counter[tuple[str, ...]]) -> Value:
    """The field of a column, by the column's title. unreadable: records that cannot be read, by place."""
    match column:
        case "accuracy" | "own":
            if item.own.n == 0:
                return Value("missing" if item.runs == 0 else "undefined", "missing", None, item.run_ids)
            return Value(spread(item.own), item.mark, item.own.mean, item.run_ids, _ranks_nothing(item))
        case "by 1 − max softmax":
            return _plain(item.free)
        case "own − free":
            return _free_difference(item)
        case "reversed":
            return _plain(item.reverse)
        case "n":
            return Value(_count(item), "", float(item.own.n), (), _unread(item, unreadable))
        case "published":
            return _published(item.published)
        case "difference":
            return NONE if item.difference is None else Value(signed(item.difference), "", item.difference)
        case "verdict":
            return Value(item.verdict or "–")
        case "best-on-validation":
            return _plain(item.validation)
        case "best-on-test (oracle)":
            return _plain(item.oracle)
    raise KeyError(column)


def spread(value: Summary, digits: int = 2) -> str:
    """`84.34 ± 0.29`; without the deviation for a single seed."""
    if value.mean is None:
        return "–"
    text = f"{value.mean:.{digits}f}".replace("-", "−")
    return text if value.sd is None else f"{text} ± {value.sd:.{digits}f}"


def signed(value: float, digits: int = 2) -> str:
    """`+1.20` or `−1.20`, with the typographic minus."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def _plain(value: Summary) -> Value:
    return Value(spread(value), "", value.mean)


def _count(item: Measure) -> str:
    text = f"{item.own.n}" if item.own.n >= item.expected else f"{item.own.n} of {item.expected}"
    return f"{text} ({undefined(item)} undefined)" if undefined(item) else text


def _ranks_nothing(item: Measure) -> str:
    """Rejecting by a constant is rejecting at random."""
    return "constant uncertainty" if item.constant and item.rejection else ""


def _unread(item: Measure, unreadable: Counter[tuple[str, ...]]) -> str:
    """Records of this data set, method and noise that cannot be read, where runs are missing."""
    lost = sum(
        count
        for (dataset, method, noise), count in unreadable.items()
        if (dataset, method) == (item.dataset, item.method) and noise.endswith(f"{item.noise / 100:.2f}")
    )
    return f"{lost} unreadable" if lost and item.runs < item.expected else ""


def _free_difference(item: Measure) -> Value:
    if item.own.mean is None or item.free.mean is None:
        return NONE
    difference = item.own.mean - item.free.mean
    star = " *" if item.free_p is not None and item.free_p < ALPHA else ""
    return Value(signed(difference) + star, "", difference)


def _published(value: numbers.PaperNumber | None) -> Value:
    if value is None:
        return NONE
    return Value(spread(Summary(value.runs, value.mean, value.sd)), "", value.mean)


def _reference(definition: Definition, dataset: str, arm: str, step: int) -> numbers.PaperNumber | None:
    return numbers.lookup(definition.name, dataset, definition.published_rows.get(arm, arm), step)


def _quoted(definition: Definition) -> list[tuple[str, float]]:
    return list(numbers.quoted(definition.name).items())


def _quoted_row(
    definition: Definition, name: str, value: float, columns: dict[str, list[str]], reference: Sequence[str]
) -> Row:
    """Another system as the paper quotes it: a published number and nothing measured."""
    own = numbers.datasets(definition.name)
    quoted = _published(numbers.PaperNumber(value))
    values = [
        quoted if dataset in own and column == "published" else NONE
        for dataset, names in columns.items()
        for column in names
    ]
    return Row((f"{name} (quoted)",), (*values, *(quoted for _ in reference)), "quoted")
