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
    with folder.writing(folder.checkpoint, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())  # a full disk shows here at the latest, while the old files are where they were
        if folder.lease:
            folder.lease.check()
        if folder.checkpoint.exists():  # moved last: it is missing for no longer than two renames take
            folder.checkpoint.replace(previous_checkpoint(folder.checkpoint))


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
        if isinstance(state, dict) and state.get("run_id") == run_id:
            return state
    return None
