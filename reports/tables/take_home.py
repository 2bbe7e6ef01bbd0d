"""The five lines that open the document of claims: what these runs are, what they say, and of which data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from benchmarks.plan import recipe as recipes
from benchmarks.plan.recipe_file import Verdicts
from reports.paper.tables import DATASET_LABELS
from reports.tables.claim_results import ClaimResult

if TYPE_CHECKING:
    import pandas as pd

_SAYS: Mapping[Verdicts, str] = {
    "reproduction": "on the paper's own schedule",
    "setting": "what they show holds in this setting",
    "none": "a demonstration, which tests nothing",
}
NO_NOTES = "these records carry no notes of it; docs/data.md says what is known of each data set."


def take_home(
    runs: pd.DataFrame, tiers: Mapping[str, Mapping[str, Verdicts]], entries: Sequence[ClaimResult], data: Sequence[str]
) -> Iterator[str]:
    """tiers: recipe -> data set -> what its runs may say; data: sentences."""
    if not len(runs):
        yield "There are no finished runs: nothing is measured yet."
        return
    yield _schedule(runs, tiers)
    yield _reproduction(tiers, entries)
    for asked, whose in (("paper", "The paper's claims"), ("here", "What the paper does not show")):
        yield f"{whose}: {_outcomes([entry for entry in entries if entry.claim.asked == asked])}."
    yield f"The data: {' '.join(data) or NO_NOTES}"


def _schedule(runs: pd.DataFrame, tiers: Mapping[str, Mapping[str, Verdicts]]) -> str:
    parts, limits = [], []
    for recipe, by_dataset in tiers.items():
        for told in dict.fromkeys(by_dataset.values()):
            names = [name for name, own in by_dataset.items() if own == told]
            mine = runs[(runs["recipe"] == recipe) & runs["dataset"].isin(names)]
            epochs = sorted(set(mine["epochs"]))
            span = f"{epochs[0]} to {epochs[-1]}" if len(epochs) > 1 else f"{epochs[0]}"
            data = " and ".join(DATASET_LABELS.get(name, name) for name in names)
            parts.append(f"{len(mine)} runs of recipe {recipe} on {data} ({span} epochs): {_SAYS[told]}")
            if told == "setting":
                known = ((name, recipes.limits(recipe, name)) for name in names)
                limits += [f" {DATASET_LABELS.get(name, name)}: {limit}" for name, limit in known if limit]
    return "; ".join(parts) + "." + "".join(limits)


def _reproduction(tiers: Mapping[str, Mapping[str, Verdicts]], entries: Sequence[ClaimResult]) -> str:
    if not any(told == "reproduction" for part in tiers.values() for told in part.values()):
        return "No run here is of the published schedule, so nothing here says whether the paper is reproduced."
    findings = (one for entry in entries for part in entry.parts for one in part.findings)
    held = [one.reproduced.outcome for one in findings if one.reproduced is not None]
    names = {"equivalent": "reproduced", "different": "not reproduced", "undecided": "undecided"}
    counts = ", ".join(f"{words} {held.count(name)}" for name, words in names.items())  # type: ignore[arg-type]
    return f"Of the paper's differences, {len(held)} can be held against ours (equal to within a point): {counts}."


def _outcomes(entries: Sequence[ClaimResult]) -> str:
    told = [f"({entry.claim.number}) {part.told}" for entry in entries for part in entry.tested]
    return "; ".join(told) or "none is tested by these runs"
