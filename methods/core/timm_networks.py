"""Networks of timm (`pip install timm`), cut at their feature maps.

timm is an optional extra, imported when one of its networks is asked for.
"""

from __future__ import annotations

import importlib
from collections import OrderedDict
from typing import Any

from torch import nn

from common.errors import UserError
from common.registry import unknown

PREFIX = "timm:"


def check(name: str) -> str:
    """The name of a network without `timm:`. Raises UserError where timm is not installed or has no such network."""
    try:
        timm = importlib.import_module("timm")
    except ImportError as error:
        raise UserError(f"backbone '{name}': {error}; `pip install timm`") from None
    network = name.removeprefix(PREFIX)
    # What follows a dot names weights ("resnet18.a1_in1k"); they are taken only where the recipe asks for weights.
    if network.partition(".")[0] not in timm.list_models() or not timm.is_model(network):
        raise unknown("backbone", name, _near(network, timm.list_models()))
    return network


def _near(network: str, known: list[str]) -> list[str]:
    """A few of timm's 1,300 names: those that begin as this one does."""
    begins = [name for name in known if name[:4] == network[:4]] or [
        name for name in known if name.startswith("resnet")
    ]
    return [f"{PREFIX}{name}" for name in begins[:12]]


def stages(name: str, channels: int, pretrained: bool = False) -> OrderedDict[str, nn.Module]:
    """The modules of `timm:NAME` in sequence, joined up to each map that timm calls a feature.

    The first is named `stem`: it and the stage after it count as one for mixing, as in a ResNet. Raises UserError where
    the network's body is no such sequence (transformers), or its weights cannot be had.
    """
    network = check(name)
    timm: Any = importlib.import_module("timm")
    try:
        model = timm.create_model(network, pretrained=pretrained, in_chans=channels, features_only=True)
    except Exception as error:  # timm's networks and its download raise anything
        weights = " with its weights" if pretrained else ""
        raise UserError(f"backbone '{name}': timm cannot make it{weights} ({one_line(error)})") from None
    parts = _parts(model)
    if len(parts) < 4:  # manifold mixup reaches between four
        raise UserError(f"backbone '{name}': its body is no row of feature maps; take a convolutional network")
    return OrderedDict(zip(["stem", *(f"layer{number}" for number in range(1, len(parts)))], parts, strict=True))


def _parts(model: Any) -> list[nn.Module]:
    """In the order that an image goes through them; empty where it does not."""
    if hasattr(model, "return_layers") and hasattr(model, "items"):
        groups: list[list[nn.Module]] = [[]]
        for name, module in model.items():
            groups[-1].append(module)
            if name in model.return_layers:
                groups.append([])
        return [nn.Sequential(*group) for group in groups if group]
    if all(hasattr(model, name) for name in ("conv_stem", "bn1", "blocks")):  # EfficientNet, MobileNet and their kin
        return [nn.Sequential(model.conv_stem, model.bn1), *model.blocks]
    return []


def load_pretrained(body: nn.Sequential, name: str, channels: int) -> None:
    """Set the stages of `timm:NAME` to timm's own weights, which timm downloads. Raises UserError where it cannot."""
    body.load_state_dict(nn.Sequential(stages(name, channels, pretrained=True)).state_dict())


def one_line(error: Exception) -> str:
    """What went wrong, short."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
