"""The random operations that a recipe can name: typed, and each a batch at once, drawn per image, on its device.

Adding one: a class here and a line in `OPS`. Randomness comes only from the generator passed in, which lives on the
images' device; nothing waits for the device.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Generator, Tensor

from common.errors import UserError
from common.registry import unknown
from common.validation import Problem
from datasets.augment import rows as augment_rows

_TRIES = 10  # draws of a box before giving up, as in torchvision's RandomErasing and RandomResizedCrop
Range = tuple[float, float]


class Op(BaseModel, ABC):
    """One random operation, as data: `{"op": NAME, ...fields}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    after_normalising: ClassVar[bool] = False

    @abstractmethod
    def apply(self, images: Tensor, generator: Generator) -> Tensor:
        """[B, C, H, W] -> [B, C, h, w]; values 0..255, uint8 or float32 (normalised float32 `after_normalising`)."""


class Flip(Op):
    """Mirror left and right with probability p (torchvision's RandomHorizontalFlip)."""

    p: float = Field(0.5, ge=0, le=1)

    def apply(self, images: Tensor, generator: Generator) -> Tensor:
        return augment_rows.mirror(images, _coin(images, self.p, generator))


class Crop(Op):
    """Cut a square of `size` pixels at a random place, after padding with black (torchvision's RandomCrop).

    With `size` the image's own and a `padding` it shifts the image by up to `padding` pixels.
    """

    size: int = Field(ge=1)
    padding: int = Field(0, ge=0)

    def apply(self, images: Tensor, generator: Generator) -> Tensor:
        if self.padding:
            images = F.pad(images, [self.padding] * 4)
        check_crop(self.size, images)
        count, _, height, width = images.shape
        down = torch.randint(height - self.size + 1, (count,), generator=generator, device=images.device)
        across = torch.randint(width - self.size + 1, (count,), generator=generator, device=images.device)
        windows = images.unfold(2, self.size, 1).unfold(3, self.size, 1)  # a view: [B, C, places, places, size, size]
        return windows[torch.arange(count, device=images.device), :, down, across]


class FlipOrNoise(Op):
    """With probability p either mirror or add Gaussian noise, one or the other with equal odds.

    RUL's released code: noise of variance 30 on pixel values 0..255, then clipped and cut to whole numbers. (There it
    is added before resizing to 224 pixels, here at the size that the data set was loaded at.)
    """

    p: float = Field(0.5, ge=0, le=1)
    variance: float = Field(30.0, gt=0)

    def apply(self, images: Tensor, generator: Generator) -> Tensor:
        chosen, mirrored = _coin(images, self.p, generator), _coin(images, 0.5, generator)
        noisy = (chosen & ~mirrored).flatten()
        images = augment_rows.mirror(images, chosen & mirrored).float()
        pixels = images.permute(0, 2, 3, 1)  # [B, H, W, C]: as it lies in memory, and so the noise is drawn
        if augment_rows.row_by_row(images):  # draw for the chosen images alone, a quarter of them
            rows = noisy.nonzero().flatten()
            pixels[rows] = self._add_noise(pixels[rows], generator)
            return images
        return torch.where(noisy[:, None, None, None], self._add_noise(pixels, generator), pixels).permute(0, 3, 1, 2)

    def _add_noise(self, pixels: Tensor, generator: Generator) -> Tensor:
        noise = torch.randn(pixels.shape, generator=generator, device=pixels.device).mul_(math.sqrt(self.variance))
        return noise.add_(pixels).clamp_(0, 255).floor_()


class Erase(Op):
    """Set a random rectangle to zero, the mean after normalising, with probability p (torchvision's RandomErasing).

    `scale`: range of its share of the image's area; `ratio`: range of height / width.
    """

    after_normalising = True
    p: float = Field(0.5, ge=0, le=1)
    scale: Range = (0.02, 0.33)
    ratio: Range = (0.3, 3.3)

    @model_validator(mode="after")
    def _ordered(self) -> Erase:
        _check_box(self.scale, self.ratio)
        return self

    def apply(self, images: Tensor, generator: Generator) -> Tensor:
        height, width = images.shape[-2:]
        box_h, box_w = _box_sizes(images, self.scale, self.ratio, generator)
        fits = (box_h < height) & (box_w < width)
        box_h, box_w, fits = _first(fits, box_h, box_w)
        top, left = _place(height - box_h, images, generator), _place(width - box_w, images, generator)
        chosen = fits[:, None, None, None] & _coin(images, self.p, generator)
        return augment_rows.blank(images, chosen, top, left, box_h, box_w)


class ResizedCrop(Op):
    """Cut a random box and resize it to `size` pixels (torchvision's RandomResizedCrop, bilinear, antialiased)."""

    size: int = Field(ge=1)
    scale: Range = (0.08, 1.0)
    ratio: Range = (3 / 4, 4 / 3)  # width / height

    @model_validator(mode="after")
    def _ordered(self) -> ResizedCrop:
        _check_box(self.scale, self.ratio)
        return self

    def apply(self, images: Tensor, generator: Generator) -> Tensor:
        height, width = images.shape[-2:]
        box_w, box_h = _box_sizes(images, self.scale, self.ratio, generator)
        fits = (box_h > 0) & (box_h <= height) & (box_w > 0) & (box_w <= width)
        box_h, box_w, fits = _first(fits, box_h, box_w)
        # Where no draw fits: the largest centred box of a permitted ratio.
        whole_w = min(width, round(height * self.ratio[1]))
        whole_h = min(height, round(width / self.ratio[0]))
        box_h, box_w = torch.where(fits, box_h, whole_h), torch.where(fits, box_w, whole_w)
        top = torch.where(fits, _place(height - box_h, images, generator), (height - whole_h) // 2)
        left = torch.where(fits, _place(width - box_w, images, generator), (width - whole_w) // 2)
        return resample(images, top, left, box_h, box_w, self.size)


OPS: dict[str, type[Op]] = {
    "flip": Flip,
    "crop": Crop,
    "flip_or_noise": FlipOrNoise,
    "erase": Erase,
    "resized_crop": ResizedCrop,
}


def parse_ops(ops: Sequence[Mapping[str, Any]]) -> tuple[Op, ...]:
    """Typed operations. Raises UserError for an unknown operation or key, a bad value, or a bad order."""
    parsed: list[Op] = []
    for fields in ops:
        name = str(fields.get("op", ""))
        if name not in OPS:
            raise unknown("augmentation", name, OPS)
        try:
            parsed.append(OPS[name](**{key: value for key, value in fields.items() if key != "op"}))
        except ValidationError as error:
            wrong = Problem.of(error)
            valid = ", ".join(OPS[name].model_fields)
            raise UserError(
                f"augmentation '{name}': {wrong.place or 'value'}: {wrong.reason}; valid keys: {valid}"
            ) from None
        if len(parsed) > 1 and parsed[-2].after_normalising and not parsed[-1].after_normalising:
            raise UserError(f"augmentation '{name}' works on pixel values and must come before 'erase'")
    return tuple(parsed)


def resample(images: Tensor, top: Tensor, left: Tensor, height: Tensor, width: Tensor, size: int) -> Tensor:
    """Cut a box out of each image and resize it: [B, C, H, W] and boxes [B] -> [B, C, size, size] float32.

    Bilinear with antialiasing, as `torchvision.transforms.functional.resized_crop(antialias=True)`. The filter is
    separable, hence two small matrix products per image instead of a loop over images.
    """
    rows = _filter(top, height, images.shape[-2], size)[:, None]
    columns = _filter(left, width, images.shape[-1], size)[:, None]
    return rows @ images.float() @ columns.mT


def _filter(start: Tensor, length: Tensor, source: int, size: int) -> Tensor:
    """[B, size, source]: weights of the source pixels [start, start + length) in each of `size` output pixels."""
    step = (length / size)[:, None, None]
    centre = (torch.arange(size, device=start.device)[None, :, None] + 0.5) * step
    pixel = torch.arange(source, device=start.device)[None, None, :] - start[:, None, None]
    weights = (1 - ((pixel + 0.5 - centre) / step.clamp(min=1)).abs()).clamp(min=0)
    weights = weights * ((pixel >= 0) & (pixel < length[:, None, None]))
    return weights / weights.sum(dim=-1, keepdim=True)


def _coin(images: Tensor, p: float, generator: Generator) -> Tensor:
    """[B, 1, 1, 1] bool, true with probability p."""
    return (torch.rand(len(images), generator=generator, device=images.device) < p)[:, None, None, None]


def _box_sizes(images: Tensor, scale: Range, ratio: Range, generator: Generator) -> tuple[Tensor, Tensor]:
    """[B, tries] twice: sides of boxes with area share uniform in `scale`, first / second log-uniform in `ratio`."""
    shape = (len(images), _TRIES)
    area = torch.empty(shape, device=images.device).uniform_(*scale, generator=generator)
    area *= images.shape[-2] * images.shape[-1]
    aspect = (
        torch.empty(shape, device=images.device).uniform_(*(math.log(r) for r in ratio), generator=generator).exp_()
    )
    return (area * aspect).sqrt().round().long(), (area / aspect).sqrt().round().long()


def _first(fits: Tensor, *sides: Tensor) -> tuple[Tensor, ...]:
    """Of [B, tries], the first that fits: each side [B], then whether there was one [B]."""
    index = fits.int().argmax(dim=1, keepdim=True)
    return *(side.gather(1, index)[:, 0] for side in sides), fits.any(dim=1)


def _place(room: Tensor, images: Tensor, generator: Generator) -> Tensor:
    """[B] uniform over 0..room, with room [B]."""
    share = torch.rand(len(images), generator=generator, device=images.device)
    return torch.minimum((share * (room + 1)).long(), room).clamp(min=0)


def _check_box(scale: Range, ratio: Range) -> None:
    if not (0 < scale[0] <= scale[1] <= 1 and 0 < ratio[0] <= ratio[1]):
        raise ValueError("scale must be ascending within (0, 1] and ratio ascending above 0")


def check_crop(size: int, images: Tensor) -> None:
    """Raise UserError where a crop of `size` pixels does not fit into images [..., H, W]."""
    if size > min(images.shape[-2:]):
        raise UserError(f"a crop of {size} pixels does not fit into images of {tuple(images.shape[-2:])}")
