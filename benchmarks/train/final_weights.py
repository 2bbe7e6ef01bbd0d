"""The weights of a finished run, as people take them away: `weights.safetensors`, readable without executing code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from benchmarks.store.run_folder import RunFolder


def save(folder: RunFolder, run_id: str, method: nn.Module) -> None:
    """Write every parameter and buffer of `method`, with the run's id in the file's metadata.

    Raises lease.Superseded when somebody else does the run now.
    """
    # The format takes no views and no strides: each tensor gets memory of its own.
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in method.state_dict().items()
    }
    with folder.writing(folder.weights, "wb") as file:
        file.write(safetensors.torch.save(tensors, metadata={"run_id": run_id, "sha256": _digest(tensors)}))


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of names and contents: the format has no checksum of its own."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load(path: Path, run_id: str) -> dict[str, torch.Tensor] | None:
    """The final weights of this run, on the host, or None where the file is missing, damaged or another run's."""
    try:
        with safe_open(path, framework="pt") as file:
            described = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- it is no mapping
            sound = described.get("run_id") == run_id and described.get("sha256") == _digest(tensors)
            return tensors if sound else None
    except (OSError, SafetensorError):
        return None
