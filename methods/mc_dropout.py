"""Monte Carlo dropout: dropout stays on at test time, and the passes' disagreement is the uncertainty."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from methods.core.backbones import Backbone
from methods.core.base import Batch, Clock, Prediction, Step, one_minus_max_softmax, setting
from methods.core.losses import cross_entropy, full_precision
from methods.core.pooled import PooledConfig, PooledMethod


class MCDropoutConfig(PooledConfig):
    """Settings of Monte Carlo dropout."""

    pool_dropout: float = setting(0.5, "dropout rate", "usual before a last layer (Gal & Ghahramani)", gt=0, lt=1)
    where: Literal["head", "stages"] = setting(
        "head", "dropout before the last layer, or after every backbone stage as well (T full passes)", "ours: cost"
    )
    passes: int = setting(
        20, "forward passes T at test time", "ours: Gal & Ghahramani use 10 to 1,000", ge=1, le=10_000
    )
    measure: Literal["entropy", "mutual_information", "variation_ratio"] = setting(
        "entropy", "uncertainty: predictive entropy, mutual information (BALD) or variation ratio", "Gal, thesis, 2016"
    )


class MCDropout(PooledMethod):
    """Cross-entropy with dropout; logits = log of the mean probability over T passes."""

    Config = MCDropoutConfig
    reference = "Gal & Ghahramani, Dropout as a Bayesian Approximation, ICML 2016"

    def __init__(self, backbone: Backbone, num_classes: int, config: MCDropoutConfig) -> None:
        super().__init__(backbone, num_classes, config)
        self.rate = config.pool_dropout

    def _drop(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Bernoulli dropout of x, in training and at test time alike."""
        noise = torch.rand(x.shape, device=x.device, dtype=torch.float32, generator=generator)
        return x * (noise >= self.rate).to(x.dtype) / (1 - self.rate)

    def _pooled(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Features [B, C] before the last dropout."""
        if self.config.where == "head":
            return self.backbone(images).mean(dim=(2, 3))
        x = self.backbone.prepare(images)
        for number, stage in enumerate(self.backbone.stages):
            x = stage(x if number == 0 else self._drop(x, generator))
        return x.mean(dim=(2, 3))

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """CE(W dropout(f), y)."""
        logits = self.classifier(self._drop(self._pooled(batch.images, None), None))
        labels = self.relabelled(logits, one_minus_max_softmax(logits), batch, clock)
        return Step(cross_entropy(logits, batch.labels), labels=labels)

    def predict(self, images: Tensor) -> Prediction:
        """Mean probability of T passes, as a logarithm; their disagreement; mean features before the last dropout."""
        # A generator of its own, seeded alike each time: the same weights and images give the same answer, and
        # predicting does not move the random numbers of training.
        generator = torch.Generator(images.device).manual_seed(0)
        passes: int = self.config.passes
        if self.config.where == "head":  # only the head is random: one pass of the backbone serves all
            features = self._pooled(images, generator).expand(passes, -1, -1)
        else:
            features = torch.stack([self._pooled(images, generator) for _ in range(passes)])
        logits = self.classifier(self._drop(features, generator))
        log_p = torch.log_softmax(full_precision(logits), dim=2)
        return Prediction(mean_log_probability(log_p), disagreement(log_p, self.config.measure), features.mean(dim=0))


def mean_log_probability(log_p: Tensor) -> Tensor:
    """log of the mean over T of p; log p [T, B, K] -> [B, K]."""
    return log_p.logsumexp(dim=0) - math.log(log_p.shape[0])


def disagreement(log_p: Tensor, measure: str) -> Tensor:
    """Uncertainty [B] of T passes, log p [T, B, K].

    "entropy": of the mean probability, in nats. "mutual_information": that minus the mean entropy of the passes (BALD).
    "variation_ratio": share of the passes that do not vote for the most voted class.
    """
    if measure == "variation_ratio":
        votes = log_p.argmax(dim=2, keepdim=True) == torch.arange(log_p.shape[2], device=log_p.device)
        return 1 - votes.float().mean(dim=0).amax(dim=1)
    mean = mean_log_probability(log_p)
    entropy = -(mean.exp() * mean).sum(dim=1)
    if measure == "entropy":
        return entropy
    return entropy + (log_p.exp() * log_p).sum(dim=2).mean(dim=0)
