"""Pretrained backbones: loaded strictly, or not at all.

A public SCN implementation loads with `strict=False` from a file whose keys all carry a `module.` prefix, and so trains
from scratch without a word. Here a key that does not match is an error.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from common.errors import UserError
from methods.core.backbones import Backbone

IMAGENET = "imagenet"


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
    "state_dict" and carry a `module.` prefix; the old classifier (`fc.`) is ignored. Raises UserError when the file is
    absent or unreadable, or a key is missing, unexpected or of another shape; the backbone is then as it was.
    """
    if str(source) == IMAGENET:
        loaded, digest = _imagenet()
    else:
        path = Path(source)
        loaded, digest = _read(path), sha256(path)
    loaded = {key.removeprefix("module."): value for key, value in loaded.items()}
    ignored = tuple(sorted(key for key in loaded if key.startswith("fc.")))
    _match(backbone, {key: value for key, value in loaded.items() if key not in ignored}, source)
    return LoadReport(Path(source).name, digest, len(backbone.state_dict()), ignored)


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
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(f"weights {path}: refused, it holds more than tensors (or is damaged)") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(f"weights {path}: not a file of torch.save ({_first_line(error)})") from None
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise UserError(f"weights {path}: neither a state_dict nor a dictionary that holds one under 'state_dict'")
    return dict(content)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"weights {path}: not a file of safetensors ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


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
        raise UserError(f"weights {source} do not fit the backbone: " + "; ".join(filter(None, problems)))
    with torch.no_grad():
        for key, value in wanted.items():  # state_dict's tensors share the parameters' memory
            if key in loaded:
                value.copy_(loaded[key])


def _problem(kind: str, keys: list[str]) -> str:
    shown = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
    return f"{len(keys)} {kind} ({shown})" if keys else ""
