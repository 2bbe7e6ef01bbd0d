"""The devices of this machine that runs are spread over, as far as the scheduler lets this process see them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from common.errors import UserError

VISIBLE = "CUDA_VISIBLE_DEVICES"


def devices(asked: str) -> list[str]:
    """The devices runs are spread over. Raises UserError for one that is not there.

    A GPU's parts (MIG), which a scheduler hands out by their names, are one device each: CUDA shows a process only the
    first of several, so each run is shown its own (`make_visible`).
    """
    import torch  # here, since reports import this file's neighbours and need no torch

    parts = [part for part in os.environ.get(VISIBLE, "").split(",") if part.startswith("MIG-")]
    count = torch.cuda.device_count()
    gpus = parts if count and parts else [f"cuda:{index}" for index in range(count)]
    if asked == "auto":
        return gpus or ["cpu"]
    if asked == "cuda" and gpus:
        return gpus
    if asked not in ("cpu", *gpus):
        raise UserError(f"--device {asked}: not on this machine; valid: auto, {', '.join(['cpu', *gpus])}")
    return [asked]


def parts(spread: Sequence[str]) -> int | None:
    """How many runs parts of GPUs carry at once: one each, too small to divide further; None for whole devices."""
    return len(spread) if spread[0].startswith("MIG-") else None


def make_visible(device: str) -> str:
    """The name a run's process calls its device by. To be called before anything touches CUDA."""
    if not device.startswith("MIG-"):
        return device
    os.environ[VISIBLE] = device
    return "cuda:0"
