"""What a table says about itself: how it was measured, on what, and what is wrong or missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.plan import recipe as recipes
from reports.paper import numbers
from reports.paper.tables import DATASET_LABELS, STAND_INS, Definition
from reports.runs.frame import Loaded
from reports.runs.select import Selection, command, describe_setup
from reports.stats.outcome import MARGIN, Outcome
from reports.tables.cell_results import CellResult, undefined

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Note:
    """A footnote; `command` is what to type, where there is something to do."""

    text: str
    command: str = ""


HOW = (
    "Mean ± standard deviation over seeds, in per cent, of the last epoch; n = finished runs. best-on-test (oracle) "
    "takes the epoch that is best on the test set itself, as several papers report: it overstates, and has a column "
    "of its own."
)
CROPS = "In ten crops: the best epoch is chosen by a single view, so that its number may be below the last epoch's."
MARKS = (
    "One model over the table (method in cell, seed at random, one variance for all unless they differ) gives the "
    "marks: bold: best of its column, alone; ≈: the highest and what is not told apart from it (Tukey's 95 % "
    "intervals, over seeds and test images). − {control}: the difference, with intervals that hold for the whole "
    "column (Dunnett): higher or lower; equal: within {margin:g} point; undecided, with the smallest difference that "
    "these runs would find."
)
SETTING = "The recipe {name} is not the paper's: whatever is told apart here is told apart in this setting."
NO_VERDICT = (
    "A demonstration (recipe {name}): its numbers allow no verdict, no comparison and no difference to the paper."
)
AGAINST = (
    "published, difference: the paper's number and ours minus it. Verdict: reproduced = equal to within {margin:g} "
    "point (two one-sided tests, 5 %); above, below: different; undecided: neither can be shown."
)


COMMON = "All methods share a recipe's values (--protocol common), not those that each one's authors took."


def caption(definition: Definition, selection: Selection, results: Sequence[CellResult]) -> Iterator[str]:
    """Sentences that every reader needs: protocol, data, hardware, code."""
    suite = selection.suite
    if warning := _stand_in(definition, selection):
        yield warning
    yield HOW
    if any(setup.resolved.test_view == "ten_crop" for setup in selection.setups.values()):
        yield CROPS
    controls = ", ".join(dict.fromkeys(item.control for item in results if item.control))
    if any(item.mark or item.control for item in results):
        yield MARKS.format(control=controls or "control", margin=MARGIN)
    for dataset in selection.datasets:
        setup = selection.setups.get(dataset)
        told = {item.allows for item in results if item.dataset == dataset}
        if setup is not None and told & {"none", "setting"}:
            limits = "" if "none" in told else recipes.limits(setup.recipe, dataset)
            words = (NO_VERDICT if "none" in told else SETTING).format(name=setup.recipe)
            yield f"{_label(dataset)}: {words} {limits}".rstrip()
    if any(item.verdict and item.verdict != "not comparable" for item in results):
        yield AGAINST.format(margin=MARGIN)
    for dataset in selection.datasets:
        setup = selection.setups.get(dataset)
        if setup is None:
            yield f"{_label(dataset)}: no finished runs."
        else:
            runs = selection.runs(dataset)
            seeds = ", ".join(str(seed) for seed in sorted(set(runs["seed"])))
            noise = _noise(suite.noise, suite.noise_kind, runs)
            yield f"{_label(dataset)}: {describe_setup(setup)}; seeds {seeds}; {noise}."
    if any(setup.protocols == "common" for setup in selection.setups.values()):
        yield COMMON
    yield from evidence(selection.runs())


def _label(dataset: str) -> str:
    return DATASET_LABELS.get(dataset, dataset)


def _stand_in(definition: Definition, selection: Selection) -> str:
    suite = selection.suite
    if suite.stand_in is None or suite.stand_in not in selection.datasets:
        return ""
    what = STAND_INS.get(suite.stand_in, "embedded data")
    names = ", ".join(_label(name) for name in suite.datasets if name not in selection.datasets)
    return (
        f"A demonstration on {what}, no verdict: {suite.stand_in} stands in for {names}, of which there are no "
        "finished runs (no data found)."
    )


def _noise(wanted: Sequence[float], kind: str, runs: pd.DataFrame) -> str:
    if tuple(wanted) == (0.0,):
        return "labels as they come, no noise added"
    parts = []
    for ratio in wanted:
        realised = runs[(runs["noise"] - ratio).abs() < 1e-9]["noise_realised"].dropna().astype(float)
        if len(realised):
            low, high = f"{100 * realised.min():.2f}", f"{100 * realised.max():.2f}"
            parts.append(f"{low} %" if low == high else f"{low}–{high} %")
    return f"{kind} noise, share of labels flipped {' / '.join(parts) or 'not recorded'}"


def _distinct(values: Sequence[Any]) -> list[str]:
    return sorted({str(value) for value in values if value is not None and value == value})


def evidence(runs: pd.DataFrame) -> Iterator[str]:
    """Which runs are released records, and what hardware and code the runs are from; nothing where there are none."""
    public = runs["released"].astype(bool)
    for part, whose in ((runs[public], "released records (reports/released)"), (runs[~public], "own")):
        if len(part):
            all_own = whose == "own" and len(part) == len(runs)
            yield _made(part) if all_own else f"{len(part)} of {len(runs)} runs are {whose}. {_made(part)}"


def _made(runs: pd.DataFrame) -> str:
    hardware = _distinct(runs["processor"]) + [name for name in _distinct(runs["device"]) if name != "cpu"]
    commits = [commit[:10] for commit in _distinct(runs["commit"])]
    text = f"Hardware: {', '.join(hardware) or 'not recorded'}. {_precision(runs['precision'])}"
    text += f"Code: {', '.join(commits) or 'no commit recorded'}"
    dirty = sum(value is True for value in runs["dirty"])
    return text + (f"; {dirty} of {len(runs)} runs with uncommitted changes." if dirty else ".")


def _precision(used: pd.Series) -> str:
    """What the runs computed in: a GPU's default is another than a processor's, and neither is part of a run's id."""
    counts = used.dropna().value_counts(sort=False).sort_index()
    if len(counts) < 2:
        return "".join(f"Precision: {name}. " for name in counts.index)
    named = (f"{name} ({count} run{'s' if count > 1 else ''})" for name, count in counts.items())
    return f"Precision: {', '.join(named)}. "


