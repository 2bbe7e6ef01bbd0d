"""The random operations that a recipe can name, as typed data without torch: what they do is in `apply.py`.

Adding one: a class here, its name in `_Any`, and its function in `apply.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
    model_validator,
)

from common.errors import UserError
from common.registry import unknown
from common.validation import Problem

Number = int | float  # kept as it was written: a run's identity tells 30 from 30.0
Range = tuple[Number, Number]


class Spec(BaseModel):
    """One random operation: `{"op": NAME, ...fields}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    after_normalising: ClassVar[bool] = False

    op: str

    @model_serializer(mode="wrap")
    def _as_written(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the defaults that nobody wrote, so that a later setting changes no run's identity."""
        return {name: value for name, value in fields(self).items() if name in self.model_fields_set}


class Flip(Spec):
    """Mirror left and right with probability p (torchvision's RandomHorizontalFlip)."""

    op: Literal["flip"]
    p: Number = Field(0.5, ge=0, le=1)


class Crop(Spec):
    """Cut a square of `size` pixels at a random place, after padding with black (torchvision's RandomCrop).

    With `size` the image's own and a `padding` it shifts the image by up to `padding` pixels.
    """

    op: Literal["crop"]
    size: int = Field(ge=1, le=1 << 14)
    padding: int = Field(0, ge=0, le=1 << 10)


class FlipOrNoise(Spec):
    """With probability p either mirror or add Gaussian noise, one or the other with equal odds.

    RUL's released code: noise of variance 30 on pixel values 0..255, then clipped and cut to whole numbers. (There it
    is added before resizing to 224 pixels, here at the size that the data set was loaded at.)
    """

    op: Literal["flip_or_noise"]
    p: Number = Field(0.5, ge=0, le=1)
    variance: Number = Field(30.0, gt=0)


class GaussianNoise(Spec):
    """Add Gaussian noise as FlipOrNoise does, with probability p: EAC's released code, which flips in another view."""

    op: Literal["noise"]
    p: Number = Field(0.5, ge=0, le=1)
    variance: Number = Field(30.0, gt=0)


class Cutout(Spec):
    """Set a square of `size` pixels to zero; its centre is anywhere in the image, so a part may lie outside.

    DeVries & Taylor, arXiv 1708.04552; CONF's released code: 16 pixels on CIFAR-10.
    """

    after_normalising = True
    op: Literal["cutout"]
    size: int = Field(ge=1, le=1 << 14)


class _Box(Spec):
    scale: Range
    ratio: Range

    @model_validator(mode="after")
    def _ordered(self) -> _Box:
        if not (0 < self.scale[0] <= self.scale[1] <= 1 and 0 < self.ratio[0] <= self.ratio[1]):
            raise ValueError("scale must be ascending within (0, 1] and ratio ascending above 0")
        return self


class Erase(_Box):
    """Set a random rectangle to zero, the mean after normalising, with probability p (torchvision's RandomErasing).

    `scale`: range of its share of the image's area; `ratio`: range of height / width.
    """

    after_normalising = True
    op: Literal["erase"]
    p: Number = Field(0.5, ge=0, le=1)
    scale: Range = (0.02, 0.33)
    ratio: Range = (0.3, 3.3)


class ResizedCrop(_Box):
    """Cut a random box and resize it to `size` pixels (torchvision's RandomResizedCrop, bilinear, antialiased).

    `ratio`: range of width / height.
    """

    op: Literal["resized_crop"]
    size: int = Field(ge=1, le=1 << 14)
    scale: Range = (0.08, 1.0)
    ratio: Range = (3 / 4, 4 / 3)


def _in_order(operations: tuple[Spec, ...]) -> tuple[Spec, ...]:
    for before, after in itertools.pairwise(operations):
        if before.after_normalising and not after.after_normalising:
            raise ValueError(f"augmentation '{after.op}' works on pixel values and must come before '{before.op}'")
    return operations


_Any = Flip | Crop | FlipOrNoise | GaussianNoise | Erase | Cutout | ResizedCrop
Operation = Annotated[_Any, Field(discriminator="op")]
Operations = Annotated[tuple[Operation, ...], AfterValidator(_in_order)]
_KINDS: dict[str, type[Spec]] = {get_args(kind.model_fields["op"].annotation)[0]: kind for kind in get_args(_Any)}
_ADAPTER: TypeAdapter[tuple[Operation, ...]] = TypeAdapter(Operations)


def parse(operations: Sequence[Spec | Mapping[str, Any]]) -> tuple[Operation, ...]:
    """Typed operations. Raises UserError for an unknown operation or key, a bad value, or a bad order."""
    try:
        return _ADAPTER.validate_python(tuple(operations))
    except ValidationError as error:
        raise problem_of(error, operations) from None


def problem_of(error: ValidationError, operations: Any) -> UserError:
    """The first finding about `operations` in words, with what is valid. Its place may begin with `augment`."""
    wrong = Problem.of(error)
    number, _, place = wrong.place.removeprefix("augment").removeprefix(".").partition(".")
    try:
        fields = operations[int(number)]
        name = str(fields.op if isinstance(fields, Spec) else fields.get("op", ""))
    except (ValueError, LookupError, TypeError, AttributeError):  # of the whole list, or no table at all
        return UserError(wrong.reason if wrong.reason.startswith("augmentation ") else f"augmentation: {wrong.reason}")
    if name not in _KINDS:
        return unknown("augmentation", name, _KINDS)
    valid = ", ".join(key for key in _KINDS[name].model_fields if key != "op")
    place = place.removeprefix(name).removeprefix(".").partition(".")[0] or "value"
    return UserError(f"augmentation '{name}': {place}: {wrong.reason}; valid keys: {valid}")


def check_normalisation(mean: Sequence[float], std: Sequence[float]) -> None:
    """Raise UserError where `mean` and `std`, per channel or one for all, do not fit each other."""
    if len(mean) != len(std) or not mean or min(std) <= 0:
        raise UserError(f"mean {tuple(mean)} and std {tuple(std)} must be of one length, std positive")
