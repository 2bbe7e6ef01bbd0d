"""A recipe's file as a whole: `[default]`, a table for each data set that differs, and what it extends."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmarks.plan.toml_folder import TomlFolder
from common.errors import UserError
from common.registry import unknown
from datasets.registry import DATASETS

Table = dict[str, Any]


class RecipeFile(BaseModel):
    """Values of a recipe by data set. Its tables' names and keys are checked here, their values by `Recipe`."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Table] = Field(init=False)

    title: str
    extends: str | None = None
    default: Table = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_data_sets(self) -> Self:
        for name in self.__pydantic_extra__:
            if name not in DATASETS:
                raise ValueError(str(unknown("table", f"[{name}]", ["extends", "default", *DATASETS])))
        return self

    def table(self, dataset: str) -> Table:
        """What holds for a data set: `[default]`, and its own table over it."""
        return {**self.default, **self.__pydantic_extra__.get(dataset, {})}


def values(
    recipes: TomlFolder, called: str, dataset: str, valid: Collection[str], above: tuple[str, ...] = ()
) -> Table:
    """The values of a recipe for a data set, over those of the recipe that it extends, if it does.

    Raises UserError for a file that is no recipe, a key that is not `valid`, and a recipe that extends itself.
    """
    if called in above:
        raise UserError(f"recipe '{called}' extends itself: {' -> '.join((*above, called))}")
    file = recipes.validated(called, RecipeFile)
    for name, table in (("default", file.default), *file.__pydantic_extra__.items()):
        for key in table:
            if key not in valid:
                raise UserError(f"recipe '{called}': {unknown('key', f'{name}.{key}', [f'{name}.{v}' for v in valid])}")
    extended = {} if file.extends is None else values(recipes, file.extends, dataset, valid, (*above, called))
    return {**extended, **file.table(dataset)}
