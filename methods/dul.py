"""Data Uncertainty Learning, classification form (DUL_cls): Gaussian embeddings with a KL term."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from methods.core.base import Batch, Clock, Prediction, Step, setting
from methods.core.branched import BranchedConfig, BranchedMethod, mean_sigma
from methods.core.losses import cross_entropy, full_precision


class DULConfig(BranchedConfig):
    """Settings of DUL."""

    kl_weight: float = setting(0.01, "weight lambda of the KL term", "DUL paper", ge=0)
    kl_reduction: Literal["sum", "mean"] = setting(
        "sum", "KL summed over D (the divergence itself) or averaged", "DUL paper; public implementations disagree"
    )
    parametrization: Literal["log_variance", "log_sigma"] = setting(
        "log_variance",
        "what the second branch's output is: log sigma^2, or log sigma",
        "both public implementations: log_variance; the words of the RUL paper (4.2): log_sigma",
    )
    uncertainty: Literal["mean_sigma", "harmonic_variance"] = setting(
        "mean_sigma",
        "one number an image: mean of sigma over D, or harmonic mean of sigma^2",
        "RUL paper 3.2: mean_sigma; DUL's authors: harmonic_variance",
    )


class DUL(BranchedMethod):
    """z = mu + eps sigma; CE(W z, y) + lambda KL(N(mu, sigma^2) || N(0, I)); uncertainty = mean sigma.

    The branch ends in a BatchNorm1d, so its output starts at N(0, 1): read as log variance, the noise variance starts
    at e^(1/2) = 1.65; read as log sigma, at e^2 = 7.39, against a signal of variance 1.
    """

    Config = DULConfig
    reference = "Chang et al., Data Uncertainty Learning in Face Recognition, CVPR 2020"
    note = (
        "by default its branch is log variance, as in both public implementations; the RUL paper's words, log sigma, "
        "are dul.parametrization=log_sigma; its KL is summed over D, where public implementations disagree "
        "(dul.kl_reduction=mean)"
    )

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma [B, D] of images [B, C, H, W], in full precision, under either parametrization."""
        mu, output = super().embed(images)
        return mu, output / 2 if self.config.parametrization == "log_variance" else output

    def score(self, log_sigma: Tensor) -> Tensor:
        """Uncertainty [B] of log sigma [B, D]."""
        harmonic = self.config.uncertainty == "harmonic_variance"
        return harmonic_variance(log_sigma) if harmonic else mean_sigma(log_sigma)

    def predict(self, images: Tensor) -> Prediction:
        """Logits W mu [B, K], uncertainty [B], features mu [B, D]."""
        mu, log_sigma = self.embed(images)
        return Prediction(self.classifier(mu), self.score(log_sigma), mu)

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """CE(W z, y) + lambda * KL."""
        config: DULConfig = self.config
        mu, log_sigma = self.embed(batch.images)
        logits = self.classifier(sample(mu, log_sigma))
        task = cross_entropy(logits, batch.labels)
        kl = kl_to_standard_normal(mu, log_sigma, config.kl_reduction)
        labels = self.relabelled(logits, self.score(log_sigma), batch, clock)
        return Step(task + config.kl_weight * kl, {"cross_entropy": task.detach(), "kl": kl.detach()}, labels)


def sample(mu: Tensor, log_sigma: Tensor) -> Tensor:
    """z [B, D] = mu + eps sigma, eps standard normal (reparameterised)."""
    return mu + torch.randn_like(mu) * log_sigma.exp()


def harmonic_variance(log_sigma: Tensor) -> Tensor:
    """Harmonic mean [B] of sigma^2 over D for log sigma [B, D]: D / sum(1 / sigma^2)."""
    negative = -2 * full_precision(log_sigma)
    return log_sigma.shape[1] * (-negative.logsumexp(dim=1)).exp()


def kl_to_standard_normal(mu: Tensor, log_sigma: Tensor, reduction: str = "sum") -> Tensor:
    """Mean over the batch of KL(N(mu, sigma^2) || N(0, I)), mu and log sigma [B, D].

    reduction "sum" adds the D dimensions, "mean" averages them.
    """
    per_dimension = 0.5 * (mu.square() + (2 * log_sigma).exp() - 1) - log_sigma
    return (per_dimension.sum(dim=1) if reduction == "sum" else per_dimension.mean(dim=1)).mean()
