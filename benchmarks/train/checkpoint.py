"""Checkpoints: written whole after every epoch, the one before kept, loaded without executing code.

A checkpoint is a zip archive whose parts carry checksums, which `torch.load` does not look at: they are verified here.
"""

from __future__ import annotations

import logging
import os
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.store.run_folder import RunFolder, previous_checkpoint
from common.validation import Problem

log = logging.getLogger(__name__)

_DAMAGE = (
    RuntimeError, EOFError, OSError, ValueError, KeyError, NotImplementedError, pickle.UnpicklingError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class Checkpoint(BaseModel):
    """A run between two epochs. Tensors are on the host once it is loaded."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    run_id: str
    data: list[str]  # fingerprints of the splits
    plugins: dict[str, str]  # file name -> sha256
    commits: list[str | None]  # of the code that has trained it so far
    machines: list[dict[str, Any]] = [{}]  # that have trained it so far; {}: an earlier version did not say which
    epoch: int = Field(ge=1)  # the next one
    history: list[dict[str, Any]]
    best: dict[str, dict[str, Any]]
    best_weights: dict[str, dict[str, torch.Tensor]]
    method: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    labels: torch.Tensor  # [N] long, as relabelling left them


def save(folder: RunFolder, state: Checkpoint) -> None:
    """Write a checkpoint, keeping the one before as `checkpoint.previous.pt`.

    Raises lease.Superseded when somebody else does the run now.
    """
    with folder.writing(folder.checkpoint, "wb") as file:
        torch.save({name: getattr(state, name) for name in Checkpoint.model_fields}, file)
        file.flush()
        os.fsync(file.fileno())  # a full disk shows here at the latest, while the old files are where they were
        if folder.lease:
            folder.lease.check()
        if folder.checkpoint.exists():  # moved last: it is missing for no longer than two renames take
            folder.checkpoint.replace(previous_checkpoint(folder.checkpoint))


def load(path: Path, run_id: str, epochs: int) -> Checkpoint | None:
    """The newest checkpoint of this run of `epochs` that is sound, or None. Another one is passed over and logged."""
    for candidate in (path, previous_checkpoint(path)):
        try:
            state = _read(candidate)
            if state.run_id != run_id:
                continue
            if state.epoch > epochs or len(state.history) != state.epoch:
                raise ValueError(f"epoch {state.epoch} of {epochs}, {len(state.history)} epochs of history")
            return state
        except FileNotFoundError:
            continue
        except _DAMAGE as error:
            reason = str(Problem.of(error)) if isinstance(error, ValidationError) else str(error).split("\n")[0]
            log.warning("%s cannot be used (%s); falling back to the one before", candidate.name, reason)
    return None


def _read(path: Path) -> Checkpoint:
    with zipfile.ZipFile(path) as archive:
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"{damaged} does not fit its checksum")
    return Checkpoint.model_validate(torch.load(path, map_location="cpu", weights_only=True))
