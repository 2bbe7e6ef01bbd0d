"""Why RUL works (paper 3.3, figure 2): both losses of two mixed images over the mixing weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.core import relative
from methods.core.base import Mixing
from methods.core.losses import cross_entropy


def mixing_of(
    mu: Tensor, log_sigma: Tensor, classifier: nn.Module, labels: Tensor, weight: Tensor, *, mean_first: bool = False
) -> Mixing:
    """Losses of the feature w mu_uncertain + (1 - w) mu_certain under W, and the weight the method itself chooses.

    Row 0 is the certain image, row 1 the uncertain one: mu, log sigma [2, D], labels [2] long. weight [S] in [0, 1] is
    the uncertain image's. `mean_first`: as in `relative_uncertainty`.
    """
    swapped = torch.tensor([1, 0], device=mu.device)
    own = relative.relative_uncertainty(log_sigma, swapped, mean_first)[1]
    logits = classifier(weight[:, None] * mu[1] + (1 - weight[:, None]) * mu[0])
    certain, uncertain = (cross_entropy(logits, label.expand(len(weight)), reduction="none") for label in labels)
    return Mixing(certain, uncertain, own)
