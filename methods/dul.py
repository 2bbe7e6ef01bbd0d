"""Data Uncertainty Learning, classification form (DUL_cls): Gaussian embeddings with a KL term."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from methods.core.base import Batch, Clock, Step, setting
from methods.core.branched import BranchedConfig, BranchedMethod, mean_sigma
from methods.core.losses import cross_entropy


class DULConfig(BranchedConfig):
    """Settings of DUL."""

    kl_weight: float = setting(0.01, "weight lambda of the KL term", "DUL paper", ge=0)
    kl_reduction: Literal["sum", "mean"] = setting(
        "sum", "KL summed over D (the divergence itself) or averaged", "DUL paper; public implementations disagree"
    )


class DUL(BranchedMethod):
    """z = mu + eps sigma; CE(W z, y) + lambda KL(N(mu, sigma^2) || N(0, I)); uncertainty = mean sigma."""

    Config = DULConfig
    reference = "Chang et al., Data Uncertainty Learning in Face Recognition, CVPR 2020"

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """CE(W z, y) + lambda * KL."""
        config: DULConfig = self.config
        mu, log_sigma = self.embed(batch.images)
        logits = self.classifier(sample(mu, log_sigma))
        task = cross_entropy(logits, batch.labels)
        kl = kl_to_standard_normal(mu, log_sigma, config.kl_reduction)
        labels = self.relabelled(logits, mean_sigma(log_sigma), batch, clock)
        return Step(task + config.kl_weight * kl, {"cross_entropy": task.detach(), "kl": kl.detach()}, labels)


def sample(mu: Tensor, log_sigma: Tensor) -> Tensor:
    """z [B, D] = mu + eps sigma, eps standard normal (reparameterised)."""
    return mu + torch.randn_like(mu) * log_sigma.exp()


def kl_to_standard_normal(mu: Tensor, log_sigma: Tensor, reduction: str = "sum") -> Tensor:
    """Mean over the batch of KL(N(mu, sigma^2) || N(0, I)), mu and log sigma [B, D].

    reduction "sum" adds the D dimensions, "mean" averages them.
    """
    per_dimension = 0.5 * (mu.square() + (2 * log_sigma).exp() - 1) - log_sigma
    return (per_dimension.sum(dim=1) if reduction == "sum" else per_dimension.mean(dim=1)).mean()
