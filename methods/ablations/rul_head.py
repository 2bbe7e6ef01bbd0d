"""Control for RUL: its network without its uncertainty. Cross-entropy behind the mu branch; nothing is mixed."""

from __future__ import annotations

from torch import Tensor, nn

from methods.core.backbones import Backbone
from methods.core.base import Batch, Clock, Method, Prediction, Step, one_minus_max_softmax
from methods.core.branched import BranchedConfig
from methods.core.heads import Branch
from methods.core.losses import cross_entropy, full_precision


class RULHead(Method):
    """Backbone, mu branch, W [K, D]; loss = CE(W mu, y); uncertainty = 1 - max softmax."""

    Config = BranchedConfig
    classifier: nn.Linear
    reference = "Zhang, Wang & Deng, Relative Uncertainty Learning for Facial Expression Recognition, NeurIPS 2021, 4.2"
    note = "not in the paper: what RUL's head does by itself, without uncertainty and mixing"

    def __init__(self, backbone: Backbone, num_classes: int, config: BranchedConfig) -> None:
        super().__init__(backbone, num_classes, config)
        self.mu = Branch(backbone.feature_shape, config.dimension, config.dropout)
        self.classifier = nn.Linear(config.dimension, num_classes)

    def _embed(self, images: Tensor) -> Tensor:
        return full_precision(self.mu(self.backbone(images)))

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """CE(W mu, y)."""
        logits = self.classifier(self._embed(batch.images))
        labels = self.relabelled(logits, one_minus_max_softmax(logits), batch, clock)
        return Step(cross_entropy(logits, batch.labels), labels=labels)

    def predict(self, images: Tensor) -> Prediction:
        """Logits W mu [B, K], 1 - max softmax [B], features mu [B, D]."""
        mu = self._embed(images)
        logits = self.classifier(mu)
        return Prediction(logits, one_minus_max_softmax(logits), mu)
