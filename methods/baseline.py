"""Baseline: cross-entropy on globally averaged features."""

from __future__ import annotations

from methods.core.base import Batch, Clock, Step, one_minus_max_softmax
from methods.core.losses import cross_entropy
from methods.core.pooled import PooledMethod


class Baseline(PooledMethod):
    """Cross-entropy; uncertainty = 1 - max softmax."""

    reference = "He et al., Deep Residual Learning for Image Recognition, CVPR 2016"
    note = "the paper names no uncertainty for the baseline: 1 - max softmax is used"

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """CE(W f, y)."""
        logits = self.classifier(self.pool(self.backbone(batch.images)))
        labels = self.relabelled(logits, one_minus_max_softmax(logits), batch, clock)
        return Step(cross_entropy(logits, batch.labels), labels=labels)
