"""Pretrained backbones: loaded strictly, or not at all.

A public SCN implementation loads with `strict=False` from a file whose keys all carry a `module.` prefix, and so trains
from scratch without a word. Here a key that does not match is an error.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from common.errors import UserError
from common.text import printable
from methods.core.backbones import Backbone, create

IMAGENET = "imagenet"
TIMM = "timm"  # the weights that come with a network of timm's
WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys that public training scripts keep the weights under
# Accuracies and losses that scripts save beside the weights: numbers, of which numpy makes classes.
_NUMPY: list[Any] = [
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *(np.dtype, *(type(np.dtype(kind)) for kind in "?bBhHiIlLefd")),
]
# What torch and its unpickler raise over bytes that are no checkpoint of theirs.
_DAMAGE = (
    *(RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError, ImportError),
    *(AssertionError, OverflowError, MemoryError, struct.error, pickle.UnpicklingError),
)


class Misfit(UserError):
    """Weights of another network."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was loaded, for the record."""

    source: str  # file name, or "imagenet"
    sha256: str
    matched: int  # backbone entries that were set: all of them
    ignored: tuple[str, ...]  # entries of the file that a backbone has no place for: the old classifier's


def load_weights(backbone: Backbone, source: str | Path) -> LoadReport:
    """Set the backbone from a file of torchvision ResNet-18 keys, or from torchvision's ImageNet weights ("imagenet").

    The file is one of `torch.save`, or of safetensors where its name ends in `.safetensors`. Its keys may lie under
    one of WRAPPERS and carry a `module.` prefix; the old classifier (`fc.`) is ignored. Raises UserError when the file
    is absent or unreadable, a value is not finite, or a key is missing, unexpected or of another shape; the backbone is
    then as it was.
    """
    if str(source) == IMAGENET:
        loaded, digest = _imagenet()
    else:
        path = Path(source)
        loaded, digest = _read(path), sha256(path)
    while loaded and all(key.startswith("module.") for key in loaded):  # twice, where it was wrapped twice
        loaded = {key.removeprefix("module."): value for key, value in loaded.items()}
    ignored = tuple(sorted(key for key in loaded if key.startswith("fc.")))
    _match(backbone, {key: value for key, value in loaded.items() if key not in ignored}, source)
    return LoadReport(Path(source).name, digest, len(backbone.state_dict()), ignored)


@cache
def check_weights(source: str | Path, backbone: str, image_size: int) -> None:
    """Raise UserError if weights cannot be read or do not fit: known before the first run, not in each of them."""
    try:
        load_weights(create(backbone, 3, image_size), source)
    except Misfit as of_colour:  # what the images have is known with the data; ResNet-18 takes both alike
        try:
            load_weights(create(backbone, 1, image_size), source)
        except Misfit:
            raise of_colour from None


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal. Raises UserError when it is absent."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"weights {path}: {error.strerror}") from None


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"weights {path}: no such file")
    if path.suffix.lower() == ".safetensors":
        return _read_safetensors(path)
    try:
        with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals(_NUMPY):
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        if code := re.search(r"Unsupported (?:global|class)\W+(?:GLOBAL )?([\w.]+)", str(error)):
            raise UserError(f"weights {path}: refused, it holds more than tensors ({code[1]:.80})") from None
        reason = "its content is another" if isinstance(error, pickle.UnpicklingError) else _first_line(error)
        raise UserError(f"weights {path}: not a file of torch.save ({reason})") from None
    found = content
    while isinstance(found, Mapping) and (inner := next(_wrapped(found), None)) is not None:
        found = inner
    if isinstance(found, Mapping) and found and all(isinstance(value, Tensor) for value in found.values()):
        return {str(key): value for key, value in found.items()}
    holds = f"a {type(content).__name__}"
    if isinstance(content, Mapping):
        holds = f"a dictionary of {', '.join(f'{key!r:.30}' for key in list(content)[:8]) or 'nothing'}"
    where = ", ".join(WRAPPERS)
    raise UserError(f"weights {path}: it holds {holds}; wanted: a state_dict, at the top or under one of {where}")


def _wrapped(content: Mapping[Any, Any]) -> Iterator[Mapping[Any, Any]]:
    return (content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, *_DAMAGE) as error:
        raise UserError(f"weights {path}: not a file of safetensors ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return printable(next(iter(str(error).splitlines()), type(error).__name__)[:200])


def _imagenet() -> tuple[dict[str, Tensor], str]:
    from torchvision.models import ResNet18_Weights

    try:
        loaded = dict(ResNet18_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:
        raise UserError(f"weights imagenet: cannot download ({_first_line(error)}); give a file instead") from None
    cached = Path(torch.hub.get_dir(), "checkpoints", Path(ResNet18_Weights.IMAGENET1K_V1.url).name)
    return loaded, sha256(cached)


def _match(backbone: Backbone, loaded: Mapping[str, Tensor], source: str | Path) -> None:
    """Copy `loaded` (torchvision's names) into the backbone, all or nothing."""
    wanted = {key.removeprefix("stages.").removeprefix("stem."): value for key, value in backbone.state_dict().items()}
    # torchvision's own files of before 2018 lack the batch counters, which evaluation and momentum do not use.
    counters = {key for key in wanted if key.endswith("num_batches_tracked") and key not in loaded}
    problems = [
        _problem("missing", [key for key in wanted if key not in loaded and key not in counters]),
        _problem("unexpected", [key for key in loaded if key not in wanted]),
        _problem(
            "of another shape",
            [
                f"{key} {tuple(loaded[key].shape)}, not {tuple(value.shape)}"
                for key, value in wanted.items()
                if key in loaded and loaded[key].shape != value.shape
            ],
        ),
    ]
    if any(problems):
        same = [key for key, value in wanted.items() if key in loaded and loaded[key].shape == value.shape]
        fit = f"{len(same)} of {len(wanted)} entries fit" + (f" ({_some(same)})" if same else "")
        raise Misfit(f"weights {source} do not fit the backbone: {fit}; " + "; ".join(filter(None, problems)))
    if broken := [key for key, value in loaded.items() if not _sound(value)]:
        raise UserError(f"weights {source}: {_problem('with NaN, infinite or no real values', broken)}")
    with torch.no_grad():
        for key, value in wanted.items():  # state_dict's tensors share the parameters' memory
            if key in loaded:
                value.copy_(loaded[key])


def _sound(value: Tensor) -> bool:
    if value.is_complex() or value.is_quantized or value.layout != torch.strided or value.is_meta:
        return False
    return not value.is_floating_point() or bool(value.float().isfinite().all())


def _problem(kind: str, keys: list[str]) -> str:
    return f"{len(keys)} {kind} ({_some(keys)})" if keys else ""


def _some(keys: list[str]) -> str:
    return printable(", ".join(f"{key:.80}" for key in keys[:3])) + (", ..." if len(keys) > 3 else "")
