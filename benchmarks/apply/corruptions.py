"""Test images made worse in four ways and five strengths (after Hendrycks & Dietterich, ICLR 2019)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor
from torchvision.transforms.v2 import functional as operations

from benchmarks.apply.trained import Trained
from benchmarks.metrics import scores
from benchmarks.train.evaluate import Outputs, batch
from benchmarks.train.seeding import seed_for
from benchmarks.train.step.loader import Loader
from datasets.base import ImageSet


@dataclass(frozen=True)
class Corruption:
    """One way to make an image worse. `apply(uint8 images [B, C, H, W], value, generator)` keeps shape and type."""

    unit: str  # of its values
    values: tuple[float, ...]  # of strengths 1 to 5
    apply: Callable[[Tensor, float, Generator], Tensor]


def _noise(images: Tensor, value: float, generator: Generator) -> Tensor:
    drawn = torch.randn(images.shape, generator=generator).to(images.device)
    return (images + 255 * value * drawn).round().clamp(0, 255).byte()


def _blur(images: Tensor, value: float, generator: Generator) -> Tensor:
    sigma = value * images.shape[-1]
    size = min(2 * round(3 * sigma) + 1, images.shape[-1] // 2 * 2 - 1)  # odd, and not larger than the image
    return operations.gaussian_blur(images, [max(size, 3)] * 2, [sigma] * 2)


def _contrast(images: Tensor, value: float, generator: Generator) -> Tensor:
    return operations.adjust_contrast(images, value)


def _jpeg(images: Tensor, value: float, generator: Generator) -> Tensor:
    """By PIL: torchvision is about to give its own up."""
    worse = []
    for image in images.cpu().permute(0, 2, 3, 1).numpy():
        buffer = io.BytesIO()
        Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(buffer, "JPEG", quality=int(value))
        worse.append(np.asarray(Image.open(buffer)).reshape(image.shape))
    return torch.from_numpy(np.stack(worse)).permute(0, 3, 1, 2).to(images.device)


# The values of CIFAR-10-C; its blur is in pixels of an image of 32.
CORRUPTIONS = {
    "noise": Corruption("standard deviation, of the full range", (0.04, 0.06, 0.08, 0.09, 0.10), _noise),
    "blur": Corruption(
        "standard deviation, of the image's side", (0.4 / 32, 0.6 / 32, 0.7 / 32, 0.8 / 32, 1 / 32), _blur
    ),
    "contrast": Corruption("contrast that is left", (0.75, 0.5, 0.4, 0.3, 0.15), _contrast),
    "jpeg": Corruption("JPEG quality", (80, 65, 58, 50, 40), _jpeg),
}


def evaluate(trained: Trained, test: ImageSet) -> Iterator[dict[str, str | int | float | None]]:
    """A row for each corruption and strength, 0 (the images as they are) first: all metrics of a split."""
    for name, corruption in CORRUPTIONS.items():
        stored = trained.test_outputs
        yield {"corruption": name, "strength": 0, "value": None, **_metrics(stored, test)}
        for strength, value in enumerate(corruption.values, start=1):
            seed = seed_for(trained.spec.seed, "corruption", name, strength)
            outputs = _predict(trained, test, corruption, value, seed)
            yield {"corruption": name, "strength": strength, "value": value, **_metrics(outputs, test)}


def _predict(trained: Trained, test: ImageSet, corruption: Corruption, value: float, seed: int) -> Outputs:
    loader, view = Loader(test.images, trained.device), trained.spec.recipe.test_view
    generator = torch.Generator().manual_seed(seed)
    raw = loader.batches(torch.arange(len(loader)), batch(view))
    worse = (corruption.apply(images.contiguous(), value, generator) for images, _ in raw)
    return trained.evaluator.predict_batches(worse, view)


def _metrics(outputs: Outputs, test: ImageSet) -> dict[str, float | None]:
    return scores.of_split(outputs.logits, outputs.uncertainty, test.labels)
