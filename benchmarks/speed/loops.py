"""The three loops that are held against each other: `limit` and `ours` here, `plain` in plain.py.

Each does so many steps of one run when it is told to, and says how long they took. All are in the run's last epoch,
where every part of a method is active (relabelling begins some epochs in).
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from benchmarks.launch.loop import Segment
from benchmarks.plan.spec import RunSpec
from benchmarks.train.build import assemble, build_method
from benchmarks.train.step.optim import Stepper
from datasets.base import ImageSet, Splits
from methods.core.base import Batch, Clock

READY = 4  # batches the limit goes round: more than a processor's cache holds of large images


class Limit:
    """The bare model: the run's method, optimizer, precision and layout, on batches that lie ready on the device."""

    def __init__(self, spec: RunSpec, splits: Splits, device: torch.device) -> None:
        size = spec.recipe.batch_size
        few = Splits(train=_first(splits.train, READY * size), test=_first(splits.test, 1))
        ready = assemble(spec, build_method(spec, few.train), few, few.train.labels, device)
        self.method, self.precision = ready.method.train(), ready.precision
        self.stepper = Stepper(spec.recipe, self.method, ready.precision)
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
            self.stepper.step(loss)
            images += len(batch.images)
        _wait(self.precision.device)
        return Segment(images, time.perf_counter() - started)


def _first(images: ImageSet, count: int) -> ImageSet:
    soft = None if images.soft_labels is None else images.soft_labels[:count]
    return replace(images, images=images.images[:count], labels=images.labels[:count], soft_labels=soft)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
