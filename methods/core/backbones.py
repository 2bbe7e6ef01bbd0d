"""Convolutional feature extractors, cut into stages so that methods can reach between them.

ResNet-18 (He et al., CVPR 2016) is torchvision's, with its parameter names, so that published weights fit. Its
small-image stem (3x3, stride 1, no max-pool) is the usual CIFAR and FER2013 one. `compact`, `compact_pooled` and
`small` are ours: the first two converge within minutes on a CPU, the second on images of 32 pixels; `small` is for
embedded data. `timm:NAME` is timm's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.errors import UserError
from common.registry import unknown
from methods.core import timm_networks
from methods.core.convolution import speed_up


class _RunningStatisticsForOne:
    """Batch normalisation over one value per channel has no variance; torch raises. Use the running statistics instead.

    It concerns training loops of one's own: the engine leaves a last batch of one sample out.
    """

    def forward(self: nn.modules.batchnorm._BatchNorm, x: Tensor) -> Tensor:  # type: ignore[misc]
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(x)  # type: ignore[misc]


class BatchNorm1d(_RunningStatisticsForOne, nn.BatchNorm1d):
    """nn.BatchNorm1d that survives a training batch of one."""


class BatchNorm2d(_RunningStatisticsForOne, nn.BatchNorm2d):
    """nn.BatchNorm2d that survives a training batch of one 1x1 map."""


class Backbone(nn.Module):
    """Stages in sequence: images [B, C, H, W] -> features [B, *feature_shape]."""

    feature_shape: tuple[int, int, int]
    mixing_depths: tuple[int, int, int]  # stages to run before manifold mixup's layer 0 (the image), 1 and 2

    def __init__(self, stages: OrderedDict[str, nn.Module], channels: int, image_size: int, expand_grey: bool) -> None:
        super().__init__()
        self.stages = nn.Sequential(stages)
        speed_up(self.stages)
        first = 2 if "stem" in stages else 1  # a stem and its first residual stage count as one
        self.mixing_depths = (0, first, first + 1)
        self.expand_grey = expand_grey
        with torch.no_grad():
            self.eval()
            self.feature_shape = tuple(self(torch.zeros(1, channels, image_size, image_size)).shape[1:])
            self.train()

    def prepare(self, images: Tensor) -> Tensor:
        """Grey images [B, 1, H, W] as [B, 3, H, W] where the network takes colour; a view, not a copy."""
        return images.expand(-1, 3, -1, -1) if self.expand_grey and images.shape[1] == 1 else images

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] -> features [B, *feature_shape]."""
        return self.stages(self.prepare(images))


def check(name: str) -> None:
    """Raise UserError for an unknown name, and for `timm:NAME` where timm is not installed."""
    if name.startswith(timm_networks.PREFIX):
        timm_networks.check(name)
    elif name not in BACKBONES:
        raise unknown("backbone", name, [*BACKBONES, f"{timm_networks.PREFIX}NAME"])


def create(name: str, channels: int = 3, image_size: int = 224) -> Backbone:
    """A backbone by name for square images of `channels` x `image_size`^2.

    Raises UserError for an unknown name, and for a network of timm's that does not take such images.
    """
    check(name)
    if name in BACKBONES:
        return BACKBONES[name](channels, image_size)
    try:
        backbone = Backbone(timm_networks.stages(name, channels), channels, image_size, expand_grey=False)
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        if isinstance(error, UserError):
            raise
        reason = timm_networks.one_line(error)
        raise UserError(f"backbone '{name}': takes no images of {image_size} pixels ({reason})") from None
    if len(backbone.feature_shape) != 3:
        raise UserError(f"backbone '{name}': gives {backbone.feature_shape} for an image, no feature map [D, H, W]")
    return backbone


def _resnet18(channels: int, image_size: int, small_stem: bool = False) -> Backbone:
    if channels not in (1, 3):
        raise UserError(f"ResNet-18 takes grey (1) or colour (3) images, not {channels} channels")
    from torchvision.models import resnet18  # its import takes longer than torch's: `small` does without

    net = resnet18(norm_layer=BatchNorm2d)
    stem: OrderedDict[str, nn.Module] = OrderedDict(conv1=net.conv1, bn1=net.bn1, relu=net.relu, maxpool=net.maxpool)
    if small_stem:
        stem["conv1"] = _conv3x3(3, 64)
        del stem["maxpool"]
    layers = OrderedDict(layer1=net.layer1, layer2=net.layer2, layer3=net.layer3, layer4=net.layer4)
    return Backbone(OrderedDict(stem=nn.Sequential(stem), **layers), channels, image_size, expand_grey=True)