def of_the_data(runs: pd.DataFrame) -> Iterator[str]:
    """What a reader must know of the data sets of these runs, each once."""
    for dataset, found in runs.groupby("dataset", sort=True)["data_notes"]:
        for note in dict.fromkeys(note for part in found for note in part):
            yield f"{_label(dataset)}: {note.removesuffix('.')}."


def problems(loaded: Loaded, run_ids: Collection[str] | None = None) -> Iterator[Note]:
    """What could not be read, conflicts, and how own runs agree with the released ones (of `run_ids`, or of all)."""
    yield from (Note(f"Not read: {problem}") for problem in loaded.unreadable)
    yield from (Note(f"Conflict, not averaged: {problem}") for problem in loaded.conflicts)
    again = [one for one in loaded.repeats if run_ids is None or one.run_id in run_ids]
    gaps = [100 * (one.own - one.released) for one in again if one.own == one.own and one.released == one.released]
    if gaps:
        yield Note(
            f"{len(again)} of these runs are released too; the own ones are used. Accuracy, own minus released: "
            f"mean {sum(gaps) / len(gaps):+.2f}, largest {max(gaps, key=abs):+.2f} points (last epoch)."
        )


def notes(
    definition: Definition, selection: Selection, results: Sequence[CellResult], loaded: Loaded, prefix: str
) -> Iterator[Note]:
    """Footnotes: what is missing and how to fill it, what cannot be compared, what could not be read."""
    yield from (Note(remark) for remark in definition.remarks)
    for dataset in selection.datasets:
        mine = [item for item in results if item.dataset == dataset]
        yield from _missing(dataset, selection, prefix)
        for reason in dict.fromkeys(item.reason for item in mine if item.reason):
            yield Note(f"{_label(dataset)} is not comparable with the paper: {reason}.")
        yield from _own_against_free(dataset, mine)
        yield from map(Note, of_the_data(selection.runs(dataset)))
        yield from _oddities(dataset, mine)
    # Within a protocol notes differ in their words alone: the newest stands for all.
    told = selection.runs().sort_values("finished").drop_duplicates(["method", "protocol"], keep="last")
    told = told[["method", "method_note"]].drop_duplicates().sort_values("method")
    yield from (Note(f"{row.method}: {row.method_note}.") for row in told.itertuples() if row.method_note)
    yield from (Note(note) for note in selection.notes)
    yield from problems(loaded, set(selection.runs()["run_id"]))
    if any(item.published is not None for item in results):
        yield Note(f"Published numbers: {numbers.contents()['source']}.")


def _missing(dataset: str, selection: Selection, prefix: str) -> Iterator[Note]:
    cells = [cell for (name, _, _), cell in selection.cells.items() if name == dataset]
    missing, expected = sum(len(cell.missing) for cell in cells), sum(len(cell.expected) for cell in cells)
    if missing:
        fill = command(selection.suite, dataset, selection.setups.get(dataset), prefix)
        yield Note(f"{_label(dataset)}: {missing} of {expected} runs are missing. To fill them:", fill)


def _own_against_free(dataset: str, results: Sequence[CellResult]) -> Iterator[Note]:
    """Whether the learned uncertainties add something to the free score, in one sentence."""
    told = Counter(item.own_less_free.outcome for item in results if item.own_less_free is not None)
    if told:
        text = ", ".join(f"{words} in {told[name]}" for name, words in _OWN_LESS_FREE.items() if told[name])
        yield Note(
            f"{_label(dataset)}: rejecting by the method's own uncertainty instead of 1 − max softmax, "
            f"{told.total()} cells: {text}."
        )


_OWN_LESS_FREE: dict[Outcome, str] = {
    "supported": "better",
    "opposed": "worse",
    "equivalent": "the same (adds nothing for rejection)",
    "undecided": "undecided",
}


def _oddities(dataset: str, results: Sequence[CellResult]) -> Iterator[Note]:
    one_seed = [item for item in results if item.own.n == 1]
    if one_seed:
        yield Note(f"{_label(dataset)}: {len(one_seed)} cell(s) rest on one seed: no deviation, no test, no verdict.")
    for item in results:
        where = f"{_label(dataset)}, {item.arm}, noise {item.noise} %, rejected {item.rejection} %"
        if undefined(item):
            yield Note(f"{where}: {undefined(item)} finished run(s) hold no such number (undefined or NaN).")
        if item.constant and item.rejection == max(other.rejection for other in results):
            yield Note(f"{where}: one uncertainty for all images in {item.constant} run(s): a constant ranks nothing.")
        if item.own.sd == 0:
            yield Note(f"{where}: all seeds gave the same number.")
