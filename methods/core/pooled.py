"""Base of the methods that classify globally averaged features: backbone - average pool - W."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from methods.core.backbones import Backbone
from methods.core.base import Method, MethodConfig, Prediction, one_minus_max_softmax, setting
from methods.core.heads import Pool


class PooledConfig(MethodConfig):
    """Settings of the pooled head."""

    pool_dropout: float = setting(
        0.0, "dropout before the last layer", "torchvision's ResNet-18; SCN's released code", ge=0, lt=1
    )
    pool: Literal["global", "upper_left"] = setting(
        "global",
        "average over the whole map, or over its upper left 4x4 alone",
        "torchvision's ResNet-18; upper_left: the FER2013 network of the paper's [49], on a 6x6 map",
    )


class PooledMethod(Method):
    """Backbone, average pool, last layer W [K, C]; predicts with the free score 1 - max softmax unless overridden."""

    Config = PooledConfig
    classifier: nn.Linear

    def __init__(self, backbone: Backbone, num_classes: int, config: PooledConfig) -> None:
        super().__init__(backbone, num_classes, config)
        self.pool = Pool(config.pool_dropout, 4 if config.pool == "upper_left" else None)
        self.width = backbone.feature_shape[0]
        self.classifier = nn.Linear(self.width, num_classes)

    def predict(self, images: Tensor) -> Prediction:
        """Logits W f [B, K], 1 - max softmax [B], pooled features f [B, C]."""
        features = self.pool(self.backbone(images))
        logits = self.classifier(features)
        return Prediction(logits, one_minus_max_softmax(logits), features)