def _resnet18_small_stem(channels: int, image_size: int) -> Backbone:
    return _resnet18(channels, image_size, small_stem=True)


def _small(channels: int, image_size: int) -> Backbone:
    """Four 3x3 conv - BN - ReLU stages of 16, 32, 64, 128 channels that halve the map while it is larger than 4.

    48x48x1: 2.1 M multiply-adds, 97 k parameters; about 3,300 images/s in training on one core, batch of 64.
    """
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    width, size = channels, image_size
    for number, next_width in enumerate((16, 32, 64, 128), start=1):
        stride = 2 if size > 4 else 1
        stages[f"layer{number}"] = nn.Sequential(
            _conv3x3(width, next_width, stride), BatchNorm2d(next_width), nn.ReLU(inplace=True)
        )
        width, size = next_width, -(-size // stride)
    return Backbone(stages, channels, image_size, expand_grey=False)


def _compact(channels: int, image_size: int) -> Backbone:
    """3x3 stem of 32 channels and four of ResNet's basic blocks, 32, 64, 128, 256 channels.

    A block halves the map while it is larger than 4: 44x44 ends at 3x3, 32x32 at 4x4. 44x44x1: 33 M multiply-adds,
    1.2 M parameters.
    """
    from torchvision.models.resnet import BasicBlock

    stem = nn.Sequential(_conv3x3(channels, 32), BatchNorm2d(32), nn.ReLU(inplace=True))
    stages: OrderedDict[str, nn.Module] = OrderedDict(stem=stem)
    width, size = 32, image_size
    for number, next_width in enumerate((32, 64, 128, 256), start=1):
        stride = 2 if size > 4 else 1
        shortcut = None
        if stride != 1 or width != next_width:
            conv = _kaiming(nn.Conv2d(width, next_width, kernel_size=1, stride=stride, bias=False))
            shortcut = nn.Sequential(conv, BatchNorm2d(next_width))
        block = BasicBlock(width, next_width, stride, shortcut, norm_layer=BatchNorm2d)
        _kaiming(block.conv1), _kaiming(block.conv2)
        stages[f"layer{number}"] = block
        width, size = next_width, -(-size // stride)
    return Backbone(stages, channels, image_size, expand_grey=False)


class _PooledStage(nn.Module):
    """3x3 conv - max-pool - BN - ReLU, then a residual 3x3 conv - BN. Pooled (by 2, or by 1: not at all) before the
    normalisation, which then goes through a quarter of the map."""

    def __init__(self, channels_in: int, channels_out: int, pool: int) -> None:
        super().__init__()
        self.pool = pool
        self.conv1, self.bn1 = _conv3x3(channels_in, channels_out), BatchNorm2d(channels_out)
        self.conv2, self.bn2 = _conv3x3(channels_out, channels_out), BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(F.max_pool2d(self.conv1(x), self.pool)))
        return F.relu(x + self.bn2(self.conv2(x)))


def _compact_pooled(channels: int, image_size: int) -> Backbone:
    """3x3 stem of 16 channels and three stages of 32, 128, 256 channels that halve the map by max-pooling while it is
    larger than 4.

    For images of 32 pixels, where strided convolutions lose more than they save (docs/protocol.md): 32x32 ends at 4x4.
    32x32x3: 55 M multiply-adds, 1.1 M parameters.
    """
    stem = nn.Sequential(_conv3x3(channels, 16), BatchNorm2d(16), nn.ReLU(inplace=True))
    stages: OrderedDict[str, nn.Module] = OrderedDict(stem=stem)
    size = image_size
    for number, (width, next_width) in enumerate(pairwise((16, 32, 128, 256)), start=1):
        pool = 2 if size > 4 else 1
        stages[f"layer{number}"] = _PooledStage(width, next_width, pool)
        size //= pool
    return Backbone(stages, channels, image_size, expand_grey=False)


def _conv3x3(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    return _kaiming(nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=stride, padding=1, bias=False))


def _kaiming(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's ResNet
    return conv


BACKBONES: dict[str, Callable[[int, int], Backbone]] = {
    "resnet18": _resnet18,
    "resnet18_small_stem": _resnet18_small_stem,
    "compact": _compact,
    "compact_pooled": _compact_pooled,
    "small": _small,
}
