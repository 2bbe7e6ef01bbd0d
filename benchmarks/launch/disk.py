"""Whether what a plan leaves behind fits on the disk: an estimate, made before anything runs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from benchmarks.launch.estimate import LoadedSplits
from benchmarks.plan.spec import RunSpec
from benchmarks.train.build import create_method
from datasets.base import Splits

FLOAT = 4  # bytes
TRAIN_ARRAYS = 30  # bytes a training image: scores, labels before and after, the noise mask


def warning(specs: Sequence[RunSpec], splits: LoadedSplits, runs: Path, at_once: int) -> str:
    """One line where the runs may need more than is free where they are kept, else nothing."""
    needed, largest = 0, 0
    sizes: dict[tuple[str, str, str, int | None], tuple[int, int]] = {}
    for spec in specs:
        key = (spec.dataset, spec.method, spec.recipe.backbone, spec.recipe.image_size)
        if key not in sizes:
            sizes[key] = _bytes(spec, splits[spec.dataset, spec.recipe.image_size])
        kept, passing = sizes[key]
        needed, largest = needed + kept, max(largest, passing)
    needed += at_once * largest
    where = next(folder for folder in (runs, *runs.parents) if folder.exists())
    free = shutil.disk_usage(where).free
    if needed <= free:
        return ""
    return f"these runs may need {_text(needed)}, and {_text(free)} are free under {runs}"


def _text(size: float) -> str:
    """Bytes as people say them."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


class _Unset(TorchFunctionMode):
    """Leaves parameters without values, which take most of the time that making a network takes. (The device `meta`
    needs none either, but has torch import its compiler: more seconds than all the rest of a plan.)"""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if func.__name__ in ("normal_", "uniform_", "trunc_normal_", "fill_", "zero_"):
            return args[0] if args else named["tensor"]
        return func(*args, **named)


def _bytes(spec: RunSpec, data: Splits) -> tuple[int, int]:
    """What a run keeps (predictions uncompressed, weights), and what it needs while it trains (two checkpoints)."""
    _, side, _, channels = data.train.images.shape
    with _Unset():
        method = create_method(spec, len(data.train.class_names), side, channels)
    weights = FLOAT * sum(value.numel() for value in method.state_dict().values())
    wide = max(layer.in_features for layer in method.modules() if isinstance(layer, torch.nn.Linear))
    evaluated = len(data.test) + (len(data.validation) if data.validation else 0)
    arrays = evaluated * FLOAT * (len(data.train.class_names) + 2 + wide // 2) + TRAIN_ARRAYS * len(data.train)
    moments = 2 if spec.recipe.optimizer == "adam" else 1
    best = 2 if spec.recipe.test_view != "single" else 0
    return arrays + weights, 2 * weights * (1 + moments + best)
