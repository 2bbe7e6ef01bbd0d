"""What a run's numbers may say, and whether a measured cell equals the published one."""

from __future__ import annotations

from benchmarks.plan import recipe as recipes
from benchmarks.plan.recipe import Recipe
from benchmarks.plan.recipe_file import Verdicts
from common.errors import UserError
from reports.paper import numbers
from reports.paper.numbers import PaperNumber
from reports.paper.tables import STAND_INS
from reports.stats.effects import Effect
from reports.stats.outcome import MARGIN, equivalence

# Recipe fields that say nothing about how a network is trained.
_LABELS = {"name", "source", "precision", "compile", "protocol"}
_WORDS = {"equivalent": "reproduced", "undecided": "undecided"}


def allowed(used: Recipe, dataset: str, method: str, weights: object = None) -> Verdicts:
    """Which verdicts runs of this recipe, as it was used, allow on a data set.

    None on a stand-in, and none where values were changed: a recipe's file speaks for its own values only. The paper's
    schedule without the weights that it starts from speaks of a setting, not of reproduction.
    """
    if dataset in STAND_INS:
        return "none"
    told = recipes.verdicts(used.name)
    if told == "none" or used.name not in recipes.RECIPES.names():
        return told
    if _different(used, recipes.load(used.name, dataset, method if used.protocol == "own" else None)):
        return "none"
    started = used.pretrained == "none" or (weights is not None and weights == weights)
    return told if started else "setting"


def _different(used: Recipe, wanted: Recipe) -> list[str]:
    fields = (field for field in Recipe.model_fields if field not in _LABELS)
    return [field for field in fields if getattr(used, field) != getattr(wanted, field)]


def verdict(measured: Effect, runs: int, published: PaperNumber, margin: float = MARGIN) -> str:
    """ "reproduced" (equal to within the margin, by two one-sided tests), "above", "below", "undecided";
    "one seed" where a single run is all there is. measured: a mean without the images' part, since the paper's test
    set is the same.
    """
    if measured.error is None or runs < 2:
        return "one seed"
    found = equivalence(measured, published.mean, published_error=published.error, margin=margin)
    return _WORDS.get(found.outcome) or ("above" if found.difference > 0 else "below")


def deviations(used: Recipe, dataset: str) -> list[str]:
    """How a run's recipe departs from the recipe `paper` for this data set: `backbone small (paper: resnet18)` ...

    Values that the paper does not give are named as the recipe's: `(recipe paper: ...)`.
    """
    try:
        paper = recipes.load("paper", dataset)
    except UserError:
        return ["there is no recipe 'paper' to compare with"]
    return [
        _deviation(field, getattr(used, field), getattr(paper, field), dataset) for field in _different(used, paper)
    ]


def _deviation(field: str, used: object, paper: object, dataset: str) -> str:
    mine, theirs = _short(used), _short(paper)
    whose = "paper" if numbers.gives(dataset, field) else "recipe paper"
    return f"{field} {mine} ({whose}: {theirs})" if mine != theirs else f"{field} {mine} of other values"


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
