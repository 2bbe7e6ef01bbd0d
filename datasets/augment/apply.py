"""The random operations on batches: each image drawn for itself, all at once, on their device.

Randomness comes only from the generator passed in, which lives on the images' device; nothing waits for the device.
"""

from __future__ import annotations

import math
from functools import singledispatch

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from common.errors import UserError
from datasets.augment import rows as augment_rows
from datasets.augment.operations import Crop, Cutout, Erase, Flip, FlipOrNoise, GaussianNoise, Range, ResizedCrop, Spec

_TRIES = 10  # draws of a box before giving up, as in torchvision's RandomErasing and RandomResizedCrop


@singledispatch
def apply(op: Spec, images: Tensor, generator: Generator) -> Tensor:
    """[B, C, H, W] -> [B, C, h, w]; values 0..255, uint8 or float32 (float32 after normalising)."""
    raise NotImplementedError(f"{type(op).__name__} is no operation on batches")


@apply.register
def _flip(op: Flip, images: Tensor, generator: Generator) -> Tensor:
    return augment_rows.mirror(images, _coin(images, op.p, generator))


@apply.register
def _crop(op: Crop, images: Tensor, generator: Generator) -> Tensor:
    if op.padding:
        images = F.pad(images, [op.padding] * 4)
    check_crop(op.size, images)
    count, _, height, width = images.shape
    down = torch.randint(height - op.size + 1, (count,), generator=generator, device=images.device)
    across = torch.randint(width - op.size + 1, (count,), generator=generator, device=images.device)
    windows = images.unfold(2, op.size, 1).unfold(3, op.size, 1)  # a view: [B, C, places, places, size, size]
    return windows[torch.arange(count, device=images.device), :, down, across]


@apply.register
def _flip_or_noise(op: FlipOrNoise, images: Tensor, generator: Generator) -> Tensor:
    chosen, mirrored = _coin(images, op.p, generator), _coin(images, 0.5, generator)
    noisy = (chosen & ~mirrored).flatten()
    images = augment_rows.mirror(images, chosen & mirrored).float()
    pixels = images.permute(0, 2, 3, 1)  # [B, H, W, C]: as it lies in memory, and so the noise is drawn
    if augment_rows.row_by_row(images):  # draw for the chosen images alone, a quarter of them
        rows = noisy.nonzero().flatten()
        pixels[rows] = _add_noise(pixels[rows], op.variance, generator)
        return images
    noise = _add_noise(pixels, op.variance, generator)
    return torch.where(noisy[:, None, None, None], noise, pixels).permute(0, 3, 1, 2)


@apply.register
def _noise(op: GaussianNoise, images: Tensor, generator: Generator) -> Tensor:
    noisy = _coin(images, op.p, generator)
    pixels = images.float().permute(0, 2, 3, 1)
    noise = _add_noise(pixels, op.variance, generator)
    return torch.where(noisy, noise, pixels).permute(0, 3, 1, 2)


def _add_noise(pixels: Tensor, variance: float, generator: Generator) -> Tensor:
    noise = torch.randn(pixels.shape, generator=generator, device=pixels.device).mul_(math.sqrt(variance))
    return noise.add_(pixels).clamp_(0, 255).floor_()


@apply.register
def _erase(op: Erase, images: Tensor, generator: Generator) -> Tensor:
    height, width = images.shape[-2:]
    box_h, box_w = _box_sizes(images, op.scale, op.ratio, generator)
    fits = (box_h < height) & (box_w < width)
    box_h, box_w, fits = _first(fits, box_h, box_w)
    top, left = _place(height - box_h, images, generator), _place(width - box_w, images, generator)
    chosen = fits[:, None, None, None] & _coin(images, op.p, generator)
    return augment_rows.blank(images, chosen, top, left, box_h, box_w)


@apply.register
def _cutout(op: Cutout, images: Tensor, generator: Generator) -> Tensor:
    height, width = images.shape[-2:]
    corners = []
    for length in (height, width):
        first = torch.randint(length, images.shape[:1], generator=generator, device=images.device) - op.size // 2
        corners.append((first.clamp(min=0), (first + op.size).clamp(max=length)))
    (top, bottom), (left, right) = corners
    everywhere = torch.ones(len(images), 1, 1, 1, dtype=torch.bool, device=images.device)
    return augment_rows.blank(images, everywhere, top, left, bottom - top, right - left)


@apply.register
def _resized_crop(op: ResizedCrop, images: Tensor, generator: Generator) -> Tensor:
    height, width = images.shape[-2:]
    box_w, box_h = _box_sizes(images, op.scale, op.ratio, generator)
    fits = (box_h > 0) & (box_h <= height) & (box_w > 0) & (box_w <= width)
    box_h, box_w, fits = _first(fits, box_h, box_w)
    # Where no draw fits: the largest centred box of a permitted ratio.
    whole_w = min(width, round(height * op.ratio[1]))
    whole_h = min(height, round(width / op.ratio[0]))
    box_h, box_w = torch.where(fits, box_h, whole_h), torch.where(fits, box_w, whole_w)
    top = torch.where(fits, _place(height - box_h, images, generator), (height - whole_h) // 2)
    left = torch.where(fits, _place(width - box_w, images, generator), (width - whole_w) // 2)
    return resample(images, top, left, box_h, box_w, op.size)


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


def check_crop(size: int, images: Tensor) -> None:
    """Raise UserError where a crop of `size` pixels does not fit into images [..., H, W]."""
    if size > min(images.shape[-2:]):
        raise UserError(f"a crop of {size} pixels does not fit into images of {tuple(images.shape[-2:])}")
