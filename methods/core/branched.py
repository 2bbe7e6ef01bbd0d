"""Base of the methods that learn features and uncertainty in two branches (RUL paper 3.2): mu and log sigma."""

from __future__ import annotations

from torch import Tensor, nn

from methods.core.backbones import Backbone
from methods.core.base import Method, MethodConfig, Prediction, setting
from methods.core.heads import Branch
from methods.core.losses import full_precision


class BranchedConfig(MethodConfig):
    """Settings of the two branches."""

    dimension: int = setting(64, "dimension D of mu and sigma", "paper 4.2", ge=1)
    dropout: float = setting(0.4, "dropout in both branches", "paper 4.2", ge=0, lt=1)


class BranchedMethod(Method):
    """Two branches on the backbone and a last layer W [K, D]; predicts with W mu and the mean of sigma."""

    Config = BranchedConfig
    classifier: nn.Linear

    def __init__(self, backbone: Backbone, num_classes: int, config: BranchedConfig) -> None:
        super().__init__(backbone, num_classes, config)
        self.mu = Branch(backbone.feature_shape, config.dimension, config.dropout)
        self.log_sigma = Branch(backbone.feature_shape, config.dimension, config.dropout)
        self.classifier = nn.Linear(config.dimension, num_classes)

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma [B, D] of images [B, C, H, W], in full precision."""
        features = self.backbone(images)
        return full_precision(self.mu(features)), full_precision(self.log_sigma(features))

    def predict(self, images: Tensor) -> Prediction:
        """Logits W mu [B, K], mean sigma [B], features mu [B, D]."""
        mu, log_sigma = self.embed(images)
        return Prediction(self.classifier(mu), mean_sigma(log_sigma), mu)


def mean_sigma(log_sigma: Tensor) -> Tensor:
    """Uncertainty [B] of log sigma [B, D]: the mean of sigma over D (paper 3.2, after DUL)."""
    return full_precision(log_sigma).exp().mean(dim=1)
