"""Recipes: how a data set is trained on, as data (`benchmarks/plan/recipes/*.toml`), validated on the way in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from benchmarks.plan import recipe_file
from benchmarks.plan.numeric import Real, Values, Whole
from benchmarks.plan.recipe_file import RecipeFile
from benchmarks.plan.toml_folder import TomlFolder
from common.errors import UserError
from common.registry import unknown
from common.text import one_line, printable
from common.validation import Problem
from datasets.augment.operations import Operations, check_normalisation, problem_of

MOST_EPOCHS = 10_000  # the paper trains 250
MOST_PIXELS = 1024  # a side
RECIPES = TomlFolder("recipe", Path(__file__).parent / "recipes")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Constant(_Frozen):
    """The base learning rate throughout."""

    kind: Literal["constant"] = "constant"


class Exponential(_Frozen):
    """lr x gamma after each epoch."""

    kind: Literal["exponential"]
    gamma: Real = Field(gt=0, le=1)


class StepDecay(_Frozen):
    """lr x factor^((epoch - start) // every) from epoch `start` on (FER2013's public setting)."""

    kind: Literal["step"]
    start: Whole = Field(ge=0)
    every: Whole = Field(ge=1)
    factor: Real = Field(gt=0, le=1)


class MultiStep(_Frozen):
    """lr x factor at each of these epochs, counted from 0."""

    kind: Literal["multi_step"]
    epochs: tuple[Whole, ...] = Field(min_length=1)
    factor: Real = Field(gt=0, le=1)


class Cosine(_Frozen):
    """Linear warm-up over the first `warmup` share of all steps, then half a cosine to zero."""

    kind: Literal["cosine"]
    warmup: Real = Field(0.0, ge=0, lt=1)


class OneCycle(_Frozen):
    """Linear warm-up, half a cosine down to `floor` x lr, and the last `cooldown` share of all steps at that.

    As Smith's one-cycle policy (arXiv:1803.09820), whose last steps run far below the first rate.
    """

    kind: Literal["one_cycle"]
    warmup: Real = Field(ge=0, lt=1)
    cooldown: Real = Field(ge=0, lt=1)
    floor: Real = Field(gt=0, le=1)

    @model_validator(mode="after")
    def _leaves_steps_between(self) -> OneCycle:
        if self.warmup + self.cooldown >= 1:
            raise ValueError(f"warmup {self.warmup:g} and cooldown {self.cooldown:g} leave no steps between them")
        return self


Schedule = Annotated[Constant | Exponential | StepDecay | MultiStep | Cosine | OneCycle, Field(discriminator="kind")]


class Recipe(_Frozen):
    """Everything about training that is neither the method's nor the data set's own."""

    name: Annotated[str, AfterValidator(one_line)]
    source: str = ""  # where the values come from; not part of a run's identity
    backbone: str
    pretrained: Literal["none", "msceleb", "imagenet", "timm"] = "none"
    image_size: Whole | None = Field(
        None, ge=8, le=MOST_PIXELS, description="pixels to resize to; the data set's own size if absent"
    )
    epochs: Whole = Field(ge=1, le=MOST_EPOCHS)
    batch_size: Whole = Field(ge=2, le=2**16)
    optimizer: Literal["adam", "sgd"]
    lr: Real = Field(gt=0)
    momentum: Real = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: Real = Field(ge=0)
    classifier_lr: Real = Field(1.0, gt=0, description="learning-rate multiplier of the last layer")
    schedule: Schedule = Constant()
    clip_value: Real | None = Field(None, gt=0, description="gradient values are clipped to [-clip_value, clip_value]")
    precision: Literal["auto", "float32", "tf32", "bfloat16", "float16"] = "auto"
    compile: bool = Field(False, description="the backbone's training pass through torch.compile")
    augment: Operations = ()
    second_view: Operations | None = Field(
        None, description="under label noise, how a method's second view of an image is made, drawn by itself (EAC)"
    )
    mean: tuple[Real, ...] = (0.5,)
    std: tuple[Real, ...] = (0.25,)
    crop: Whole | None = Field(
        None, ge=8, le=MOST_PIXELS, description="centre crop at test time, for recipes that train on crops"
    )
    test_view: Literal["single", "ten_crop"] = "single"
    sampler: Literal["shuffle", "balanced"] = Field(
        "shuffle", description="an epoch's order: each image once, or as many draws with every class as likely"
    )
    protocol: Literal["common", "own"] = Field(
        "common", description="one set of values for all methods, or each its own"
    )
    method: Values = Field(default_factory=dict, description="method settings that belong to this schedule")

    @model_validator(mode="after")
    def _normalises(self) -> Recipe:
        check_normalisation(self.mean, self.std)
        return self

    @model_validator(mode="after")
    def _can_be_done(self) -> Recipe:
        """What else would end each run, one of them after its last epoch."""
        if self.test_view == "ten_crop" and self.crop is None:
            raise ValueError("test_view = ten_crop needs a crop, the side of the ten")
        if self.optimizer == "sgd" and self.nesterov and not self.momentum:
            raise ValueError("nesterov = true needs a momentum above 0")
        return self

    def input_size(self, native: int) -> int:
        """Pixels a side of what the network sees, for images of `native` pixels."""
        return self.crop or self.image_size or native


def load(name: str, dataset: str, method: str | None = None, /, **changes: Any) -> Recipe:
    """The recipe `name` for a data set: its `[default]` table, then its `[<dataset>]` table, then `changes`.

    All of that over the recipe that it `extends`, if it does. `folder:PATH` has the table `[folder]`.

    method: the one whose own protocol is asked for, where the recipe knows it; None: the values common to all.

    Raises UserError for an unknown recipe or a value out of range.
    """
    keys = [key for key in Recipe.model_fields if key not in ("name", "protocol")]
    for key in changes:
        if key not in keys:
            raise unknown("setting", f"recipe.{key}", [f"recipe.{valid}" for valid in keys])
    values = {**recipe_file.values(RECIPES, name, dataset.partition(":")[0], keys, method), **changes}
    values["protocol"] = "common" if method is None else "own"
    try:
        return Recipe(name=RECIPES.name_of(name), **values)
    except ValidationError as error:
        wrong = Problem.of(error)
        what = f"{wrong.place} = {wrong.value!r:.80}: {wrong.reason}" if wrong.place else wrong.reason
        if (field := wrong.place.partition(".")[0]) in ("augment", "second_view"):
            what = str(problem_of(error, values[field]))
        raise UserError(printable(f"recipe '{name}' for '{dataset}': {what}")) from None


def verdicts(name: str) -> recipe_file.Verdicts:
    """What numbers of a recipe's runs may say; of a recipe that is not at hand (a user's own file): "setting"."""
    if name not in RECIPES.names():
        return "setting"
    return RECIPES.validated(name, RecipeFile).verdicts


def limits(name: str, dataset: str) -> str:
    """What is known of a recipe that changes what its numbers on a data set mean: a sentence, or nothing."""
    return RECIPES.validated(name, RecipeFile).limits.get(dataset, "") if name in RECIPES.names() else ""
