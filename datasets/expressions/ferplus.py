"""FER+ (Barsoum et al., ICMI 2016): ten annotators' votes for each row of FER2013's CSV."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets.errors import DataError
from datasets.images.text import rows, whole_number


def read_votes(path: Path, class_names: Sequence[str], usage: np.ndarray) -> np.ndarray:
    """Soft labels [N, K] float32 from `fer2013new.csv`: votes for `class_names`, normalised over these.

    Votes for contempt, "unknown" and "no face" are left out; a row without a vote for any of `class_names` is NaN.
    `usage` [N] holds the Usage of FER2013's rows, in whose order the file must be. Raises DataError where it is not,
    or where a column or number is malformed.
    """
    found = list(itertools.islice(rows(path), len(usage) + 2))  # one more tells that there are too many
    header = [name.strip().lower() for name in found[0]] if found else []
    missing = [name for name in ("usage", *class_names) if name not in header]
    if missing:
        raise DataError(f"{path}: row 0 (header): no column {', '.join(missing)}")
    body = found[1:]
    if len(body) != len(usage):
        more = " or more" if len(body) > len(usage) else ""
        raise DataError(
            f"{path}: {len(body):,}{more} rows for {len(usage):,} images of FER2013; "
            "FER+ must have the same rows in the same order (https://github.com/microsoft/FERPlus)"
        )
    columns = [header.index(name) for name in class_names]
    usage_at = header.index("usage")
    votes = np.empty((len(body), len(columns)), dtype=np.float32)
    for number, (row, expected) in enumerate(zip(body, usage, strict=True)):
        given = [whole_number(row[column].strip(), 1000) if column < len(row) else None for column in columns]
        if None in given or usage_at >= len(row):
            raise DataError(f"{path}: row {number + 1:,}: votes are not numbers (truncated file?)")
        if row[usage_at].strip() != expected:
            shown = row[usage_at].strip()[:40]
            raise DataError(f"{path}: row {number + 1:,}: Usage '{shown}' does not fit FER2013's '{expected}'")
        votes[number] = given
    total = votes.sum(axis=1, keepdims=True)
    return np.divide(votes, total, out=np.full_like(votes, np.nan), where=total > 0)
