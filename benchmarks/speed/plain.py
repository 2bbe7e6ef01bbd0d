"""The yardstick: a training loop as the public implementations of these methods write it.

DataLoader workers, one Pillow image and torchvision's transforms per sample, loss and logs read back every step,
float32, images in their usual layout, an optimizer with its defaults. The data come as in those repositories: small
images as arrays (FER2013, CIFAR-10), larger ones as JPEG files, here held in memory.
"""

from __future__ import annotations

import io
import random
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.launch.loop import Segment
from benchmarks.plan.recipe import Recipe
from benchmarks.plan.spec import RunSpec
from benchmarks.train.build import build_method
from benchmarks.train.step.optim import lr_factor, set_lr
from datasets.augment.operations import Erase, FlipOrNoise
from datasets.base import ImageSet, Splits
from methods.core.base import Batch, Clock

WORKERS = 4  # as in RUL's and SCN's released code
JPEG_FROM = 64  # pixels a side
DISTINCT = 2048  # images encoded: beyond it they repeat, so that the first step need not wait for a whole data set

Transform = Callable[[Image.Image], Tensor]


class Plain:
    """The usual loop, from samples to weights."""

    def __init__(self, spec: RunSpec, splits: Splits, device: torch.device, distinct: int | None = DISTINCT) -> None:
        recipe = spec.recipe
        self.device = device
        self.method = build_method(spec, splits.train).to(device).train()
        groups = []
        for group in self.method.param_groups():
            lr = recipe.lr * group.lr_multiplier * (recipe.classifier_lr if group.name == "classifier" else 1.0)
            groups.append({"params": group.params, "lr": lr, "base_lr": lr})
        if recipe.optimizer == "adam":
            self.optimizer: torch.optim.Optimizer = torch.optim.Adam(groups, weight_decay=recipe.weight_decay)
        else:
            self.optimizer = torch.optim.SGD(
                groups,
                lr=recipe.lr,
                momentum=recipe.momentum,
                nesterov=recipe.nesterov,
                weight_decay=recipe.weight_decay,
            )
        self.clip_value = recipe.clip_value
        self.clock = Clock(recipe.epochs - 1, 0, recipe.epochs, 1)
        warnings.filterwarnings("ignore", "This DataLoader will create")  # more workers than cores: usual, too
        self.loader = DataLoader(
            Samples(splits.train, _transform(recipe, splits.train.images.shape[3]), distinct),
            batch_size=recipe.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=WORKERS,
            pin_memory=device.type == "cuda",
            persistent_workers=True,
        )
        self.batches = self._endless()

    def run(self, steps: int) -> Segment:
        """Steps after one that is not counted: starting the workers is not held against it."""
        self._step(next(self.batches))
        started = time.perf_counter()
        images = sum(self._step(next(self.batches)) for _ in range(steps))
        return Segment(images, time.perf_counter() - started)

    def _endless(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        while True:
            yield from self.loader

    def _step(self, loaded: Sequence[Tensor]) -> int:
        batch = Batch(*(part.to(self.device) for part in loaded))
        step = self.method.training_step(batch, self.clock)
        self.optimizer.zero_grad()
        step.loss.backward()
        if self.clip_value is not None:
            torch.nn.utils.clip_grad_value_(self.method.parameters(), self.clip_value)
        self.optimizer.step()
        self.relabelled = step.labels
        self.logged = {"loss": step.loss.item(), **{name: value.item() for name, value in step.logs.items()}}
        return len(batch.images)


class PlainEpochs(Plain):
    """The same, whole epochs from the first one on, under the recipe's schedule and evaluated on the test split."""

    def __init__(self, spec: RunSpec, splits: Splits, device: torch.device) -> None:
        super().__init__(spec, splits, device, distinct=None)
        self.recipe, self.epoch = spec.recipe, 0
        self.labels = torch.from_numpy(splits.train.labels.copy())  # relabelling writes here
        self.test = DataLoader(
            Samples(splits.test, _test_transform(spec.recipe, splits.test.images.shape[3])),
            batch_size=spec.recipe.batch_size,
            num_workers=WORKERS,
            pin_memory=device.type == "cuda",
            persistent_workers=True,
        )

    def run(self, epochs: int) -> Segment:
        """So many epochs; starting the workers is a part of the first one."""
        started = time.perf_counter()
        images = sum(self._epoch() for _ in range(epochs))
        accuracy = self._accuracy()
        return Segment(images, time.perf_counter() - started, accuracy)

    def _epoch(self) -> int:
        self.method.train()
        images = 0
        for step, (pixels, _, rows) in enumerate(self.loader):
            self.clock = Clock(self.epoch, step, self.recipe.epochs, len(self.loader))
            set_lr(self.optimizer, lr_factor(self.recipe.schedule, self.clock))
            images += self._step((pixels, self.labels[rows], rows))
            if self.relabelled is not None:
                self.labels[rows] = self.relabelled.cpu()
        self.epoch += 1
        return images

    @torch.no_grad()
    def _accuracy(self) -> float:
        self.method.eval()
        right = seen = 0
        for pixels, labels, _ in self.test:
            logits = self.method.predict(pixels.to(self.device)).logits
            right += int((logits.argmax(dim=1) == labels.to(self.device)).sum().item())
            seen += len(labels)
        return right / seen


class Samples(Dataset):
    """Images one by one: decoded, transformed, as tensors."""

    def __init__(self, images: ImageSet, transform: Transform, distinct: int | None = None) -> None:
        self.labels = images.labels
        self.arrays = images.images
        self.files: list[bytes] = []
        if self.arrays.shape[1] >= JPEG_FROM:
            self.files = [_jpeg(array) for array in self.arrays[:distinct]]
        self.mode = "L" if self.arrays.shape[3] == 1 else "RGB"
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        if self.files:
            image = Image.open(io.BytesIO(self.files[index % len(self.files)])).convert(self.mode)
        else:
            image = _image(self.arrays[index])
        return self.transform(image), int(self.labels[index]), index


def _image(array: np.ndarray) -> Image.Image:
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def _jpeg(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    _image(array).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _flip_or_noise(op: FlipOrNoise) -> Callable[[Image.Image], Image.Image]:
    """RUL's released code: on half of the samples, mirror or add noise to the array."""

    def apply(image: Image.Image) -> Image.Image:
        if random.random() >= op.p:
            return image
        if random.random() < 0.5:
            return transforms.functional.hflip(image)
        pixels = np.asarray(image, dtype=np.float64)
        noise = np.random.normal(0, op.variance**0.5, pixels.shape)
        return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))

    return apply


