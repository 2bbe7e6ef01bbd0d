"""`compile = true` in a recipe: the backbone's training pass through torch.compile, with CUDA graphs on a GPU."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.train.step.precision import Precision
from methods.core.backbones import Backbone

log = logging.getLogger(__name__)


def compile_backbone(backbone: Backbone, shape: Sequence[int], precision: Precision) -> bool:
    """Compile the backbone for training batches of `shape` [B, C, H, W]. False, and a logged reason, where it fails.

    Compiled here and now, forwards and backwards, so that a machine without a compiler trains eagerly instead of
    failing in its first step. Other shapes (an epoch's last batch) and evaluation run eagerly: nothing is compiled
    twice. The heads stay as they are: they are a few per cent of the work, and a user's method needs no care.
    """
    eager = backbone.forward
    # On a GPU a small network's time goes into launching kernels: a CUDA graph launches them as one.
    mode = "reduce-overhead" if precision.device.type == "cuda" else "default"
    fast = torch.compile(eager, mode=mode, dynamic=False)

    def forward(images: Tensor) -> Tensor:
        fits = backbone.training and tuple(images.shape) == tuple(shape)
        return fast(images) if fits else eager(images)

    statistics = [buffer.clone() for buffer in backbone.buffers()]
    example = torch.zeros(*shape, device=precision.device).contiguous(memory_format=torch.channels_last)
    try:
        with torch.random.fork_rng(devices=[precision.device] if precision.device.type == "cuda" else []):
            with precision.autocast():
                features = fast(example)
            features.sum().backward()
    except Exception as error:  # whatever a compiler may raise
        reason = next(iter(str(error).splitlines()), "")
        log.warning("torch.compile failed (%s: %s): training runs eagerly", type(error).__name__, reason)
        return False
    finally:
        backbone.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, before in zip(backbone.buffers(), statistics, strict=True):
                buffer.copy_(before)
    backbone.forward = forward  # type: ignore[method-assign]
    return True
