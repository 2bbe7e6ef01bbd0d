"""Predictions for image files, as a table: class, probability, uncertainty, rank, and whether to reject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchmarks.metrics.calibration import softmax
from benchmarks.store.record import Record
from benchmarks.train.evaluate import Outputs
from common.errors import UserError
from common.files import atomic_write
from common.text import printable, spreadsheet_cell

if TYPE_CHECKING:
    import pandas as pd

Score = Literal["own", "free"]  # the method's own uncertainty, or 1 - max softmax


@dataclass(frozen=True)
class Predictions:
    """What a trained network says of some files."""

    record: Record  # of the run whose network it is
    class_names: tuple[str, ...]  # in the order of the logits
    test_outputs: Outputs  # of the run's own test split
    files: tuple[Path, ...]
    outputs: Outputs
    unreadable: Mapping[Path, str]  # file -> why, in one line
    seconds: float  # decoding included

    @property
    def classes(self) -> np.ndarray:
        """[N] index of the most probable class."""
        return self.outputs.logits.argmax(axis=1)

    def uncertainty(self, score: Score = "own") -> np.ndarray:
        """[N], higher = less certain."""
        return score_of(self.outputs, score)

    def rejected(self, percent: float, score: Score = "own") -> np.ndarray:
        """[N] bool: more uncertain than all but the most uncertain `percent` of the run's own test split."""
        return self.uncertainty(score) > threshold(score_of(self.test_outputs, score), percent)

    def frame(self, reject: float | None = None, by: Score = "own") -> pd.DataFrame:
        """One row a file, in their order: file (its path, printable), class, probability, uncertainty, free_uncertainty
        (1 - max softmax), rank (1: the most uncertain) and, where `reject` per cent are asked for, rejected."""
        import pandas as pd

        rank = np.empty(len(self.files), dtype=int)
        rank[np.argsort(-self.uncertainty(by), kind="stable")] = np.arange(1, len(self.files) + 1)
        columns: dict[str, Any] = {
            "file": [printable(str(path)) for path in self.files],
            "class": [self.class_names[index] for index in self.classes],
            "probability": softmax(self.outputs.logits).max(axis=1),
            "uncertainty": self.outputs.uncertainty,
            "free_uncertainty": self.outputs.free_uncertainty,
            "rank": rank,
        }
        if reject is not None:
            columns["rejected"] = self.rejected(reject, by)
        return pd.DataFrame(columns)

    def to_csv(self, path: Path, reject: float | None = None, by: Score = "own") -> None:
        """The frame, then a row for each file that could not be read, with the reason under `problem`."""
        import pandas as pd

        table = self.frame(reject, by)
        if self.unreadable:
            problems = {"file": list(map(str, self.unreadable)), "problem": list(self.unreadable.values())}
            # Types with a value for "none": without, an int becomes 4.0 beside it.
            kinds = {"rank": "Int64", **({"rejected": "boolean"} if "rejected" in table else {})}
            table = pd.concat([table.assign(problem="").astype(kinds), pd.DataFrame(problems)])
        write_csv(path, table)


def score_of(outputs: Outputs, score: Score) -> np.ndarray:
    """[N] the method's own uncertainty ("own") or 1 - max softmax ("free")."""
    return outputs.uncertainty if score == "own" else outputs.free_uncertainty


def threshold(uncertainty: np.ndarray, percent: float) -> float:
    """The uncertainty above which the most uncertain `percent` of [N] samples lie. Raises UserError."""
    if not 0 < percent < 100:
        raise UserError(f"--reject {percent:g}: expected a share in per cent, above 0 and below 100")
    kept = len(uncertainty) - round(percent / 100 * len(uncertainty))
    return float(np.sort(uncertainty)[max(kept, 1) - 1])


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """A table with a head, whole or not at all. Text that a spreadsheet would take for a formula gets a ' before it;
    what cannot be printed or encoded, as bytes of names may be, is an escape."""
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    safe = table.assign(**{name: table[name].map(_cell) for name in texts})
    with atomic_write(path, keep=True) as file:
        safe.to_csv(file, index=False, lineterminator="\n")


def _cell(value: object) -> object:
    return spreadsheet_cell(printable(value)) if isinstance(value, str) else value
