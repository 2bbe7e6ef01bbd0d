"""The weights of a finished run, as people take them away: `weights.safetensors`, readable without executing code."""

from __future__ import annotations

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
        file.write(safetensors.torch.save(tensors, metadata={"run_id": run_id}))


def load(path: Path, run_id: str) -> dict[str, torch.Tensor] | None:
    """The final weights of this run, on the host, or None where the file is missing, damaged or another run's."""
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("run_id") != run_id:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- it is no mapping
    except (OSError, SafetensorError):
        return None
