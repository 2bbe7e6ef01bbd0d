"""The one training loop. It owns optimizer, schedule, precision, labels and checkpoints; a method returns a loss."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.plan.spec import RunSpec
from benchmarks.store import provenance
from benchmarks.store.heartbeat import Progress
from benchmarks.store.run_folder import RunFolder
from benchmarks.train import checkpoint
from benchmarks.train.best_epochs import BestEpochs, EpochRow
from benchmarks.train.build import Assembled
from benchmarks.train.curves import Curves
from benchmarks.train.evaluate import Outputs
from benchmarks.train.seeding import seed_for
from benchmarks.train.step.optim import Stepper, lr_factor, set_lr
from datasets.augment.pipeline import Pipeline
from methods.core.base import Batch, Clock

log = logging.getLogger(__name__)


class Diverged(RuntimeError):
    """The loss is no longer a number: the run ends here and is a failed one."""


@dataclass
class TrainingState:
    """Where training stands between epochs, and what it has found so far."""

    epoch: int = 0  # the next one
    history: list[EpochRow] = field(default_factory=list)
    best: BestEpochs = field(default_factory=BestEpochs)
    commits: list[str | None] = field(default_factory=list)  # of the code that has trained so far
    machines: list[Mapping[str, Any]] = field(default_factory=list)  # that have trained so far


@dataclass(frozen=True)
class Code:
    """What, beside its spec, decides a run's numbers: a run goes on only where data and plug-ins are the same."""

    data: tuple[str, ...] = ()  # fingerprints of the splits
    plugins: Mapping[str, str] = field(default_factory=dict)  # file name -> sha256
    commit: str | None = None
    machine: Mapping[str, Any] = field(default_factory=dict)  # device, threads, processor: each rounds in its own way


@dataclass(frozen=True)
class Fitted:
    """A method after its last epoch: what it predicts in the recipe's own view, and how it came there."""

    test: Outputs
    validation: Outputs | None
    labels: np.ndarray  # [N] of the training set, as relabelling left them
    history: Sequence[EpochRow] = ()
    best: Mapping[str, EpochRow] = field(default_factory=dict)  # "best_on_test", "best_on_validation"
    commits: Sequence[str | None] = ()  # of the code that has trained it
    machines: Sequence[Mapping[str, Any]] = ()  # that have trained it


