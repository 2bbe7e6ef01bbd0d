"""Does a measured cell agree with the published one, and may the two be compared at all?"""

from __future__ import annotations

from benchmarks.plan import recipe as recipes
from benchmarks.plan.recipe import Recipe
from common.errors import UserError
from reports.paper.numbers import PaperNumber
from reports.stats.statistics import Summary, interval

# Recipe fields that say nothing about how a network is trained.
_LABELS = {"name", "source", "precision"}


def verdict(measured: Summary, published: PaperNumber) -> str:
    """ "reproduced", "above" or "below"; "one seed" where there is no interval to hold the published number against.

    Reproduced: the published mean lies within our 95 % interval or, where the paper gives a deviation, the two 95 %
    intervals of the mean overlap.
    """
    if measured.low is None or measured.high is None or measured.mean is None:
        return "one seed" if measured.n == 1 else ""
    low = high = published.mean
    if published.sd is not None:
        low, high = interval(published.mean, published.sd, published.runs)
    if measured.low <= high and low <= measured.high:
        return "reproduced"
    return "above" if measured.mean > published.mean else "below"


def deviations(used: Recipe, dataset: str) -> list[str]:
    """How a run's recipe departs from the paper's for this data set: `backbone small (paper: resnet18)` ..."""
    try:
        paper = recipes.load("paper", dataset)
    except UserError:
        return ["there is no recipe 'paper' to compare with"]
    return [
        _deviation(field, getattr(used, field), getattr(paper, field))
        for field in Recipe.model_fields
        if field not in _LABELS and getattr(used, field) != getattr(paper, field)
    ]


def _deviation(field: str, used: object, paper: object) -> str:
    mine, theirs = _short(used), _short(paper)
    return f"{field} {mine} (paper: {theirs})" if mine != theirs else f"{field} {mine} of other values"


def _short(value: object) -> str:
    if hasattr(value, "kind"):
        return str(value.kind)
    if isinstance(value, dict):
        return " ".join(f"{key}={item}" for key, item in value.items()) or "none"
    if isinstance(value, tuple):  # augmentation steps, or numbers
        return ", ".join(item.op if hasattr(item, "op") else f"{item:g}" for item in value) or "none"
    return "none" if value is None else str(value)


def as_published(used: Recipe, dataset: str) -> bool:
    """Whether a run is of the published schedule, unchanged: only then the paper's number may stand beside it."""
    return used.name == "paper" and not deviations(used, dataset)
