"""Checkpoints: written whole after every epoch, the one before kept, loaded without executing code."""

from __future__ import annotations

import logging
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from benchmarks.store.run_folder import RunFolder, previous_checkpoint

log = logging.getLogger(__name__)


def save(folder: RunFolder, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, lists, dicts), keeping the one before as `checkpoint.previous.pt`.

    Raises lease.Superseded when somebody else does the run now.
    """
    _write(folder, state, keep=True)


def load(path: Path, run_id: str) -> dict[str, Any] | None:
    """The newest checkpoint of this run that can be read, or None. A damaged one is passed over and logged."""
    for candidate in (path, previous_checkpoint(path)):
        try:
            state = torch.load(candidate, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            continue
        except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
            log.warning(
                "%s cannot be read (%s); falling back to the one before", candidate.name, str(error).split("\n")[0]
            )
            continue
        if isinstance(state, dict) and state.get("run_id") == run_id and "optimizer" in state:
            return state
    return None


def final(path: Path, run_id: str) -> dict[str, torch.Tensor] | None:
    """The weights that `finish` wrote for this run, or None where the file is missing, damaged or another run's."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError):
        return None
    ended = isinstance(state, dict) and state.get("run_id") == run_id and "optimizer" not in state
    return state["method"] if ended else None


def finish(folder: RunFolder, state: dict[str, Any]) -> None:
    """Write the final weights, once the last epoch is done; the training state is kept until the record is written."""
    _write(folder, state, keep=final(folder.checkpoint, state["run_id"]) is None)


def _write(folder: RunFolder, state: dict[str, Any], *, keep: bool) -> None:
    with folder.writing(folder.checkpoint, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())  # a full disk shows here at the latest, while the old files are where they were
        if folder.lease:
            folder.lease.check()
        if keep and folder.checkpoint.exists():  # moved last: it is missing for no longer than two renames take
            folder.checkpoint.replace(previous_checkpoint(folder.checkpoint))
