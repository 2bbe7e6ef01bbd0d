"""Lists of labels as they are published: one `train_00001.jpg 5` a line (RAF-DB's own list, and noisy ones for it)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.base import ImageSet
from datasets.errors import DataError

if TYPE_CHECKING:
    import numpy as np


def read_list(path: Path, first_code: int, num_classes: int) -> Iterator[tuple[str, int]]:
    """(file name, class from 0) of each line; blank lines are skipped, line ends may be Windows'.

    Raises DataError naming file, line and problem; codes are `first_code` .. `first_code + num_classes - 1`.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({type(error).__name__})") from None
    valid = f"{first_code}..{first_code + num_classes - 1}"
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2:
            raise DataError(f"{path}: line {number:,}: '{line[:40]}' is not a file name and a label")
        name, code = fields
        if not code.isdecimal() or not first_code <= int(code) < first_code + num_classes:
            raise DataError(f"{path}: line {number:,}: label '{code[:20]}' of {name} is not one of {valid}")
        yield name, int(code) - first_code


def published(train: ImageSet, path: Path) -> np.ndarray:
    """Labels [N] int64 of a training split out of a list that names its files; other lines (test files) do not matter.

    Raises DataError for a malformed list, two labels for one file, or files without a label.
    """
    import numpy as np

    if train.names is None:
        raise DataError(f"{path}: this data set's images are not files, so a list of labels cannot name them")
    labels: dict[str, int] = {}
    for name, label in read_list(path, train.first_code, len(train.class_names)):
        if labels.setdefault(plain(name), label) != label:
            raise DataError(f"{path}: two different labels for {name}")
    lacking = [name for name in train.names.tolist() if plain(name) not in labels]
    if lacking:
        raise DataError(f"{path}: no label for {len(lacking):,} of {len(train):,} training images, e.g. {lacking[0]}")
    return np.array([labels[plain(name)] for name in train.names.tolist()], dtype=np.int64)


def plain(name: str) -> str:
    """RAF-DB's aligned images are listed under the originals' names in some lists, under their own in others."""
    return name.replace("_aligned", "")
