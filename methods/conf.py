"""Learned confidence with label hints (CONF)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.core.backbones import Backbone
from methods.core.base import Batch, Clock, Prediction, Step, setting
from methods.core.losses import full_precision
from methods.core.pooled import PooledConfig, PooledMethod


class CONFConfig(PooledConfig):
    """Settings of CONF."""

    budget: float = setting(0.3, "confidence loss that lambda steers towards", "released code", gt=0)
    initial_weight: float = setting(0.1, "lambda at the first step", "released code", gt=0)
    hint_share: float = setting(
        0.5, "chance of a sample to get hints", "paper and released code: half of the batch", ge=0, le=1
    )


class CONF(PooledMethod):
    """The network may ask for the label at a price: p' = c p + (1 - c) onehot(y); uncertainty = 1 - c."""

    Config = CONFConfig
    reference = "DeVries & Taylor, Learning Confidence for Out-of-Distribution Detection, arXiv 1802.04865"
    weight: Tensor  # lambda, a scalar

    def __init__(self, backbone: Backbone, num_classes: int, config: CONFConfig) -> None:
        super().__init__(backbone, num_classes, config)
        self.confidence = nn.Linear(self.width, 1)
        self.register_buffer("weight", torch.tensor(config.initial_weight))

    def _forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [B, K], confidence before the sigmoid [B], features [B, C]."""
        features = self.pool(self.backbone(images))
        confidence = full_precision(self.confidence(features)).squeeze(1)
        return full_precision(self.classifier(features)), confidence, features

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """NLL(log p', y) + lambda * mean(-log c); lambda then moves by a hundredth."""
        logits, confidence, _ = self._forward(batch.images)
        hinted = torch.rand_like(confidence) < self.config.hint_share
        task = hinted_loss(logits, confidence, batch.labels, hinted)
        price = confidence_loss(confidence)
        loss = task + self.weight * price
        # The new lambda is a new tensor: the backward pass still needs the one this loss was made with.
        used, self.weight = self.weight, next_weight(self.weight, price.detach(), self.config.budget)
        logs = {"task_loss": task.detach(), "confidence_loss": price.detach(), "lambda": used}
        return Step(loss, logs, self.relabelled(logits, 1 - torch.sigmoid(confidence), batch, clock))

    def predict(self, images: Tensor) -> Prediction:
        """Logits W f without hints; uncertainty 1 - c."""
        logits, confidence, features = self._forward(images)
        return Prediction(logits, torch.sigmoid(-confidence), features)  # 1 - c without cancellation


def hinted_loss(logits: Tensor, confidence: Tensor, labels: Tensor, hinted: Tensor) -> Tensor:
    """Mean of -log p'_y; p'_y = c p_y + 1 - c where hinted [B] bool, else p_y.

    logits [B, K]; confidence [B] before the sigmoid. Computed from logarithms throughout, which is exact where the
    released code clamps p and c to [1e-12, 1 - 1e-12] (a clamp that float32 cannot hold at the upper end).
    """
    log_p = -F.cross_entropy(logits, labels, reduction="none")
    with_hint = torch.logaddexp(F.logsigmoid(confidence) + log_p, F.logsigmoid(-confidence))
    return -torch.where(hinted, with_hint, log_p).mean()


def confidence_loss(confidence: Tensor) -> Tensor:
    """Mean of -log c, confidence [B] before the sigmoid."""
    return -F.logsigmoid(confidence).mean()


def next_weight(weight: Tensor, price: Tensor, budget: float) -> Tensor:
    """lambda / 1.01 when the confidence loss is under the budget, / 0.99 when not (released code)."""
    return torch.where(price < budget, weight / 1.01, weight / 0.99)