ON_IMAGES: dict[str, Callable[[Any], Any]] = {
    "flip": lambda op: transforms.RandomHorizontalFlip(op.p),
    "crop": lambda op: transforms.RandomCrop(op.size, padding=op.padding or None),
    "flip_or_noise": _flip_or_noise,
    "resized_crop": lambda op: transforms.RandomResizedCrop(op.size, op.scale, op.ratio),
}


def _transform(recipe: Recipe, channels: int) -> Transform:
    """The recipe's augmentation in torchvision's per-sample transforms."""
    steps: list[Any] = [ON_IMAGES[op.op](op) for op in recipe.augment if op.op in ON_IMAGES]
    steps += _normalise(recipe, channels)
    steps += [transforms.RandomErasing(op.p, op.scale) for op in recipe.augment if isinstance(op, Erase)]
    return transforms.Compose(steps)


def _test_transform(recipe: Recipe, channels: int) -> Transform:
    """The recipe's centre crop, or all of the image."""
    crop = [] if recipe.crop is None else [transforms.CenterCrop(recipe.crop)]
    return transforms.Compose([*crop, *_normalise(recipe, channels)])


def _normalise(recipe: Recipe, channels: int) -> list[Any]:
    mean, std = recipe.mean, recipe.std
    if channels == 1 and len(mean) == 3:
        mean, std = (sum(mean) / 3,), (sum(std) / 3,)
    return [transforms.ToTensor(), transforms.Normalize(mean, std)]
