"""The interface every method implements, and the values that cross it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from methods.core.backbones import Backbone
from methods.core.losses import one_minus_max_softmax
from methods.core.relabel import Relabel, relabel
from methods.core.settings import Settings, setting

__all__ = [
    "Batch",
    "Clock",
    "Method",
    "MethodConfig",
    "Mixing",
    "ParamGroup",
    "Prediction",
    "Step",
    "one_minus_max_softmax",
    "setting",
]


@dataclass(frozen=True, slots=True)
class Batch:
    """One training batch, on the device."""

    images: Tensor  # [B, C, H, W] float, normalised and augmented
    labels: Tensor  # [B] long, the labels as they stand now (noisy, perhaps relabelled)
    index: Tensor  # [B] long, row of the training set
    second_view: Tensor | None = None  # [B, C, H, W], the same images augmented by themselves, where a recipe has it so


@dataclass(frozen=True, slots=True)
class Clock:
    """Where training stands; epoch and step count from 0."""

    epoch: int
    step: int  # within the epoch
    epochs: int
    steps_per_epoch: int


@dataclass(frozen=True, slots=True)
class Step:
    """What a training step returns. `logs` are device scalars: nothing is copied to the host within an epoch."""

    loss: Tensor  # scalar
    logs: Mapping[str, Tensor] = field(default_factory=dict)
    labels: Tensor | None = None  # [B] the batch's labels from now on, None to leave them


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a method says of a batch of images."""

    logits: Tensor  # [B, K]
    uncertainty: Tensor  # [B], higher = less certain
    features: Tensor  # [B, D]


@dataclass(frozen=True, slots=True)
class Mixing:
    """Paper figure 2: losses of two images' mixed feature, S weights of the uncertain one, and the method's own."""

    loss_certain: Tensor  # [S] towards the certain image's label
    loss_uncertain: Tensor  # [S] towards the uncertain image's label
    own_weight: Tensor  # scalar in [0, 1], the uncertain image's


@dataclass(frozen=True, slots=True)
class ParamGroup:
    """Parameters that share a learning rate. The recipe may scale a group by its name ("classifier")."""

    name: str
    params: list[nn.Parameter]
    lr_multiplier: float = 1.0


class MethodConfig(Settings):
    """Hyper-parameters common to all methods. Subclasses add their own with `setting`."""

    relabel: Relabel = setting(
        Relabel(), "relabelling of uncertain training samples", "paper 4.3; off unless asked for"
    )


class Method(nn.Module, ABC):
    """A way to train a classifier that also says how uncertain it is.

    A subclass sets `Config`, `reference` and, in `__init__`, `self.classifier` (the last linear layer W). Adaptive
    state (a moving weight, say) is a registered buffer, so that checkpoints carry it.
    """

    Config: ClassVar[type[MethodConfig]] = MethodConfig
    reference: ClassVar[str]
    note: ClassVar[str] = ""  # what a reader of its numbers must know, printed beside them
    extra_augment: ClassVar[tuple[Mapping[str, Any], ...]] = ()  # augmentation that is part of the method itself
    classifier: nn.Module

    def __init__(self, backbone: Backbone, num_classes: int, config: MethodConfig) -> None:
        super().__init__()
        self.backbone = backbone
        self.num_classes = num_classes
        self.config: Any = config  # a subclass's own Config: typed where it is declared

    @abstractmethod
    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """Loss of one batch. Must not synchronise with the device (`.item()`, data-dependent shapes)."""

    @abstractmethod
    def predict(self, images: Tensor) -> Prediction:
        """Logits, uncertainty and features of images [B, C, H, W]; called in eval mode without gradients."""

    @classmethod
    def warning(cls, config: Any, num_classes: int) -> str:
        """What speaks against these settings on data of so many classes, in one line for the plan; usually nothing."""
        return ""

    @classmethod
    def members(cls, config: Any, seed: int) -> tuple[tuple[str, int], ...]:
        """The runs (method, seed) whose trained networks a run of `seed` is made of: none, unless it trains nothing.

        Those runs have the label noise of `seed` and are done first; their networks are given to `adopt`, and
        `training_step` is never called.
        """
        return ()

    def adopt(self, members: Sequence[Method]) -> None:
        """Take the trained networks of `members`, in their order."""
        raise TypeError(f"{type(self).__name__} trains a network of its own and takes none")

    def mixing_experiment(self, images: Tensor, labels: Tensor, weight: Tensor) -> Mixing | None:
        """Paper figure 2 for a certain and an uncertain image [2, C, H, W] with labels [2]; called as `predict` is.

        weight [S] is the uncertain image's. None where a method mixes no features by uncertainty.
        """
        return None

    def param_groups(self) -> list[ParamGroup]:
        """All trainable parameters, each once; by default the last layer apart from the rest."""
        last = {id(p) for p in self.classifier.parameters()}
        trainable = [p for p in self.parameters() if p.requires_grad]
        return [
            ParamGroup("body", [p for p in trainable if id(p) not in last]),
            ParamGroup("classifier", [p for p in trainable if id(p) in last]),
        ]

    def relabelled(self, logits: Tensor, uncertainty: Tensor, batch: Batch, clock: Clock) -> Tensor | None:
        """The batch's labels [B] after relabelling, or None when it is off or has not begun (paper 4.3)."""
        rule: Relabel = self.config.relabel
        if not rule.active(clock.epoch):
            return None
        return relabel(logits.detach(), uncertainty.detach(), batch.labels, rule)

    def relabelled_by_predict(self, batch: Batch, clock: Clock) -> Tensor | None:
        """As `relabelled`, for methods that train on no image by itself (mixup): one more pass, in eval mode."""
        if not self.config.relabel.active(clock.epoch):
            return None
        self.eval()
        with torch.no_grad():
            prediction = self.predict(batch.images)
        self.train()
        return self.relabelled(prediction.logits, prediction.uncertainty, batch, clock)
