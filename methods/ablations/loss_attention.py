"""Ablation of RUL (paper 4.7): no mixing; relative uncertainties weight the two samples' own losses."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from methods.core import relative
from methods.core.base import Batch, Clock, Step
from methods.core.branched import BranchedMethod, mean_sigma
from methods.core.losses import cross_entropy


class LossAttention(BranchedMethod):
    """Loss = u_i CE(W mu_i, y_i) + u_j CE(W mu_j, y_j); uncertainty = mean sigma, as learned."""

    reference = "Zhang, Wang & Deng, Relative Uncertainty Learning for Facial Expression Recognition, NeurIPS 2021, 4.7"
    note = (
        "minimising the loss pushes u down on hard samples: the learned value is a certainty; read rejection both ways"
    )

    @classmethod
    def warning(cls, config: Any, num_classes: int) -> str:
        """Two classes: see `relative.TWO_CLASSES`."""
        return relative.TWO_CLASSES if num_classes == 2 else ""

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """u_i CE(W mu_i, y_i) + u_j CE(W mu_j, y_j)."""
        mu, log_sigma = self.embed(batch.images)
        partner = relative.partners(batch.labels)
        weight = relative.relative_uncertainty(log_sigma, partner)
        logits = self.classifier(mu)
        loss = attention_loss(cross_entropy(logits, batch.labels, reduction="none"), partner, weight)
        return Step(loss, labels=self.relabelled(logits, mean_sigma(log_sigma), batch, clock))


def attention_loss(losses: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    """Mean over the batch of u_i l_i + (1 - u_i) l_j; losses, partner, weight [B]."""
    return relative.mix(losses, partner, weight).mean()
