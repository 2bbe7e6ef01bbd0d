"""What a run wrote after each epoch."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from common.foreign import MIB, Unreadable, read_text

LARGEST_HISTORY = 16 * MIB  # 100,000 epochs


def history(path: Path) -> dict[str, list[float]]:
    """Columns of `history.csv` as numbers, NaN where a field is none; empty where the file cannot be read."""
    try:
        header, *rows = list(csv.reader(read_text(path, LARGEST_HISTORY).splitlines())) or [[]]
    except (FileNotFoundError, Unreadable, csv.Error):
        return {}
    return {name: [_number(row, place) for row in rows] for place, name in enumerate(header)}


def _number(row: Sequence[str], place: int) -> float:
    try:
        return float(row[place])
    except (IndexError, ValueError):
        return float("nan")
