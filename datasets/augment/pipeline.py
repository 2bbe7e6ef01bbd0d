"""Augmentation on the images' own device: uint8 batches in, normalised batches out, nothing waits for the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from common.errors import UserError
from datasets.augment.apply import apply, check_crop
from datasets.augment.operations import Spec, check_normalisation, parse


class Pipeline:
    """From uint8 batches to what a network is fed, in training and in testing.

    `mean`, `std`: per channel (or one for all), in units of 0..1. `crop`: side of the centre and ten crops at test
    time, for recipes that train on crops; None tests on whole images.
    """

    def __init__(
        self,
        operations: Sequence[Spec | Mapping[str, Any]],
        mean: Sequence[float],
        std: Sequence[float],
        crop: int | None = None,
    ) -> None:
        check_normalisation(mean, std)
        self.operations = parse(operations)
        self.crop = crop
        self._factor = torch.tensor([1 / (255 * s) for s in std])
        self._offset = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)])
        # For each device, number of channels and width met: offset and factor of a row of pixels.
        self._rows: dict[tuple[torch.device, int, int], tuple[Tensor, ...]] = {}

    def train(self, images: Tensor, generator: Generator) -> Tensor:
        """[B, C, H, W] uint8 -> [B, C, h, w] float32, augmented and normalised."""
        normalised = False
        for op in self.operations:
            if op.after_normalising and not normalised:
                images, normalised = self._normalise(images), True
            images = apply(op, images, generator)
        return images if normalised else self._normalise(images)

    def test(self, images: Tensor) -> Tensor:
        """[B, C, H, W] uint8 -> [B, C, h, w] float32: the centre crop (or all), normalised."""
        if self.crop is not None:
            images = _centre(images, self.crop)
        return self._normalise(images)

    def ten_crop(self, images: Tensor) -> Tensor:
        """[B, C, H, W] uint8 -> [10, B, C, crop, crop] float32, in the order of torchvision's TenCrop."""
        if self.crop is None:
            raise UserError("ten-crop testing needs a crop size in the recipe")
        crops = [*_five(images, self.crop), *_five(images.flip(-1), self.crop)]
        return self._normalise(torch.stack(crops))

    def _normalise(self, images: Tensor) -> Tensor:
        channels, width = images.shape[-3], images.shape[-1]
        if len(self._factor) not in (1, channels):
            raise UserError(f"mean and std have {len(self._factor)} channels, the images {channels}")
        key = images.device, channels, width
        if key not in self._rows:
            constants = (values.expand(channels).repeat(width) for values in (self._offset, self._factor))
            self._rows[key] = tuple(values.to(images.device) for values in constants)
        offset, factor = self._rows[key]
        # Channels last in memory, as the network takes them, and a whole row of pixels at a time: with three channels
        # as the innermost loop this would take twice as long.
        pixels = images.movedim(-3, -1).contiguous().float()
        return torch.addcmul(offset, pixels.flatten(-2), factor).view(pixels.shape).movedim(-1, -3)


def _centre(images: Tensor, size: int) -> Tensor:
    check_crop(size, images)
    top, left = (round((side - size) / 2) for side in images.shape[-2:])
    return images[..., top : top + size, left : left + size]


def _five(images: Tensor, size: int) -> tuple[Tensor, ...]:
    """The corners and the centre."""
    centre = _centre(images, size)
    a, b = slice(None, size), slice(-size, None)
    return images[..., a, a], images[..., a, b], images[..., b, a], images[..., b, b], centre
