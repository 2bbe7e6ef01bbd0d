"""Ablation of RUL (paper 4.7): classify both images and mix the outputs, not the features."""

from __future__ import annotations

from typing import Literal

import torch

from methods.core import relative
from methods.core.base import Batch, Clock, Step, setting
from methods.core.branched import BranchedConfig, BranchedMethod, mean_sigma
from methods.core.losses import full_precision
from methods.core.relative import add_up_loss


class MixOutputConfig(BranchedConfig):
    """Settings of the mix-output ablation."""

    space: Literal["logits", "probabilities"] = setting("logits", "which outputs are mixed", "paper 4.7: the logits")


class MixOutput(BranchedMethod):
    """u_i W mu_i + u_j W mu_j under RUL's add-up loss; uncertainty = mean sigma."""

    Config = MixOutputConfig
    reference = "Zhang, Wang & Deng, Relative Uncertainty Learning for Facial Expression Recognition, NeurIPS 2021, 4.7"
    note = (
        "W is linear and u_i + u_j = 1, so mixed logits equal RUL's W mu~ exactly; only space = probabilities differs"
    )

    @classmethod
    def warning(cls, config: MixOutputConfig, num_classes: int) -> str:
        """Two classes: see `relative.TWO_CLASSES`."""
        return relative.TWO_CLASSES if num_classes == 2 else ""

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """RUL's add-up loss of the mixed outputs."""
        mu, log_sigma = self.embed(batch.images)
        partner = relative.partners(batch.labels)
        weight = relative.relative_uncertainty(log_sigma, partner)
        logits = full_precision(self.classifier(mu))
        if self.config.space == "logits":
            output = relative.mix(logits, partner, weight)
        else:
            output = relative.mix_log_probabilities(torch.log_softmax(logits, dim=1), partner, weight)
        # Log-probabilities pass through the loss's log-softmax unchanged: their exponentials sum to 1 already.
        loss = add_up_loss(output, batch.labels, batch.labels[partner])
        return Step(loss, labels=self.relabelled(logits, mean_sigma(log_sigma), batch, clock))
