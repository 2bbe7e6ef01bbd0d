"""Lists of labels as they are published: one `train_00001.jpg 5` a line (RAF-DB's own list, and noisy ones for it)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.base import ImageSet
from datasets.errors import DataError
from datasets.images.text import lines, whole_number

if TYPE_CHECKING:
    import numpy as np

_LINE = re.compile(r"(.*[^\s,;])[\s,;]+([^\s,;]+)")  # names may hold blanks


def read_list(path: Path, first_code: int, num_classes: int) -> Iterator[tuple[str, int]]:
    """(file name, class from 0) of each line; blank lines are skipped, a blank, tab, comma or semicolon parts the two.

    Raises DataError naming file, line and problem; codes are `first_code` .. `first_code + num_classes - 1`.
    """
    end = first_code + num_classes
    for number, name, code in _pairs(path):
        label = whole_number(code, end, first_code)
        if label is None:
            valid = f"{first_code}..{end - 1}"
            raise DataError(f"{path}: line {number:,}: label '{code[:20]}' of {name[-80:]} is not one of {valid}")
        yield name, label - first_code


def _pairs(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, file name, code as written)."""
    for number, line in enumerate(lines(path), start=1):
        text = line.strip()
        fields = _LINE.fullmatch(text)
        if fields is not None:
            yield number, fields[1], fields[2]
        elif text:
            raise DataError(f"{path}: line {number:,}: '{text[:40]}' is not a file name and a label")


def published(train: ImageSet, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels [N] int64 of a training split out of a list that names its files, and notes on how it was read.

    Files are compared by their names, whatever folders the list's author had them in; other lines (test files) do not
    matter. Where the data set counts its classes from 1 and the list holds a 0, the list counts from 0, which is noted.
    Raises DataError for a malformed list, two labels for one file, or files without a label.
    """
    import numpy as np

    if train.names is None:
        raise DataError(f"{path}: this data set's images are not files, so a list of labels cannot name them")
    names = train.names.tolist()
    key = _key(names)
    first = train.first_code
    notes: tuple[str, ...] = ()
    if first and any(code == "0" for _, _, code in _pairs(path)):
        first = 0
        notes = (f"{path.name}: its labels count from 0, not from {train.first_code} as the data set's own do",)
    labels: dict[str, int] = {}
    for name, label in read_list(path, first, len(train.class_names)):
        if labels.setdefault(key(name), label) != label:
            raise DataError(f"{path}: two different labels for {name}")
    lacking = [name for name in names if key(name) not in labels]
    if lacking:
        raise DataError(f"{path}: no label for {len(lacking):,} of {len(names):,} training images, e.g. {lacking[0]}")
    return np.array([labels[key(name)] for name in names], dtype=np.int64), notes


def _key(names: list[str]) -> Callable[[str], str]:
    """What of a name tells the files apart: its last part, or as many as the data set's own names have."""

    def of(name: str, parts: int) -> str:
        return "/".join(plain(name).split("/")[-parts:])

    unique = len({of(name, 1) for name in names}) == len(names)
    depth = 1 if unique else max(name.count("/") + 1 for name in names)
    return lambda name: of(name, depth)


def plain(name: str) -> str:
    """RAF-DB's aligned images are listed under the originals' names in some lists, under their own in others."""
    return name.replace("\\", "/").replace("_aligned", "")
