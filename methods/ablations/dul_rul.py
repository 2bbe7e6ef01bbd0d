"""DUL guided by RUL (paper 4.6): DUL learns the features, the add-up loss learns sigma."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from methods.core import relative
from methods.core.base import Batch, Clock, Mixing, Step
from methods.core.losses import cross_entropy
from methods.core.relative import add_up_loss, mixing_of
from methods.dul import DUL, DULConfig, kl_to_standard_normal, sample


class DULRUL(DUL):
    """DUL's loss with sigma held fixed, plus RUL's add-up loss with mu and W held fixed; uncertainty = mean sigma.

    So sigma's branch hears the add-up loss alone, and mu's branch and W hear DUL's loss alone; the backbone hears both,
    as in either method. The paper says no more than that RUL's values replace DUL's variances.
    """

    reference = "Zhang, Wang & Deng, Relative Uncertainty Learning for Facial Expression Recognition, NeurIPS 2021, 4.6"

    @classmethod
    def warning(cls, config: Any, num_classes: int) -> str:
        """Two classes: see `relative.TWO_CLASSES`."""
        return relative.TWO_CLASSES if num_classes == 2 else ""

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """CE(W z, y) + lambda * KL, sigma fixed, plus the add-up loss that trains sigma."""
        config: DULConfig = self.config
        mu, log_sigma = self.embed(batch.images)

        given_sigma = log_sigma.detach()
        logits = self.classifier(sample(mu, given_sigma))
        task = cross_entropy(logits, batch.labels)
        kl = kl_to_standard_normal(mu, given_sigma, config.kl_reduction)

        partner = relative.partners(batch.labels)
        weight = relative.relative_uncertainty(log_sigma, partner)
        mixed = relative.mix(mu.detach(), partner, weight)
        judged = F.linear(mixed, self.classifier.weight.detach(), self.classifier.bias.detach())
        guide = add_up_loss(judged, batch.labels, batch.labels[partner])

        loss = task + config.kl_weight * kl + guide
        labels = self.relabelled(logits, self.score(log_sigma), batch, clock)
        return Step(loss, {"cross_entropy": task.detach(), "kl": kl.detach(), "add_up": guide.detach()}, labels)

    def mixing_experiment(self, images: Tensor, labels: Tensor, weight: Tensor) -> Mixing:
        """The two parts of the add-up loss that trains sigma, over the weight (paper figure 2)."""
        return mixing_of(*self.embed(images), self.classifier, labels, weight)
