"""mixup: train on convex combinations of two images and of their labels."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.core.base import Batch, Clock, Step, setting
from methods.core.losses import cross_entropy
from methods.core.pooled import PooledConfig, PooledMethod
from methods.core.relative import shuffle


class MixupConfig(PooledConfig):
    """Settings of mixup."""

    alpha: float = setting(1.0, "lambda ~ Beta(alpha, alpha)", "mixup paper, CIFAR (ImageNet: 0.1 to 0.4)", gt=0)


class Mixup(PooledMethod):
    """x~ = lambda x_i + (1 - lambda) x_j, one lambda a batch; uncertainty = 1 - max softmax."""

    Config = MixupConfig
    reference = "Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018"

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """lambda CE(W f~, y_i) + (1 - lambda) CE(W f~, y_j)."""
        share = mixing_share(self.config.alpha)
        partner = shuffle(batch.labels)
        logits = self.classifier(self.pool(self.backbone(blend(batch.images, partner, share))))
        loss = mixed_loss(logits, batch.labels, batch.labels[partner], share)
        return Step(loss, labels=self.relabelled_by_predict(batch, clock))


def mixing_share(alpha: float) -> float:
    """lambda ~ Beta(alpha, alpha), drawn on the host as in the released code: the device never waits for it."""
    return float(torch.distributions.Beta(alpha, alpha).sample())


def blend(x: Tensor, partner: Tensor, share: float) -> Tensor:
    """lambda x_i + (1 - lambda) x_j of x [B, ...], partner [B], share a number."""
    return share * x + (1 - share) * x[partner]


def mixed_loss(logits: Tensor, labels: Tensor, partner_labels: Tensor, share: float) -> Tensor:
    """lambda CE(logits, y_i) + (1 - lambda) CE(logits, y_j): the cross-entropy with mixed labels."""
    return share * cross_entropy(logits, labels) + (1 - share) * cross_entropy(logits, partner_labels)
