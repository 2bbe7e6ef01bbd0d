"""Relabelling of uncertain samples (SCN, CVPR 2020; RUL paper 4.3): one rule for every method."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.core.losses import full_precision
from methods.core.settings import Settings, setting


class Relabel(Settings):
    """When a sample's label gives way to the model's own."""

    enabled: bool = setting(False, "relabel at all", "SCN and RUL paper 4.3: on; RUL's released code: none")
    share: float = setting(0.3, "most uncertain share of a batch that may be relabelled", "SCN: 1 - beta", gt=0, le=1)
    threshold: float = setting(0.2, "p(arg max) - p(given label) must exceed it", "paper 4.3; SCN delta2", ge=0, le=1)
    epoch: int = setting(
        10, "first epoch that relabels, the first epoch being 1", "SCN; the RUL paper gives none", ge=1
    )

    def active(self, epoch: int) -> bool:
        """Whether the rule applies in `epoch`, counted from 0 as `Clock` does."""
        return self.enabled and epoch + 1 >= self.epoch


def relabel(logits: Tensor, uncertainty: Tensor, labels: Tensor, rule: Relabel) -> Tensor:
    """Labels [B] after the rule: among the `share` most uncertain, where p_max - p_given > threshold, the arg max.

    logits [B, K], uncertainty [B], labels [B] long. Shapes do not depend on values, nothing synchronises.
    """
    probabilities = torch.softmax(full_precision(logits), dim=1)
    top, guess = probabilities.max(dim=1)
    given = probabilities.gather(1, labels[:, None]).squeeze(1)
    size = labels.shape[0]
    eligible = size - int((1 - rule.share) * size)  # SCN's released code: the top int(beta * B) are safe
    rank = uncertainty.argsort(descending=True, stable=True).argsort()
    return torch.where((rank < eligible) & (top - given > rule.threshold), guess, labels)
