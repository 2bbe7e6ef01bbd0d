"""The training engine as a loop that does so many steps when it is told to, for whoever measures it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Protocol

import torch

from benchmarks.plan.spec import RunSpec
from benchmarks.store.heartbeat import Progress
from benchmarks.store.run_folder import RunFolder
from benchmarks.train.build import assemble, build_method
from benchmarks.train.trainer import Trainer
from datasets.base import Splits


@dataclass(frozen=True)
class Segment:
    """Some steps in a row."""

    images: int
    seconds: float
    accuracy: float | None = None  # after an epoch that was evaluated


class Loop(Protocol):
    """Something that trains when it is told to."""

    def run(self, steps: int) -> Segment:
        """Do this many steps."""


class Ours:
    """The engine: its own epochs, cut short to the steps asked for."""

    def __init__(self, spec: RunSpec, splits: Splits, device: torch.device, folder: RunFolder) -> None:
        ready = assemble(spec, build_method(spec, splits.train), splits, splits.train.labels, device)
        self.trainer = Trainer(spec, ready, folder)
        self.whole = self.trainer.kept
        self.progress = Progress(folder.progress, spec.recipe.epochs, self.trainer.steps, self.whole)

    def run(self, steps: int) -> Segment:
        """Epochs, or parts of one, as the trainer does them: order, augmentation, logging, heartbeat."""
        size, trainer = self.trainer.recipe.batch_size, self.trainer
        images, seconds = 0, 0.0
        while steps > 0:
            trainer.kept = min(self.whole, steps * size)
            trainer.steps = math.ceil(trainer.kept / size)
            seconds += trainer.train_epoch(trainer.recipe.epochs - 1, self.progress)["train_seconds"]
            images += trainer.kept
            steps -= trainer.steps
        return Segment(images, seconds)

    def epoch(self) -> Segment:
        """The run's next epoch, the first one first, with its evaluation and its checkpoint."""
        started = time.perf_counter()
        row = self.trainer.next_epoch(self.progress)
        return Segment(self.whole, time.perf_counter() - started, row["test_accuracy"])

    def checkpoint(self) -> float:
        """Seconds that the training loop waits for one checkpoint."""
        started = time.perf_counter()
        self.trainer.save()
        return time.perf_counter() - started

    def evaluate(self, images: int) -> dict[str, Segment]:
        """Up to so many test images in each view of the recipe (ten crops count as one image)."""
        trainer = self.trainer
        loader = trainer.data.test.loader
        part = type(loader)(loader.rows[:images], loader.device)
        found: dict[str, Segment] = {}
        for view in dict.fromkeys(("single", trainer.recipe.test_view)):
            started = time.perf_counter()
            trainer.evaluator.predict(part, view)
            found[view] = Segment(len(part), time.perf_counter() - started)
        return found
