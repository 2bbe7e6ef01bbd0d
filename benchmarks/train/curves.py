"""Live curves (`--log tensorboard`): the numbers of `history.csv` as they come, in a folder beside it."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError

FOLDER = "tensorboard"  # in the run's folder


def check() -> None:
    """Raise UserError where TensorBoard is not installed."""
    try:
        importlib.import_module("torch.utils.tensorboard")
    except ImportError as error:
        raise UserError(f"--log tensorboard: {error}; `pip install tensorboard`, or leave the flag out") from None


class Curves:
    """Writes event files. A run that goes on after epoch `done` takes back what was written of later ones."""

    def __init__(self, run: Path, done: int) -> None:
        check()
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(run / FOLDER), purge_step=done + 1 if done else None)

    def add(self, row: Mapping[str, Any]) -> None:
        """The numbers of an epoch, to be seen at once; those that are not defined are left out."""
        for name, value in row.items():
            if name != "epoch" and isinstance(value, int | float) and math.isfinite(value):
                self.writer.add_scalar(name, value, row["epoch"])
        self.writer.flush()
