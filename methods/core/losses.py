"""Loss pieces shared by methods. Everything here is computed in float32 at least, also under autocast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """x in float32, or as it is where it is float64 already."""
    return x if x.dtype == torch.float64 else x.float()


def cross_entropy(logits: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy of logits [B, K] and labels [B], in nats: a scalar, or [B] with reduction "none"."""
    return F.cross_entropy(full_precision(logits), labels, reduction=reduction)


def one_minus_max_softmax(logits: Tensor) -> Tensor:
    """The free score [B]: 1 - the largest softmax probability of logits [B, K]."""
    return 1 - torch.softmax(full_precision(logits), dim=1).amax(dim=1)
