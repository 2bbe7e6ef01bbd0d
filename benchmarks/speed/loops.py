"""The three loops that are held against each other: `limit` and `ours` here, `plain` in plain.py.

Each does so many steps of one run when it is told to, and says how long they took. All are in the run's last epoch,
where every part of a method is active (relabelling begins some epochs in).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from benchmarks.plan.spec import RunSpec
from benchmarks.store.heartbeat import Progress
from benchmarks.store.run_folder import RunFolder
from benchmarks.train.build import assemble, build_method
from benchmarks.train.optim import Descent
from benchmarks.train.trainer import Trainer
from datasets.base import ImageSet, Splits
from methods.core.base import Batch, Clock

READY = 4  # batches the limit goes round: more than a processor's cache holds of large images


@dataclass(frozen=True)
class Segment:
    """Some steps in a row."""

    images: int
    seconds: float


class Loop(Protocol):
    """Something that trains when it is told to."""

    def run(self, steps: int) -> Segment:
        """Do this many steps."""


class Limit:
    """The bare model: the run's method, optimizer, precision and layout, on batches that lie ready on the device."""

    def __init__(self, spec: RunSpec, splits: Splits, device: torch.device) -> None:
        size = spec.recipe.batch_size
        few = Splits(train=_first(splits.train, READY * size), test=_first(splits.test, 1))
        ready = assemble(spec, build_method(spec, few.train), few, few.train.labels, device)
        self.method, self.precision = ready.method.train(), ready.precision
        self.descent = Descent(spec.recipe, self.method, ready.precision)
        self.clock = Clock(spec.recipe.epochs - 1, 0, spec.recipe.epochs, 1)
        labels = torch.from_numpy(few.train.labels).to(device)
        generator = torch.Generator(device).manual_seed(0)
        self.batches = []
        for raw, rows in ready.data.train.batches(torch.arange(len(few.train)), size):
            images = ready.pipeline.train(raw, generator).contiguous(memory_format=torch.channels_last)
            self.batches.append(Batch(images, labels[rows], rows))

    def run(self, steps: int) -> Segment:
        """Forward, backward, step; nothing else."""
        _wait(self.precision.device)
        started, images = time.perf_counter(), 0
        for step in range(steps):
            batch = self.batches[step % len(self.batches)]
            with self.precision.autocast():
                loss = self.method.training_step(batch, self.clock).loss
            self.descent.step(loss)
            images += len(batch.images)
        _wait(self.precision.device)
        return Segment(images, time.perf_counter() - started)


class Ours:
    """The engine: its own epochs, cut short to the steps asked for."""

    def __init__(self, spec: RunSpec, splits: Splits, device: torch.device, folder: RunFolder) -> None:
        ready = assemble(spec, build_method(spec, splits.train), splits, splits.train.labels, device)
        self.trainer = Trainer(spec, ready.method, ready.pipeline, ready.data, ready.precision, folder)
        self.whole = self.trainer.kept
        self.progress = Progress(folder.progress, spec.recipe.epochs, self.trainer.steps, self.whole)

    def run(self, steps: int) -> Segment:
        """Epochs, or parts of one, as the trainer does them: order, augmentation, logging, heartbeat."""
        size, trainer = self.trainer.recipe.batch_size, self.trainer
        images, seconds = 0, 0.0
        while steps > 0:
            trainer.kept = min(self.whole, steps * size)
            trainer.steps = math.ceil(trainer.kept / size)
            seconds += trainer._train_epoch(trainer.recipe.epochs - 1, self.progress)["train_seconds"]
            images += trainer.kept
            steps -= trainer.steps
        return Segment(images, seconds)

    def checkpoint(self) -> float:
        """Seconds that the training loop waits for one checkpoint."""
        started = time.perf_counter()
        self.trainer._save()
        return time.perf_counter() - started

    def evaluate(self, images: int) -> dict[str, Segment]:
        """Up to so many test images in each view of the recipe (ten crops count as one image)."""
        trainer = self.trainer
        feed = trainer.data.test.feed
        part = type(feed)(feed.rows[:images], feed.device)
        found: dict[str, Segment] = {}
        for view in dict.fromkeys(("single", trainer.recipe.test_view)):
            trainer.evaluator.weights_changed()
            started = time.perf_counter()
            trainer.evaluator.predict(part, view)
            found[view] = Segment(len(part), time.perf_counter() - started)
        return found


def _first(images: ImageSet, count: int) -> ImageSet:
    soft = None if images.soft_labels is None else images.soft_labels[:count]
    return replace(images, images=images.images[:count], labels=images.labels[:count], soft_labels=soft)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
