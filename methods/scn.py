"""Self-Cure Network: importance weighting, rank regularisation and relabelling."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from methods.core.backbones import Backbone
from methods.core.base import Batch, Clock, Prediction, Step, setting
from methods.core.losses import cross_entropy, full_precision
from methods.core.pooled import PooledConfig, PooledMethod
from methods.core.relabel import Relabel


class SCNConfig(PooledConfig):
    """Settings of SCN."""

    relabel: Relabel = setting(
        Relabel(enabled=True), "relabelling, part of the method", "SCN paper: from the 10th epoch"
    )
    relabel_group: Literal["low", "all"] = setting(
        "low",
        "who may be relabelled: the relabel.share least important, or any sample",
        "SCN paper; released code: all",
    )
    beta: float = setting(0.7, "share of the batch in the high-importance group", "SCN paper", gt=0, lt=1)
    margin: float = setting(
        0.15, "delta1, gap of the group means", "SCN paper and code; the README's command: 0.07", ge=0, le=1
    )
    loss_weights: Literal["paper", "sum"] = setting(
        "paper", "gamma * rank + (1 - gamma) * cross-entropy, or their sum", "SCN paper; released code: sum"
    )
    gamma: float = setting(0.5, "weight of the rank loss under loss_weights = paper", "SCN paper", ge=0, le=1)


class SCN(PooledMethod):
    """alpha = sigmoid(linear(features)) scales the logits; uncertainty = 1 - alpha."""

    Config = SCNConfig
    reference = "Wang et al., Suppressing Uncertainties for Large-Scale Facial Expression Recognition, CVPR 2020"
    note = (
        "by default relabels among the low-importance group, with a margin of 0.15, as in its paper; its code relabels "
        "any sample (scn.relabel_group=all), and its README's command has 0.07"
    )

    def __init__(self, backbone: Backbone, num_classes: int, config: SCNConfig) -> None:
        if config.relabel_group == "all":
            config = config.model_copy(update={"relabel": config.relabel.model_copy(update={"share": 1.0})})
        super().__init__(backbone, num_classes, config)
        self.importance = nn.Linear(self.width, 1)

    def _forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weighted logits [B, K], importance alpha [B], features [B, C]."""
        features = self.pool(self.backbone(images))
        alpha = torch.sigmoid(full_precision(self.importance(features)))
        return alpha * full_precision(self.classifier(features)), alpha.squeeze(1), features

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """gamma * rank loss + (1 - gamma) * CE(alpha W f, y), or their sum."""
        config: SCNConfig = self.config
        logits, alpha, _ = self._forward(batch.images)
        weighted = cross_entropy(logits, batch.labels)  # logit-weighted cross-entropy
        rank = rank_loss(alpha, config.beta, config.margin)
        if config.loss_weights == "paper":
            loss = config.gamma * rank + (1 - config.gamma) * weighted
        else:
            loss = rank + weighted
        labels = self.relabelled(logits, 1 - alpha, batch, clock)
        return Step(loss, {"cross_entropy": weighted.detach(), "rank_loss": rank.detach()}, labels)

    def predict(self, images: Tensor) -> Prediction:
        """Logits alpha W f; uncertainty 1 - alpha."""
        logits, alpha, features = self._forward(images)
        return Prediction(logits, 1 - alpha, features)


def rank_loss(alpha: Tensor, beta: float, margin: float) -> Tensor:
    """Rank regularisation max(0, margin - (mean of the top beta) + (mean of the rest)) of importances [B].

    0 for a single sample.
    """
    size = alpha.shape[0]
    if size == 1:
        return alpha.sum() * 0
    ordered = alpha.sort(descending=True).values
    top = min(max(int(beta * size), 1), size - 1)  # neither group may be empty
    return (margin - ordered[:top].mean() + ordered[top:].mean()).clamp(min=0)
