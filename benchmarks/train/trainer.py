"""The one training loop. It owns optimizer, schedule, precision, labels and checkpoints; a method returns a loss."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.plan.spec import RunSpec
from benchmarks.store.heartbeat import Progress
from benchmarks.store.run_folder import RunFolder
from benchmarks.train import checkpoint
from benchmarks.train.evaluate import EvaluationSplit, Evaluator
from benchmarks.train.loader import Loader
from benchmarks.train.optim import Stepper, lr_factor, set_lr
from benchmarks.train.precision import Precision
from benchmarks.train.seeding import seed_for
from datasets.augment.pipeline import Pipeline
from methods.core.base import Batch, Clock, Method

log = logging.getLogger(__name__)

Row = dict[str, Any]


class Diverged(RuntimeError):
    """The loss is no longer a number: the run ends here and is a failed one."""


@dataclass(frozen=True)
class TrainingData:
    """What a run trains and is measured on."""

    train: Loader
    given: np.ndarray  # [N] labels after label noise
    clean: np.ndarray  # [N] labels before
    test: EvaluationSplit
    validation: EvaluationSplit | None


@dataclass
class State:
    """Where training stands between epochs, and what it has found so far."""

    epoch: int = 0  # the next one
    history: list[Row] = field(default_factory=list)
    best: dict[str, Row] = field(default_factory=dict)  # "best_on_test", "best_on_validation"
    # Of those epochs, the weights that are still to be measured in the recipe's own view.
    best_weights: dict[str, dict[str, Tensor]] = field(default_factory=dict)


class Trainer:
    """Trains one run, from its last checkpoint if there is one, to its last epoch."""

    def __init__(
        self,
        spec: RunSpec,
        method: Method,
        pipeline: Pipeline,
        data: TrainingData,
        precision: Precision,
        folder: RunFolder,
    ) -> None:
        self.spec, self.recipe = spec, spec.recipe
        self.method, self.pipeline, self.data, self.precision, self.folder = method, pipeline, data, precision, folder
        self.device = precision.device
        self.stepper = Stepper(spec.recipe, method, precision)
        self.labels = torch.from_numpy(data.given).to(self.device, copy=True)  # relabelling writes here
        self.clean = torch.from_numpy(data.clean).to(self.device)
        self.evaluator = Evaluator(method, pipeline, precision, seed_for(spec.seed, "evaluation"))
        self.state = State()
        # A last batch of one image has no batch statistics: it is left out (of this epoch; the order is always new).
        count = len(data.train)
        self.kept = count - (count % self.recipe.batch_size == 1)
        self.steps = math.ceil(self.kept / self.recipe.batch_size)

    def run(self) -> State:
        """Train to the end. Raises Diverged when the loss stops being a number."""
        self._resume()
        progress = Progress(self.folder.progress, self.recipe.epochs, self.steps, self.kept)
        progress.beat(self.state.epoch, 0, now=True)
        while self.state.epoch < self.recipe.epochs:
            row = self.train_epoch(self.state.epoch, progress)
            self._evaluate(row)
            self.state.history.append(row)
            self.state.epoch += 1
            self._save()
            progress.beat(self.state.epoch, 0, now=True)
            log.info("%s", "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
        self._measure_best()
        return self.state

    def train_epoch(self, epoch: int, progress: Progress) -> Row:
        """One pass over the training set. The host issues steps and never waits for a value within it."""
        started = time.perf_counter()
        seed = self.spec.seed
        # Every epoch has seeds of its own, so a resumed run draws what the undisturbed one would have drawn.
        torch.manual_seed(seed_for(seed, "method", epoch))
        order = torch.randperm(
            len(self.data.train), generator=torch.Generator().manual_seed(seed_for(seed, "order", epoch))
        )[: self.kept]
        augment = torch.Generator(self.device).manual_seed(seed_for(seed, "augment", epoch))
        before = self.labels.clone()
        sums: dict[str, Tensor] = {}
        self.evaluator.weights_changed()
        self.method.train()
        for step, (raw, rows) in enumerate(self.data.train.batches(order, self.recipe.batch_size)):
            clock = Clock(epoch, step, self.recipe.epochs, self.steps)
            factor = lr_factor(self.recipe.schedule, clock)
            set_lr(self.stepper.optimizer, factor)
            images = self.pipeline.train(raw, augment).contiguous(memory_format=torch.channels_last)
            if self.recipe.compile and self.device.type == "cuda":
                torch.compiler.cudagraph_mark_step_begin()  # what the last step's graphs hold may be overwritten
            with self.precision.autocast():
                result = self.method.training_step(Batch(images, self.labels[rows], rows), clock)
            self.stepper.step(result.loss)
            if result.labels is not None:
                self.labels[rows] = result.labels
            for name, value in {"loss": result.loss, **result.logs}.items():
                sums[name] = sums.get(name, 0.0) + value.detach().float()
            progress.beat(epoch, step + 1)
        means = dict(zip(sums, (torch.stack(list(sums.values())) / self.steps).tolist(), strict=True))
        if not math.isfinite(means["loss"]):
            raise Diverged(
                f"the loss is {means['loss']} in epoch {epoch + 1} of {self.recipe.epochs}: training diverged; "
                f"lower the learning rate (recipe lr {self.recipe.lr}) or check the method's settings"
            )
        row: Row = {"epoch": epoch + 1, "lr_factor": factor, **means, **self._relabelling(before)}
        row["train_seconds"] = time.perf_counter() - started
        return row

    def _relabelling(self, before: Tensor) -> Row:
        """What this epoch's relabelling did, held against the clean labels.

        precision: the share of changed labels that are now right; recall: the share of wrong labels that are now right.
        """
        changed, wrong = self.labels != before, before != self.clean
        right = self.labels == self.clean
        counts = torch.stack([changed.sum(), (changed & right).sum(), wrong.sum(), (wrong & right).sum(), right.sum()])
        n_changed, n_changed_right, n_wrong, n_mended, n_right = counts.tolist()
        return {
            "relabelled": n_changed,
            "relabel_precision": n_changed_right / n_changed if n_changed else None,
            "relabel_recall": n_mended / n_wrong if n_changed and n_wrong else None,
            "label_accuracy": n_right / len(right),
        }

    def _evaluate(self, row: Row) -> None:
        """Single-view accuracy of every epoch. Where it is a new best: its test metrics, or, where the recipe's own
        view is another, its weights, which `_measure_best` looks at through that view."""
        started = time.perf_counter()
        test = self.evaluator.predict(self.data.test.loader, "single")
        measured = self.data.test.metrics(test)
        row["test_accuracy"] = measured["accuracy"]
        selectors = {"best_on_test": measured["accuracy"]}
        if (validation := self.data.validation) is not None:
            found = validation.metrics(self.evaluator.predict(validation.loader, "single"))
            row["validation_accuracy"] = selectors["best_on_validation"] = found["accuracy"]
        new = [
            k for k, v in selectors.items() if k not in self.state.best or v > self.state.best[k]["selection_accuracy"]
        ]
        own_view = self.recipe.test_view == "single"
        for name in new:
            self.state.best[name] = {"epoch": row["epoch"], "selection_accuracy": selectors[name]}
            self.state.best[name] |= measured if own_view else {}
        if new and not own_view:
            self.state.best_weights |= dict.fromkeys(new, self._weights())
        row["evaluation_seconds"] = time.perf_counter() - started

    def _measure_best(self) -> None:
        """The best epochs in the recipe's own view, once each: ten crops of every new best on the way would cost a
        third of its epoch."""
        if not self.state.best_weights:
            return
        started = time.perf_counter()
        last, epoch = self._weights(), None
        for name in sorted(self.state.best_weights, key=lambda name: self.state.best[name]["epoch"]):
            if epoch != self.state.best[name]["epoch"]:
                epoch = self.state.best[name]["epoch"]
                self.method.load_state_dict(self.state.best_weights[name])
                self.evaluator.weights_changed()
            outputs = self.evaluator.predict(self.data.test.loader, self.recipe.test_view)
            self.state.best[name] |= self.data.test.metrics(outputs)
        if epoch != self.state.epoch:
            self.method.load_state_dict(last)
            self.evaluator.weights_changed()
        self.state.history[-1]["evaluation_seconds"] += time.perf_counter() - started

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.method.state_dict().items()}

    def _save(self) -> None:
        checkpoint.save(
            self.folder,
            {
                "run_id": self.spec.run_id,
                "epoch": self.state.epoch,
                "history": self.state.history,
                "best": self.state.best,
                "best_weights": self.state.best_weights,
                "method": self.method.state_dict(),
                "optimizer": self.stepper.optimizer.state_dict(),
                "scaler": self.stepper.scaler.state_dict(),
                "labels": self.labels.cpu(),
            },
        )

    def _resume(self) -> None:
        saved = checkpoint.load(self.folder.checkpoint, self.spec.run_id)
        if saved is None:
            return
        self.method.load_state_dict(saved["method"])
        self.stepper.optimizer.load_state_dict(saved["optimizer"])
        self.stepper.scaler.load_state_dict(saved["scaler"])
        self.labels.copy_(saved["labels"])
        self.state = State(saved["epoch"], saved["history"], saved["best"], saved.get("best_weights", {}))
        log.info("going on after epoch %d of %d", self.state.epoch, self.recipe.epochs)
