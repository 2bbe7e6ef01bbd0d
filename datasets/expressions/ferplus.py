"""FER+ (Barsoum et al., ICMI 2016): ten annotators' votes for each row of FER2013's CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets.errors import DataError


def read_votes(path: Path, class_names: Sequence[str], usage: np.ndarray) -> np.ndarray:
    """Soft labels [N, K] float32 from `fer2013new.csv`: votes for `class_names`, normalised over these.

    Votes for contempt, "unknown" and "no face" are left out; a row without a vote for any of `class_names` is NaN.
    `usage` [N] holds the Usage of FER2013's rows, in whose order the file must be. Raises DataError where it is not,
    or where a column or number is malformed.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    header = [name.strip().lower() for name in rows[0]] if rows else []
    missing = [name for name in ("usage", *class_names) if name not in header]
    if missing:
        raise DataError(f"{path}: row 0 (header): no column {', '.join(missing)}")
    body = rows[1:]
    if len(body) != len(usage):
        raise DataError(
            f"{path}: {len(body):,} rows for {len(usage):,} images of FER2013; "
            "FER+ must have the same rows in the same order (https://github.com/microsoft/FERPlus)"
        )
    columns = [header.index(name) for name in class_names]
    usage_at = header.index("usage")
    votes = np.empty((len(body), len(columns)), dtype=np.float32)
    for number, (row, expected) in enumerate(zip(body, usage, strict=True)):
        try:
            votes[number] = [int(row[column]) for column in columns]
            found = row[usage_at].strip()
        except (ValueError, IndexError):
            raise DataError(f"{path}: row {number + 1:,}: votes are not numbers (truncated file?)") from None
        if found != expected or votes[number].min() < 0:
            raise DataError(f"{path}: row {number + 1:,}: Usage '{found}' or votes do not fit FER2013's '{expected}'")
    total = votes.sum(axis=1, keepdims=True)
    return np.divide(votes, total, out=np.full_like(votes, np.nan), where=total > 0)
