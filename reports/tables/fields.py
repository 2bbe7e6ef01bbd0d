"""The fields of a table on paper: what a cell's result is in each of its columns, and how numbers are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reports.paper import numbers
from reports.paper.tables import Definition
from reports.stats.outcome import Ruling
from reports.stats.summary import Summary
from reports.tables.cell_results import CellResult, undefined


@dataclass(frozen=True)
class Value:
    """What stands in one field. `number` is for sorting, `run_ids` are the runs behind it.

    `remark` says at the number itself what is wrong with it, `kind` what else a page may show by its colour.
    """

    text: str
    mark: str = ""  # "best" (bold) or "tie"
    number: float | None = None
    run_ids: tuple[str, ...] = ()
    remark: str = ""
    kind: str = ""  # "none", "missing", "reproduced", "above", "below", "higher", "lower", "equal", "undecided"


@dataclass(frozen=True)
class Column:
    """A column. `value` writes a cell's result in it; None in tables whose rows come whole."""

    title: str
    value: Callable[[CellResult], Value] | None = None
    measured: bool = True  # whether its numbers come from runs


NONE = Value("–", kind="none")


def columns_of(
    definition: Definition, dataset: str, results: Sequence[CellResult], lost: Counter[tuple[str, ...]]
) -> list[Column]:
    """The columns of a data set, in the order of the page. lost: records that cannot be read, by place."""
    mine = [item for item in results if item.dataset == dataset]
    columns = [Column("accuracy" if definition.rates == (0,) else "own", _own)]
    if definition.free_score:
        columns += [Column("by 1 − max softmax", lambda item: _plain(item.free)), Column("own − free", _own_less_free)]
    if definition.both_directions:
        columns += [Column("reversed", lambda item: _plain(item.reverse))]
    columns += [Column("n", lambda item: _runs(item, lost))]
    if control := next((item.control for item in mine if item.control), ""):
        columns += [Column(f"− {control}", lambda item: _against(item.against))]
    if dataset in numbers.datasets(definition.name) and all(item.allows != "none" for item in mine):
        columns += [PUBLISHED]
        if all(item.allows == "reproduction" for item in mine):
            columns += [Column("difference", _difference), Column("verdict", _verdict)]
    if any(item.validation.n for item in mine):
        columns += [Column("best-on-validation", lambda item: _plain(item.validation))]
    return [*columns, Column("best-on-test (oracle)", lambda item: _plain(item.oracle))]


def _own(item: CellResult) -> Value:
    if item.own.n == 0:
        return Value("missing" if item.runs == 0 else "undefined", run_ids=item.run_ids, kind="missing")
    return Value(spread(item.own), item.mark, item.own.mean, item.run_ids, _ranks_nothing(item))


def _difference(item: CellResult) -> Value:
    return NONE if item.difference is None else Value(signed(item.difference), "", item.difference)


_HIGHER = {"supported": "higher", "opposed": "lower", "equivalent": "equal"}


def comparison_word(ruling: Ruling) -> str:
    """What a difference to the control says: higher, lower, equal, undecided; one seed where it has no interval."""
    if ruling.effect.low is None or ruling.effect.high is None:
        return "one seed"
    return _HIGHER.get(ruling.outcome, ruling.outcome)


def _against(ruling: Ruling | None) -> Value:
    """`+1.20 [0.31, 2.09]`, with what it says: higher, lower, equal, or the smallest difference that would be found."""
    if ruling is None:
        return NONE
    effect = ruling.effect
    if effect.low is None or effect.high is None:
        return Value(signed(effect.estimate), "", effect.estimate, (), comparison_word(ruling))
    remark = comparison_word(ruling)
    if ruling.outcome == "undecided":
        remark += f", would find {ruling.detectable or 0:.1f}"
    text = f"{signed(effect.estimate)} {bracket(effect.low, effect.high)}"
    return Value(text, "", effect.estimate, (), remark, comparison_word(ruling))


def bracket(low: float, high: float, digits: int = 2) -> str:
    """`[−0.31, 2.09]`."""
    return f"[{low:.{digits}f}, {high:.{digits}f}]".replace("-", "−")


def _verdict(item: CellResult) -> Value:
    told = item.verdict in ("reproduced", "above", "below")
    return Value(item.verdict, kind=item.verdict if told else "") if item.verdict else NONE


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


def marked(value: Value, bold: Callable[[str], str]) -> str:
    """The text with its mark: bold for the best, ≈ where it is not told apart from the best."""
    if value.mark == "best":
        return bold(value.text)
    return f"{value.text} ≈" if value.mark == "tie" else value.text


def _plain(value: Summary) -> Value:
    return NONE if value.mean is None else Value(spread(value), "", value.mean)


def _runs(item: CellResult, lost: Counter[tuple[str, ...]]) -> Value:
    return Value(_count(item), "", float(item.own.n), (), _unread(item, lost))


def _count(item: CellResult) -> str:
    text = f"{item.own.n}" if item.own.n >= item.expected else f"{item.own.n} of {item.expected}"
    return f"{text} ({undefined(item)} undefined)" if undefined(item) else text


def _ranks_nothing(item: CellResult) -> str:
    """Rejecting by a constant is rejecting at random."""
    return "constant uncertainty" if item.constant and item.rejection else ""


def _unread(item: CellResult, unreadable: Counter[tuple[str, ...]]) -> str:
    """Records of this data set, method and noise that cannot be read, where runs are missing."""
    lost = sum(
        count
        for (dataset, method, noise), count in unreadable.items()
        if (dataset, method) == (item.dataset, item.method) and noise.endswith(f"{item.noise / 100:.2f}")
    )
    return f"{lost} unreadable" if lost and item.runs < item.expected else ""


def _own_less_free(item: CellResult) -> Value:
    if item.own.mean is None or item.free.mean is None:
        return NONE
    difference = item.own.mean - item.free.mean
    ruling = item.own_less_free
    star = "" if ruling is None or _holds_zero(ruling) else " *"
    return Value(signed(difference) + star, "", difference)


def _holds_zero(ruling: Ruling) -> bool:
    low, high = ruling.effect.low, ruling.effect.high
    return low is None or high is None or low <= 0 <= high


def published(value: numbers.PaperNumber | None) -> Value:
    """A number of the paper."""
    if value is None:
        return NONE
    return Value(spread(Summary(value.runs, value.mean, value.sd)), "", value.mean)


PUBLISHED = Column("published", lambda item: published(item.published), measured=False)
