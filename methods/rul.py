"""Relative Uncertainty Learning: features mixed by relative uncertainty, add-up loss."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from methods.core import relative
from methods.core.base import Batch, Clock, Mixing, Step, setting
from methods.core.branched import BranchedConfig, BranchedMethod, mean_sigma
from methods.core.relative import TWO_CLASSES, add_up_loss, mixing_of


class RULConfig(BranchedConfig):
    """Settings of RUL."""

    variant: Literal["paper", "released"] = setting(
        "paper",
        "released: partner = any shuffle, sigma averaged over D before the ratio, loss halved",
        "paper eq. 2-4; released code differs",
    )
    partner: Literal["as variant", "different", "any"] = setting(
        "as variant",
        "whom a sample is mixed with: of another label (variant paper), or whomever a shuffle brings (released)",
        "paper 3.2: 'note that they have different labels'; released code: any",
    )


def _anyone(config: RULConfig) -> bool:
    """Whether a sample may be mixed with one of its own label."""
    return config.partner == "any" or (config.variant == "released" and config.partner == "as variant")


class RUL(BranchedMethod):
    """mu~ = u_i mu_i + u_j mu_j; loss = CE(W mu~, y_i) + CE(W mu~, y_j); uncertainty = mean sigma (paper eq. 2-4)."""

    Config = RULConfig
    reference = "Zhang, Wang & Deng, Relative Uncertainty Learning for Facial Expression Recognition, NeurIPS 2021"
    note = (
        "by default partners have another label, as in the paper; its released code takes any partner, averages "
        "sigma first and halves the loss (rul.variant=released)"
    )

    @classmethod
    def warning(cls, config: RULConfig, num_classes: int) -> str:
        """Of two classes, a partner of another label leaves no contrast between the targets: 1/2 (1 - 1/(K - 1))."""
        return f"{TWO_CLASSES}; --set rul.partner=any can" if num_classes == 2 and not _anyone(config) else ""

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """CE(W mu~, y_i) + CE(W mu~, y_j) (paper eq. 4)."""
        released = self.config.variant == "released"
        mu, log_sigma = self.embed(batch.images)
        partner = (relative.shuffle if _anyone(self.config) else relative.partners)(batch.labels)
        weight = relative.relative_uncertainty(log_sigma, partner, mean_first=released)
        logits = self.classifier(relative.mix(mu, partner, weight))
        loss = add_up_loss(logits, batch.labels, batch.labels[partner])
        if released:
            loss = loss / 2  # "0.5 * criterion + 0.5 * criterion"
        labels = self.relabelled(self.classifier(mu.detach()), mean_sigma(log_sigma), batch, clock)
        return Step(loss, {"weight_spread": weight.detach().std(correction=0)}, labels)

    def mixing_experiment(self, images: Tensor, labels: Tensor, weight: Tensor) -> Mixing:
        """The two parts of the add-up loss over the weight (paper figure 2)."""
        mu, log_sigma = self.embed(images)
        return mixing_of(mu, log_sigma, self.classifier, labels, weight, mean_first=self.config.variant == "released")
