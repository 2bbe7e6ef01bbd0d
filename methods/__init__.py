"""Floor 1: the methods, their backbones and their registry. Importing this package does not import torch.

Use one in your own training loop:

    method = methods.create("rul", num_classes=7, backbone="resnet18")
    step = method.training_step(methods.Batch(images, labels, index), methods.Clock(epoch, i, epochs, len(loader)))
    step.loss.backward()
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from methods.registry import METHODS, register

if TYPE_CHECKING:
    from methods.core.backbones import Backbone
    from methods.core.base import Batch, Clock, Method, MethodConfig, Mixing, ParamGroup, Prediction, Step
    from methods.core.branched import BranchedMethod
    from methods.core.pooled import PooledMethod
    from methods.core.settings import setting

_LAZY = {
    "Backbone": "methods.core.backbones",
    "Batch": "methods.core.base",
    "Clock": "methods.core.base",
    "Method": "methods.core.base",
    "MethodConfig": "methods.core.base",
    "Mixing": "methods.core.base",
    "ParamGroup": "methods.core.base",
    "Prediction": "methods.core.base",
    "Step": "methods.core.base",
    "setting": "methods.core.settings",
    "BranchedMethod": "methods.core.branched",
    "PooledMethod": "methods.core.pooled",
}
__all__ = [
    "METHODS",
    "Backbone",
    "Batch",
    "BranchedMethod",
    "Clock",
    "Method",
    "MethodConfig",
    "Mixing",
    "ParamGroup",
    "PooledMethod",
    "Prediction",
    "Step",
    "create",
    "register",
    "setting",
    "validate_config",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'methods' has no attribute '{name}'")


def create(
    name: str,
    num_classes: int,
    backbone: str = "resnet18",
    *,
    image_size: int = 224,
    channels: int = 3,
    weights: str | Path | None = None,
    **config: Any,
) -> Method:
    """A method ready to train: `create("rul", num_classes=7, variant="released", relabel={"enabled": True})`.

    `weights` is a file of ResNet-18 weights or "imagenet". Raises UserError for an unknown method, backbone or setting,
    a bad value, or weights that do not fit.
    """
    from methods.core import backbones
    from methods.core import weights as pretrained

    method_class = METHODS.load(name)
    checked = validate_config(name, method_class, config)  # before the backbone, which takes longer to build
    body = backbones.create(backbone, channels=channels, image_size=image_size)
    if weights is not None:
        pretrained.load_weights(body, weights)
    return method_class(body, num_classes, checked)


def validate_config(name: str, method_class: type[Method], values: Mapping[str, Any]) -> MethodConfig:
    """The method's configuration with `values` (nested as dicts) over its defaults.

    Raises a one-line UserError that names the setting under the method's `name` ("rul.vriant") and lists the valid
    ones.
    """
    return method_class.Config.checked(values, name)
