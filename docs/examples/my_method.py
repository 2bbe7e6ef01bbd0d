"""A method of your own: label smoothing, its uncertainty the entropy of the softmax.

python bench.py --plugin docs/examples/my_method.py --methods smoothing,baseline --set smoothing.strength=0.2
"""

import torch

import methods


class SmoothingConfig(methods.MethodConfig):
    """Settings: typed and checked, shown by `list --methods`, set with `--set smoothing.strength=0.2`."""

    strength: float = methods.setting(0.1, "share of the label given to all classes", "Szegedy et al. 2016", ge=0, lt=1)


@methods.register("smoothing", "cross-entropy with label smoothing; uncertainty = entropy")
class Smoothing(methods.Method):
    """Pooled features, one linear layer, smoothed labels."""

    Config = SmoothingConfig
    reference = "Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016"

    def __init__(self, backbone, num_classes, config):
        super().__init__(backbone, num_classes, config)
        self.classifier = torch.nn.Linear(backbone.feature_shape[0], num_classes)

    def training_step(self, batch, clock):
        logits = self.classifier(self.backbone(batch.images).mean(dim=(2, 3)))
        smoothing = self.config.strength
        return methods.Step(torch.nn.functional.cross_entropy(logits, batch.labels, label_smoothing=smoothing))

    def predict(self, images):
        features = self.backbone(images).mean(dim=(2, 3))
        logits = self.classifier(features).float()  # in half precision an entropy has few values, and many ties
        return methods.Prediction(logits, torch.distributions.Categorical(logits=logits).entropy(), features)
