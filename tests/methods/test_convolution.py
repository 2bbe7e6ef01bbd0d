"""Weight gradients of small maps as matrix products: the same values, and only where they are faster."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from methods.core import backbones, convolution
from methods.core.convolution import Conv2d, _Convolution, speed_up

SHAPES = [
    (5, 12, 3, 3, 1),
    (7, 6, 8, 3, 2),
    (4, 10, 6, 1, 2),
    (3, 8, 5, 5, 2),
    (2, 3, 4, 1, 1),
]  # channels, out, map, kernel, stride


def _gradients(conv: nn.Conv2d, x: torch.Tensor, seed: int) -> tuple[torch.Tensor, ...]:
    x = x.clone().requires_grad_()
    conv.weight.grad = None
    y = conv(x)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed))
    (y.double() * direction).sum().backward()
    return y.detach().double(), x.grad.double(), conv.weight.grad.double()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_value_and_gradients_are_the_convolutions(shape, memory_format, monkeypatch):
    channels, out, size, kernel, stride = shape
    used = []
    monkeypatch.setattr(convolution, "TILES", True)
    monkeypatch.setattr(_Convolution, "apply", lambda *a, f=_Convolution.apply: (used.append(1), f(*a))[1])
    conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
    x = torch.randn(3, channels, size, size + 1).bfloat16()  # not square
    exact = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False).double()
    exact.weight.data = conv.weight.detach().bfloat16().double()
    expected = _gradients(exact, x.double(), 1)
    speed_up(conv)
    conv.to(memory_format=memory_format)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = _gradients(conv, x.contiguous(memory_format=memory_format), 1)
    assert used
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).abs().max() <= 0.02 * theirs.abs().max()  # bfloat16 keeps eight bits


@pytest.mark.parametrize("name", ["resnet18", "compact", "compact_pooled", "small"])
def test_backbones_keep_parameters_and_values(name):
    torch.manual_seed(0)
    fast = backbones.create(name, 1, 44)
    assert any(type(module) is Conv2d for module in fast.modules())
    torch.manual_seed(0)
    x = torch.randn(2, 1, 44, 44)
    before = fast.eval()(x)
    for module in fast.modules():
        if type(module) is Conv2d:
            module.__class__ = nn.Conv2d
    assert torch.equal(before, fast(x))


@pytest.mark.parametrize(
    "kept", [{"groups": 2}, {"bias": True}, {"dilation": 2}, {"padding_mode": "circular"}, {"padding": 0}]
)
def test_other_convolutions_are_left_alone(kept):
    conv = nn.Conv2d(4, 4, 3, **{"padding": 1, "bias": False, **kept})
    speed_up(conv)
    assert type(conv) is nn.Conv2d


@pytest.mark.parametrize(("dtype", "size"), [(torch.float32, 4), (torch.float64, 4), (torch.bfloat16, 9)])
def test_float32_and_large_maps_are_torchs(dtype, size, monkeypatch):
    monkeypatch.setattr(convolution, "TILES", True)
    monkeypatch.setattr(_Convolution, "apply", lambda *_: pytest.fail("a matrix product"))
    conv = nn.Conv2d(2, 3, 3, padding=1, bias=False).to(dtype)
    speed_up(conv)
    x = torch.randn(2, 2, size, size).to(dtype)
    assert torch.equal(conv(x), F.conv2d(x, conv.weight, padding=1))
    conv(x).sum().backward()
    if dtype == torch.float64:  # autocast leaves it alone
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert conv(x).dtype == dtype


def test_gradients_have_gradients(monkeypatch):
    """A method of a user's may penalise gradients."""
    monkeypatch.setattr(convolution, "TILES", True)
    conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
    x, direction = torch.randn(2, 3, 5, 5), torch.randn(2, 4, 5, 5)
    found = []
    for module in (conv, copy.deepcopy(conv)):
        if module is conv:
            speed_up(module)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = module(x)
        (gradient,) = torch.autograd.grad((output.float().pow(2) * direction).sum(), module.weight, create_graph=True)
        gradient.pow(2).sum().backward()
        found.append(module.weight.grad)
    assert (found[0] - found[1]).abs().max() <= 0.03 * found[1].abs().max()
