"""Manifold mixup: mixup at a random depth of the network."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from methods.core.base import Batch, Clock, Step, setting
from methods.core.pooled import PooledMethod
from methods.core.relative import shuffle
from methods.mixup import MixupConfig, blend, mixed_loss, mixing_share


class ManifoldMixupConfig(MixupConfig):
    """Settings of manifold mixup."""

    alpha: float = setting(2.0, "lambda ~ Beta(alpha, alpha)", "manifold mixup paper, CIFAR-10", gt=0)
    layers: tuple[Annotated[int, Field(ge=0, le=2)], ...] = setting(
        (0, 1, 2),
        "depths drawn from: 0 the image, 1 and 2 after the first and second residual stage",
        "manifold mixup paper and released code",
        min_length=1,
    )


class ManifoldMixup(PooledMethod):
    """Hidden states of two images mixed at a layer drawn anew for each batch; uncertainty = 1 - max softmax."""

    Config = ManifoldMixupConfig
    reference = "Verma et al., Manifold Mixup: Better Representations by Interpolating Hidden States, ICML 2019"

    def training_step(self, batch: Batch, clock: Clock) -> Step:
        """lambda CE(W f~, y_i) + (1 - lambda) CE(W f~, y_j), mixed at the drawn depth."""
        share = mixing_share(self.config.alpha)
        partner = shuffle(batch.labels)
        # Which code runs depends on the layer, so the host must know it: it is drawn there, and the device never waits.
        layers: tuple[int, ...] = self.config.layers
        layer = layers[int(torch.randint(len(layers), ()))]
        depth = self.backbone.mixing_depths[layer]
        x = self.backbone.prepare(batch.images)
        for number, stage in enumerate(self.backbone.stages):
            x = stage(blend(x, partner, share) if number == depth else x)
        loss = mixed_loss(self.classifier(self.pool(x)), batch.labels, batch.labels[partner], share)
        return Step(loss, labels=self.relabelled_by_predict(batch, clock))
