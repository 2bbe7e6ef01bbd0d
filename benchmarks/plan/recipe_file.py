"""A recipe's file as a whole: `[default]`, a table for each data set that differs, and what it extends."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmarks.plan.toml_folder import SUFFIX, TomlFolder
from common.dotted import flatten
from common.errors import UserError
from common.files import user_path
from common.registry import unknown
from datasets.registry import DATASETS
from methods import registry

TomlTable = dict[str, Any]
Verdicts = Literal["reproduction", "setting", "none"]  # the one that says most first
METHODS = "methods"  # the key of the tables of single methods


class RecipeFile(BaseModel):
    """TomlTable of a recipe by data set. Its tables' names and keys are checked here, their values by `Recipe`.

    verdicts: what a number of such a run may say: whether the paper is reproduced, whether a claim holds in this
    setting, or nothing. limits: by data set, what is known of this setting that changes what its numbers mean; it is
    printed with them. Neither is part of a run's identity.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, TomlTable] = Field(init=False)

    title: str
    extends: str | None = None
    verdicts: Verdicts = "setting"
    limits: dict[str, str] = Field(default_factory=dict)
    default: TomlTable = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_data_sets(self) -> Self:
        for name in self.__pydantic_extra__:
            if name not in DATASETS:
                raise ValueError(
                    str(unknown("table", f"[{name}]", ["extends", "verdicts", "limits", "default", *DATASETS]))
                )
        for name, sentence in self.limits.items():
            if name not in DATASETS:
                raise ValueError(str(unknown("key", f"limits.{name}", [f"limits.{one}" for one in DATASETS])))
            if not sentence.isprintable():
                raise ValueError(f"limits.{name} must be one line, without control characters")
        return self

    def table(self, dataset: str, method: str | None) -> TomlTable:
        """What holds for a data set: `[default]`, its own table over it and, with a method, that method's tables."""
        tables = [self.default, self.__pydantic_extra__.get(dataset, {})]
        tables += [table.get(METHODS, {}).get(method, {}) for table in tables]
        return over(*tables)


def over(*tables: TomlTable) -> TomlTable:
    """Each table over those before it; the settings of methods (`method = {...}`) key by key, dotted."""
    found: TomlTable = {}
    for table in tables:
        settings = {**found.get("method", {}), **flatten(table.get("method", {}))}
        found |= {key: value for key, value in table.items() if key != METHODS}
        found |= {"method": settings} if settings else {}
    return found


def values(
    recipes: TomlFolder,
    called: str,
    dataset: str,
    valid: Collection[str],
    method: str | None = None,
    above: tuple[str, ...] = (),
) -> TomlTable:
    """The values of a recipe for a data set, over those of the recipe that it extends, if it does.

    method: with the values that its authors train it with, where the recipe has such (`[DATASET.methods.METHOD]`).

    Raises UserError for a file that is no recipe, a key that is not `valid`, and a recipe that extends itself.
    """
    if os.path.abspath(called) in map(os.path.abspath, above):  # noqa: PTH100 -- a path of any text
        raise UserError(f"recipe '{called}' extends itself: {' -> '.join((*above, called))}")
    file = recipes.validated(called, RecipeFile)
    for name, table in (("default", file.default), *file.__pydantic_extra__.items()):
        own = table.get(METHODS, {})
        if not isinstance(own, dict) or not all(isinstance(part, dict) for part in own.values()):
            raise UserError(f"recipe '{called}': {name}.{METHODS} holds tables, [{name}.{METHODS}.METHOD]")
        for owner in own:
            if owner not in registry.METHODS:
                names = [f"[{name}.{METHODS}.{one}]" for one in registry.METHODS]
                raise UserError(f"recipe '{called}': {unknown('table', f'[{name}.{METHODS}.{owner}]', names)}")
        for place, part in ((name, table), *((f"{name}.{METHODS}.{owner}", part) for owner, part in own.items())):
            if not isinstance(part.get("method", {}), dict):
                raise UserError(f"recipe '{called}': {place}.method holds settings, {{ KEY = VALUE }}")
            try:
                flatten(part.get("method", {}))
            except UserError as error:
                raise UserError(f"recipe '{called}': {place}.method: {error}") from None
            for key in part:
                if key not in valid and not (part is table and key == METHODS):
                    names = [f"{place}.{one}" for one in valid]
                    raise UserError(f"recipe '{called}': {unknown('key', f'{place}.{key}', names)}")
    extended: TomlTable = {}
    if file.extends is not None:
        extended = values(recipes, _beside(called, file.extends), dataset, valid, method, (*above, called))
    return over(extended, file.table(dataset, method))


def _beside(called: str, other: str) -> str:
    """What a recipe calls another one: a name, or the path of a file as seen from its own."""
    return str(Path(called).parent / user_path(other)) if other.endswith(SUFFIX) else other