class Trainer:
    """Trains one run, from its last checkpoint if there is one, to its last epoch."""

    def __init__(
        self, spec: RunSpec, ready: Assembled, folder: RunFolder, code: Code = Code(), *, curves: bool = False
    ) -> None:
        self.spec, self.recipe, self.folder, self.code, self.curves = spec, spec.recipe, folder, code, curves
        self.method, self.data, self.evaluator = ready.method, ready.data, ready.evaluator
        self.pipeline, self.second_view, self.precision = ready.pipeline, ready.second_view, ready.precision
        self.device = ready.precision.device
        self.stepper = Stepper(spec.recipe, ready.method, ready.precision)
        self.labels = torch.from_numpy(self.data.given).to(self.device, copy=True)  # relabelling writes here
        self.clean = torch.from_numpy(self.data.clean).to(self.device)
        self.state = TrainingState(commits=[code.commit], machines=[code.machine])
        self._outputs: dict[str, Outputs] = {}  # single-view predictions of the weights as they are, by split
        # A last batch of one image has no batch statistics: it is left out (of this epoch; the order is always new).
        count = len(self.data.train)
        self.kept = count - (count % self.recipe.batch_size == 1)
        self.steps = math.ceil(self.kept / self.recipe.batch_size)

    def run(self) -> Fitted:
        """Train to the end. Raises Diverged when the loss stops being a number."""
        self._resume()
        progress = Progress(self.folder.progress, self.recipe.epochs, self.steps, self.kept)
        progress.beat(self.state.epoch, 0, now=True)
        curves = Curves(self.folder.path, self.state.epoch) if self.curves else None
        while self.state.epoch < self.recipe.epochs:
            row = self.next_epoch(progress)
            if curves:
                curves.add(row)
            log.info("%s", "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
        return self._fitted()

    def next_epoch(self, progress: Progress) -> EpochRow:
        """One epoch and all that follows it: evaluation, history, checkpoint."""
        row = self.train_epoch(self.state.epoch, progress)
        row["load"] = provenance.load_average()
        self._evaluate(row)
        self.state.history.append(row)
        self.state.epoch += 1
        self.save()
        progress.beat(self.state.epoch, 0, now=True)
        return row

    def _fitted(self) -> Fitted:
        """The end of the run, in the recipe's own view."""
        view, data, best = self.recipe.test_view, self.data, self.state.best
        known = self._outputs if view == "single" else {}  # the last epoch has been looked at already
        started = time.perf_counter()
        test = known.get("test") or self.evaluator.predict(data.test.loader, view)
        if best.weights:
            last = (self.state.epoch, data.test.metrics(test))
            best.measure(self.method, last, lambda: data.test.metrics(self.evaluator.predict(data.test.loader, view)))
            self.state.history[-1]["evaluation_seconds"] += time.perf_counter() - started
        validation = known.get("validation")
        if data.validation is not None and validation is None:
            validation = self.evaluator.predict(data.validation.loader, view)
        labels, state = self.labels.cpu().numpy(), self.state
        return Fitted(test, validation, labels, state.history, best.rows, state.commits, state.machines)

    def train_epoch(self, epoch: int, progress: Progress) -> EpochRow:
        """One pass over the training set. The host issues steps and never waits for a value within it."""
        started = time.perf_counter()
        seed = self.spec.seed
        # Every epoch has seeds of its own, so a resumed run draws what the undisturbed one would have drawn.
        torch.manual_seed(seed_for(seed, "method", epoch))
        order = self._order(torch.Generator().manual_seed(seed_for(seed, "order", epoch)))
        augment = torch.Generator(self.device).manual_seed(seed_for(seed, "augment", epoch))
        before = self.labels.clone()
        sums: dict[str, Tensor] = {}
        self._outputs.clear()
        self.method.train()
        for step, (raw, rows) in enumerate(self.data.train.batches(order, self.recipe.batch_size)):
            clock = Clock(epoch, step, self.recipe.epochs, self.steps)
            factor = lr_factor(self.recipe.schedule, clock)
            set_lr(self.stepper.optimizer, factor)
            images, second = _augmented(self.pipeline, raw, augment), None
            if self.second_view is not None:
                second = _augmented(self.second_view, raw, augment)
            if self.recipe.compile and self.device.type == "cuda":
                torch.compiler.cudagraph_mark_step_begin()  # what the last step's graphs hold may be overwritten
            with self.precision.autocast():
                result = self.method.training_step(Batch(images, self.labels[rows], rows, second), clock)
            self.stepper.step(result.loss)
            if result.labels is not None:
                self.labels[rows] = result.labels
            for name, value in {"loss": result.loss, **result.logs}.items():
                sums[name] = sums.get(name, 0.0) + value.detach().float()
            progress.beat(epoch, step + 1)
        means = dict(zip(sums, (torch.stack(list(sums.values())) / self.steps).tolist(), strict=True))
        if not math.isfinite(means["loss"]):
            raise self._diverged(f"the loss is {means['loss']}", epoch)
        row: EpochRow = {"epoch": epoch + 1, "lr_factor": factor, **means, **self._relabelling(before)}
        row["train_seconds"] = time.perf_counter() - started
        return row

    def _diverged(self, what: str, epoch: int) -> Diverged:
        return Diverged(
            f"{what} in epoch {epoch + 1} of {self.recipe.epochs}: training diverged; lower the learning rate "
            f"(recipe lr {self.recipe.lr}) or check the method's settings"
        )

    def _order(self, generator: torch.Generator) -> Tensor:
        """Rows [kept] of the training set in the order of one epoch, on the host."""
        if self.recipe.sampler == "balanced":
            counts = np.bincount(self.data.given)
            weights = torch.from_numpy(1 / counts[self.data.given])
            return torch.multinomial(weights, self.kept, replacement=True, generator=generator)
        return torch.randperm(len(self.data.train), generator=generator)[: self.kept]

    def _relabelling(self, before: Tensor) -> EpochRow:
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

    def _evaluate(self, row: EpochRow) -> None:
        """Single-view accuracy of every epoch, and whether it is the best so far."""
        started = time.perf_counter()
        test, validation = self.data.test, self.data.validation
        seen = self._outputs["test"] = self.evaluator.predict(test.loader, "single")
        if not (np.isfinite(seen.logits).all() and np.isfinite(seen.uncertainty).all()):  # by its last steps
            raise self._diverged("predictions are not numbers", row["epoch"] - 1)
        measured = test.metrics(self._outputs["test"])
        row["test_accuracy"] = measured["accuracy"]
        selectors = {"best_on_test": measured["accuracy"]}
        if validation is not None:
            self._outputs["validation"] = self.evaluator.predict(validation.loader, "single")
            found = validation.metrics(self._outputs["validation"])["accuracy"]
            row["validation_accuracy"] = selectors["best_on_validation"] = found
        own_view = self.recipe.test_view == "single"
        self.state.best.offer(row["epoch"], selectors, measured if own_view else None, self.method)
        row["evaluation_seconds"] = time.perf_counter() - started

    def save(self) -> None:
        """Write the checkpoint of the epochs done so far."""
        checkpoint.save(
            self.folder,
            checkpoint.Checkpoint.model_construct(
                run_id=self.spec.run_id,
                data=list(self.code.data),
                plugins=dict(self.code.plugins),
                commits=self.state.commits,
                machines=[dict(machine) for machine in self.state.machines],
                epoch=self.state.epoch,
                history=self.state.history,
                best=self.state.best.rows,
                best_weights=self.state.best.weights,
                method=self.method.state_dict(),
                optimizer=self.stepper.optimizer.state_dict(),
                scaler=self.stepper.scaler.state_dict(),
                labels=self.labels.cpu(),
            ),
        )

    def _resume(self) -> None:
        """Go on from the last checkpoint: never one of other data or of another plug-in, whose run this is not. What
        tells plug-ins is what they hold: one more that is loaded now changes nothing, nor does another name."""
        saved = checkpoint.load(self.folder.checkpoint, self.spec.run_id, self.recipe.epochs)
        if saved is None:
            return
        for what, same in (
            ("data", saved.data == list(self.code.data)),
            ("plug-in", {*saved.plugins.values()} <= {*self.code.plugins.values()}),
        ):
            if not same:
                log.warning("the %s is not the one of the checkpoint any more: the run starts over", what)
                return
        if saved.labels.shape != self.labels.shape:
            log.warning("the checkpoint's labels are of another training set: the run starts over")
            return
        self.method.load_state_dict(saved.method)
        self.stepper.optimizer.load_state_dict(saved.optimizer)
        self.stepper.scaler.load_state_dict(saved.scaler)
        self.labels.copy_(saved.labels)
        commits = list(dict.fromkeys([*saved.commits, self.code.commit]))
        here = self.code.machine
        machines = [*saved.machines, *([] if here in saved.machines else [here])]
        if any(machine and machine != here for machine in machines):
            log.warning("trained on %s so far, now on %s: not bit for bit an undisturbed run", saved.machines, here)
        best = BestEpochs(saved.best, saved.best_weights)
        self.state = TrainingState(saved.epoch, saved.history, best, commits, machines)
        log.info("going on after epoch %d of %d", self.state.epoch, self.recipe.epochs)


def _augmented(pipeline: Pipeline, raw: Tensor, generator: torch.Generator) -> Tensor:
    return pipeline.train(raw, generator).contiguous(memory_format=torch.channels_last)
