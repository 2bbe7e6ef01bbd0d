"""Recipes: how a data set is trained on, as data (`benchmarks/recipes/*.toml`), validated on the way in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.plan.toml_folder import TomlFolder
from common.errors import UserError
from common.validation import Problem

MOST_EPOCHS = 10_000  # the paper trains 250
RECIPES = TomlFolder("recipe", Path(__file__).parent / "recipes")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Constant(_Part):
    """The base learning rate throughout."""

    kind: Literal["constant"] = "constant"


class Exponential(_Part):
    """lr x gamma after each epoch."""

    kind: Literal["exponential"]
    gamma: float = Field(gt=0, le=1)


class StepDecay(_Part):
    """lr x factor^((epoch - start) // every) from epoch `start` on (FER2013's public setting)."""

    kind: Literal["step"]
    start: int = Field(ge=0)
    every: int = Field(ge=1)
    factor: float = Field(gt=0, le=1)


class Cosine(_Part):
    """Linear warm-up over the first `warmup` share of all steps, then half a cosine to zero."""

    kind: Literal["cosine"]
    warmup: float = Field(0.0, ge=0, lt=1)


Schedule = Annotated[Constant | Exponential | StepDecay | Cosine, Field(discriminator="kind")]


class Recipe(_Part):
    """Everything about training that is neither the method's nor the data set's own."""

    name: str
    source: str = ""  # where the values come from; not part of a run's identity
    backbone: str
    pretrained: Literal["none", "msceleb", "imagenet"] = "none"
    image_size: int | None = Field(None, ge=8, description="pixels to resize to; the data set's own size if absent")
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    optimizer: Literal["adam", "sgd"]
    lr: float = Field(gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(ge=0)
    classifier_lr: float = Field(1.0, gt=0, description="learning-rate multiplier of the last layer")
    schedule: Schedule = Constant()
    clip_value: float | None = Field(None, gt=0, description="gradient values are clipped to [-clip_value, clip_value]")
    precision: Literal["auto", "float32", "tf32", "bfloat16", "float16"] = "auto"
    compile: bool = Field(False, description="the backbone's training pass through torch.compile")
    augment: tuple[dict[str, Any], ...] = ()
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)
    crop: int | None = Field(None, ge=8, description="centre crop at test time, for recipes that train on crops")
    test_view: Literal["single", "ten_crop"] = "single"
    method: dict[str, Any] = Field(default_factory=dict, description="method settings that belong to this schedule")

    def input_size(self, native: int) -> int:
        """Pixels a side of what the network sees, for images of `native` pixels."""
        return self.crop or self.image_size or native


def load(name: str, dataset: str, **changes: Any) -> Recipe:
    """The recipe `name` for a data set: its `[default]` table, then its `[<dataset>]` table, then `changes`.

    All of that over the recipe that it `extends`, if it does. `folder:PATH` has the table `[folder]`.

    Raises UserError for an unknown recipe or a value out of range.
    """
    try:
        return Recipe(name=name, **{**_values(name, dataset.partition(":")[0]), **changes})
    except ValidationError as error:
        wrong = Problem.of(error)
        raise UserError(f"recipe '{name}' for '{dataset}': {wrong.place} = {wrong.value!r}: {wrong.reason}") from None


def _values(name: str, table: str) -> dict[str, Any]:
    tables = RECIPES.read(name)
    extended = _values(tables["extends"], table) if "extends" in tables else {}
    return {**extended, **tables["default"], **tables.get(table, {})}
