"""A plug-in for tests: a tiny data set, and a method whose epochs last as long as the file SLOW_FILE says."""

import os
import time
from pathlib import Path

import numpy as np
import torch

import datasets
import methods


@datasets.register("dots", "64 images of a bright or a dark dot")
class Dots(datasets.Dataset):
    """Grey 8x8 images in two classes."""

    name = "dots"
    embedded = True
    class_names = ("dark", "bright")
    channels = 1

    def present(self):
        return True

    def load(self, image_size=None):
        splits = []
        for seed, count in ((0, 64), (1, 32)):
            rng = np.random.default_rng(seed)
            labels = rng.integers(0, 2, count)
            images = rng.integers(60, 180, (count, 8, 8, 1), dtype=np.uint8)
            images[:, 3:5, 3:5] = (labels * 60 + 90)[:, None, None, None]
            splits.append(datasets.ImageSet.of(images, labels, self.class_names))
        return datasets.Splits(train=splits[0], test=splits[1])


@methods.register("slow", "cross-entropy that takes its time")
class Slow(methods.Method):
    """Pooled features, one linear layer."""

    Config = methods.MethodConfig
    reference = "none"

    def __init__(self, backbone, num_classes, config):
        super().__init__(backbone, num_classes, config)
        self.classifier = torch.nn.Linear(backbone.feature_shape[0], num_classes)

    def training_step(self, batch, clock):
        started = time.monotonic()
        training = clock.epochs > 1 and clock.steps_per_epoch == 1  # not the contract's check, nor the estimate's probe
        while training and time.monotonic() - started < _pause():
            time.sleep(0.02)
        logits = self.classifier(self.backbone(batch.images).mean(dim=(2, 3)))
        return methods.Step(torch.nn.functional.cross_entropy(logits, batch.labels))

    def predict(self, images):
        features = self.backbone(images).mean(dim=(2, 3))
        logits = self.classifier(features)
        return methods.Prediction(logits, torch.distributions.Categorical(logits=logits).entropy(), features)


def _pause():
    """Seconds; the file may change while an epoch waits."""
    path = os.environ.get("SLOW_FILE")
    return float(Path(path).read_text()) if path else 0.0
