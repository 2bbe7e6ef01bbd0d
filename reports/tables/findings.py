"""What holds and what does not, in words: generated from the tables' statistics, never written by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.paper import numbers
from reports.paper.tables import DATASET_LABELS, TABLES, Definition
from reports.runs.frame import Loaded
from reports.stats.ranks import average
from reports.stats.statistics import ALPHA
from reports.tables.cell_results import CellResult
from reports.tables.claims_document import Document
from reports.tables.table import Table

Status = Literal["holds", "open", "does not hold", "not tested"]


@dataclass(frozen=True)
class Finding:
    """One sentence. `status` is about the claim that the sentence names."""

    status: Status
    text: str


@dataclass(frozen=True)
class Section:
    """What one table says about one data set."""

    table: str
    title: str
    setting: str  # how it was measured
    findings: tuple[Finding, ...]


def findings(tables: Sequence[Table]) -> list[Section]:
    """A section for every paper's table and data set shown in it, in the order of the tables."""
    sections = []
    for table in (table for table in tables if table.name in TABLES):
        definition = TABLES[table.name]
        for dataset in dict.fromkeys(cell.dataset for cell in table.results):
            cells = [cell for cell in table.results if cell.dataset == dataset]
            label = DATASET_LABELS.get(dataset, dataset)
            setting = " ".join(
                text for text in table.caption if text.startswith(f"{label}: ") or f"{label} stands in" in text
            )
            found = tuple(_of(definition, dataset, cells))
            sections.append(Section(table.name, f"{table.heading}, {label}", setting, found))
    return sections


_STATUS: Mapping[str, Status] = {
    "holds": "holds",
    "does not hold": "does not hold",
    "cannot be told": "open",
    "not measured": "not tested",
}


def over_all(
    claims: Document, loaded: Loaded, recipe: str | None = None, datasets: Sequence[str] | None = None
) -> Iterator[Section]:
    """Sections that no single table holds: the paper's claims over all data sets, and how the methods rank."""
    found = []
    for entry in claims.entries:
        title = f"{entry.claim.number}. {entry.claim.title}"
        for part in entry.parts:
            where = f" (recipe {part.recipe})" if len(entry.parts) > 1 else ""
            found.append(Finding(_STATUS[part.verdict], f"{title}{where}. {part.sentence}"))
        if not entry.parts:
            found.append(Finding("not tested", f"{title}. There is nothing to compare."))
    yield Section("reproduction", "The paper's claims, over all runs", "", tuple(found))
    if len(loaded.runs):
        ranked = [text if isinstance(text, str) else text.sentence for _, text in average(loaded, recipe, datasets)]
        yield Section("figures", "Average ranks", "", tuple(Finding("open", text) for text in dict.fromkeys(ranked)))


def _of(definition: Definition, dataset: str, cells: Sequence[CellResult]) -> Iterator[Finding]:
    if not any(cell.own.n for cell in cells):
        yield Finding("not tested", "There is nothing to compare.")
        return
    yield from _best(definition, dataset, cells)
    yield from _numbers(cells)
    yield from _free(cells)
    short = sum(cell.own.n < cell.expected for cell in cells)
    if short:
        yield Finding("open", f"{short} of {len(cells)} cells have fewer runs than planned.")


def _step(definition: Definition, cell: CellResult) -> int:
    return cell.noise if definition.axis == "noise" else cell.rejection


def _claimed(definition: Definition, dataset: str, step: int) -> str | None:
    """The arm the paper finds best at this noise or rejection: on this data set, else on most of the table's."""
    given = numbers.values(definition.name)
    own = {place for place, _, condition in given if condition == step and place == dataset}
    places = own or {place for place, _, condition in given if condition == step}
    arms = {row: arm for arm, row in definition.published_rows.items()}
    winners = []
    for place in sorted(places):
        rows = {row: value.mean for (of, row, at), value in given.items() if (of, at) == (place, step)}
        if len(rows) > 1:
            winner = max(rows, key=lambda row: rows[row])
            winners.append(arms.get(winner, winner))
    return Counter(winners).most_common(1)[0][0] if winners else None


def _best(definition: Definition, dataset: str, cells: Sequence[CellResult]) -> Iterator[Finding]:
    """The paper's ranking: is its best method the best here?"""
    axis = "noise" if definition.axis == "noise" else "rejected"
    for step in dict.fromkeys(_step(definition, cell) for cell in cells):
        arm = _claimed(definition, dataset, step)
        known = {cell.arm: cell for cell in cells if _step(definition, cell) == step and cell.own.n}
        if arm is None:
            continue
        where = f"at {step} % {axis}" if len({_step(definition, cell) for cell in cells}) > 1 else "here"
        claim = f"Paper: {arm} is best {where}. "
        if arm not in known or len(known) < 2:
            yield Finding("not tested", f"{claim}No finished runs to compare.")
            continue
        first = max(known, key=lambda name: known[name].own.mean or 0)
        mine, top = known[arm], known[first]
        versus = f"{arm} {mine.own.mean:.2f}, {first} {top.own.mean:.2f}"
        if arm == first and mine.mark == "best":
            yield Finding("holds", f"{claim}It is, significantly ({mine.own.mean:.2f}).")
        elif arm == first:
            yield Finding("open", f"{claim}It has the highest mean ({mine.own.mean:.2f}), but not significantly so.")
        elif mine.mark == "tie":
            yield Finding("open", f"{claim}It is not told apart from the best ({versus}).")
        elif min(mine.own.n, top.own.n) < 2:
            yield Finding("open", f"{claim}It is lower, on one seed ({versus}).")
        else:
            yield Finding("does not hold", f"{claim}It is lower ({versus}).")


def _numbers(cells: Sequence[CellResult]) -> Iterator[Finding]:
    """The paper's numbers: are they met?"""
    told = Counter(cell.verdict for cell in cells if cell.verdict)
    compared = told["reproduced"] + told["above"] + told["below"]
    if compared:
        status: Status = "does not hold" if told["below"] else "holds"
        parts = ", ".join(f"{name} in {told[name]}" for name in ("reproduced", "above", "below") if told[name])
        yield Finding(
            status, f"The published number is met in {compared - told['below']} of {compared} cells: {parts}."
        )
    if told["one seed"]:
        yield Finding("open", f"{told['one seed']} cells rest on one seed: no interval to hold the paper against.")
    if told["not comparable"]:
        reason = next(cell.reason for cell in cells if cell.verdict == "not comparable")
        text = f"{told['not comparable']} cells are not comparable with the published number: {reason}."
        yield Finding("not tested", text)


def _free(cells: Sequence[CellResult]) -> Iterator[Finding]:
    """Each arm's learned uncertainty against 1 - max softmax of the same logits."""
    for arm in dict.fromkeys(cell.arm for cell in cells):
        tested = [cell for cell in cells if cell.arm == arm and cell.free_p is not None]
        if not tested:
            continue
        told = [cell for cell in tested if cell.free_p is not None and cell.free_p < ALPHA]
        better = sum((cell.own.mean or 0) > (cell.free.mean or 0) for cell in told)
        worse = len(told) - better
        status: Status = "does not hold" if worse else "holds" if better == len(tested) else "open"
        yield Finding(
            status,
            f"Rejecting by {arm}'s own uncertainty beats 1 − max softmax significantly in {better} of {len(tested)} "
            f"cells, is significantly worse in {worse}, not told apart in {len(tested) - len(told)}.",
        )
