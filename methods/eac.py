"""Erasing Attention Consistency: what the network looks at must not change when the image is flipped."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.core.base import Batch, Clock, Step, one_minus_max_softmax, setting
from methods.core.losses import cross_entropy, full_precision
from methods.core.pooled import PooledConfig, PooledMethod


class EACConfig(PooledConfig):
    """Settings of EAC."""

    consistency_weight: float = setting(5.0, "weight lambda of the consistency loss", "EAC paper; released code", ge=0)


class EAC(PooledMethod):
    """CE(original) + 5 * MSE of the class activation maps of an image and of its flip, flipped back; 1 - max softmax.

    The flip is that of the erased image (the released code's branch for clean labels), or of the recipe's second view
    (its branch for noisy labels: each view is erased by itself, and noise is added to the first alone).
    """

    Config = EACConfig
    reference = "Zhang et al., Learn From All: Erasing Attention Consistency for Noisy Label FER, ECCV 2022"
    note = (
        "made for a pretrained network: from scratch, a weight of 5 can hold the activation maps at nothing and "
        "the predictions at the most frequent class; eac.consistency_weight lowers it. Under label noise its code "
        "erases the two views independently and adds noise to one alone: --protocol own does that, in the common "
        "protocol the second is always the first's flip"
    )
    extra_augment = ({"op": "erase", "p": 0.5, "scale": (0.02, 0.25)},)

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """CE(W f, y) + weight * consistency of the activation maps."""
        features = self.backbone(batch.images)
        other = batch.images if batch.second_view is None else batch.second_view
        flipped = self.backbone(other.flip(-1))  # a pass of its own: batch statistics are not shared
        logits = self.classifier(self.pool(features))
        task = cross_entropy(logits, batch.labels)
        weight = self.classifier.weight
        consistency = consistency_loss(activation_maps(features, weight), activation_maps(flipped, weight))
        loss = task + self.config.consistency_weight * consistency
        logs = {"cross_entropy": task.detach(), "consistency": consistency.detach()}
        return Step(loss, logs, self.relabelled(logits, one_minus_max_softmax(logits), batch, clock))


def activation_maps(features: Tensor, weight: Tensor) -> Tensor:
    """Class activation maps [B, K, H, W] of features [B, C, H, W] and W [K, C]; W gets no gradient (released code)."""
    return torch.einsum("bchw,kc->bkhw", features, weight.detach().to(features.dtype))


def consistency_loss(maps: Tensor, flipped_maps: Tensor) -> Tensor:
    """Mean square of the difference of maps [B, K, H, W] and the flipped image's maps, flipped back."""
    return (full_precision(maps) - full_precision(flipped_maps).flip(-1)).square().mean()
