"""Convolutions whose weight gradient on small maps is a matrix product.

On a CPU with matrix tiles (AMX), in bfloat16, oneDNN's own takes two to eight times as long there
(docs/performance.md). The value is the same to rounding; whatever else a convolution does is torch's.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TILES = torch.cpu._is_amx_tile_supported()  # without them the product gains nothing
LARGEST_MAP = 64  # pixels of the output; beyond it the gathered patches cost more than they save


class Conv2d(nn.Conv2d):
    """nn.Conv2d, faster backwards on small maps, in bfloat16 on a CPU with matrix tiles."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D, h, w]."""
        casts = torch.is_autocast_enabled("cpu") and x.dtype != torch.float64  # which autocast leaves alone
        dtype = torch.get_autocast_dtype("cpu") if casts else x.dtype
        rows, columns = (-(-size // stride) for size, stride in zip(x.shape[2:], self.stride, strict=True))
        if not TILES or x.device.type != "cpu" or dtype != torch.bfloat16 or rows * columns > LARGEST_MAP:
            return super().forward(x)
        return _Convolution.apply(x.to(dtype), self.weight.to(dtype), self.stride, self.padding)


def speed_up(module: nn.Module) -> None:
    """Make every plain convolution within `module` a `Conv2d`; parameters, their names and values stay."""
    for conv in module.modules():
        if type(conv) is nn.Conv2d and _is_plain(conv):
            conv.__class__ = Conv2d


def _is_plain(conv: nn.Conv2d) -> bool:
    undivided = conv.groups == 1 and conv.dilation == (1, 1) and conv.bias is None
    return undivided and conv.padding_mode == "zeros" and conv.padding == tuple(n // 2 for n in conv.kernel_size)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: list[int], padding: list[int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            wanted = [True, False, False]
            of_x = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, ctx.stride, ctx.padding, [1, 1], False, [0, 0], 1, wanted
            )[0]
        if ctx.needs_input_grad[1]:
            (out, channels, height, width), (rows, columns) = weight.shape, ctx.padding
            padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, columns, columns, rows, rows))
            patches = padded.unfold(1, height, ctx.stride[0]).unfold(2, width, ctx.stride[1])  # [B, h, w, C, kh, kw]
            patches = patches.permute(0, 1, 2, 4, 5, 3).reshape(-1, height * width * channels)
            product = gradient.permute(0, 2, 3, 1).reshape(-1, out).t() @ patches
            of_weight = product.view(out, height, width, channels).permute(0, 3, 1, 2)
        return of_x, of_weight, None, None
