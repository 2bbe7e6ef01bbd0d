"""Optimizer, gradient clipping and learning-rate schedule of a recipe. Schedules are closed forms, without state."""

from __future__ import annotations

import math
from typing import assert_never

import torch
from torch import Tensor

from benchmarks.plan.recipe import Constant, Cosine, Exponential, MultiStep, OneCycle, Recipe, Schedule, StepDecay
from benchmarks.train.step.precision import Precision
from methods.core.base import Clock, Method


def optimizer(recipe: Recipe, method: Method) -> torch.optim.Optimizer:
    """Adam (L2 weight decay, as in the paper) or SGD over the method's parameter groups."""
    groups = []
    for group in method.param_groups():
        scale = group.lr_multiplier * (recipe.classifier_lr if group.name == "classifier" else 1.0)
        groups.append({"params": group.params, "lr": recipe.lr * scale, "base_lr": recipe.lr * scale})
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.SGD(
        groups,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


class Stepper:
    """What follows a loss: gradients, their scaling and clipping, and the optimizer's step."""

    def __init__(self, recipe: Recipe, method: Method, precision: Precision) -> None:
        self.optimizer = optimizer(recipe, method)
        self.scaler = precision.scaler()
        self.clip_value = recipe.clip_value
        self.parameters = list(method.parameters())

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of a scalar loss."""
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if self.clip_value is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_value_(self.parameters, self.clip_value)
        self.scaler.step(self.optimizer)
        self.scaler.update()


def lr_factor(schedule: Schedule, clock: Clock) -> float:
    """What the base learning rate is multiplied with at this step."""
    match schedule:
        case Constant():
            return 1.0
        case Exponential(gamma=gamma):
            return gamma**clock.epoch
        case StepDecay(start=start, every=every, factor=factor):
            return factor ** max(0, (clock.epoch - start) // every)
        case MultiStep(epochs=epochs, factor=factor):
            return factor ** sum(clock.epoch >= epoch for epoch in epochs)
        case Cosine(warmup=warmup):
            return _rise_and_fall(clock, warmup, cooldown=0.0, floor=0.0)
        case OneCycle(warmup=warmup, cooldown=cooldown, floor=floor):
            return _rise_and_fall(clock, warmup, cooldown, floor)
    assert_never(schedule)


def _rise_and_fall(clock: Clock, warmup: float, cooldown: float, floor: float) -> float:
    """Linearly to 1 over the `warmup` share of all steps, by half a cosine to `floor`, the `cooldown` share there."""
    total = clock.epochs * clock.steps_per_epoch
    now = clock.epoch * clock.steps_per_epoch + clock.step
    if now < warmup * total:
        return (now + 1) / (warmup * total + 1)
    fallen = min(1.0, (now - warmup * total) / ((1 - cooldown) * total - warmup * total))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * fallen))


def set_lr(chosen: torch.optim.Optimizer, factor: float) -> None:
    """Scale every group's base learning rate."""
    for group in chosen.param_groups:
        group["lr"] = group["base_lr"] * factor
