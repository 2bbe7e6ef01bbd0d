"""Lists of labels as they are published: one `train_00001.jpg 5` a line (RAF-DB's own list, and noisy ones for it)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.base import ImageSet
from datasets.errors import DataError
from datasets.images.text import lines, whole_number

if TYPE_CHECKING:
    import numpy as np

_LINE = re.compile(r"""("?)(.*[^\s,;])\1[\s,;]+("?)([^\s,;]+)\3""")  # names may hold blanks; both may be quoted
_ALIGNED = "_aligned"  # RAF-DB's images are listed under their own names in some lists, without this in others


def read_list(path: Path, first_code: int, class_names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """(file name, class from 0) of each line; blank lines are skipped, a blank, tab, comma or semicolon parts the two,
    either of which may stand in quotes.

    Raises DataError naming file, line and problem; codes are `first_code` .. `first_code + K - 1`.
    """
    end = first_code + len(class_names)
    for number, name, code in _pairs(path):
        label = whole_number(code, end, first_code)
        if label is None:
            counted = ", ".join(f"{at} {known[:30]}" for at, known in enumerate(class_names[:3], start=first_code))
            raise DataError(
                f"{path}: line {number:,}: label '{code[:20]}' of {name[-80:]} is not one of {first_code}..{end - 1} "
                f"(the classes' numbers: {counted}{' ...' if len(class_names) > 3 else ''})"
            )
        yield name, label - first_code


def _pairs(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, file name, code as written)."""
    for number, line in enumerate(lines(path), start=1):
        text = line.strip()
        fields = _LINE.fullmatch(text)
        if fields is not None:
            yield number, fields[2], fields[4]
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
    for name, label in read_list(path, first, train.class_names):
        if labels.setdefault(key(name), label) != label:
            raise DataError(f"{path}: two different labels for {name}")
    lacking = [name for name in names if key(name) not in labels]
    if lacking:
        strange = min(labels.keys() - map(key, names), default="")
        others = f"; the list has other names, e.g. {strange[-80:]}" if strange else ""
        raise DataError(
            f"{path}: no label for {len(lacking):,} of {len(names):,} training images, e.g. {lacking[0]}{others}"
        )
    return np.array([labels[key(name)] for name in names], dtype=np.int64), notes


def _key(names: list[str]) -> Callable[[str], str]:
    """What of a listed name tells the files apart: its last part, where that of `names` does; else as many of its last
    parts as make one of `names`."""
    own = {_plain(name) for name in names}
    # Where both the aligned image and the original are there, the names tell them apart.
    aligned = "" if len({name.replace(_ALIGNED, "") for name in own}) < len(own) else _ALIGNED

    def plain(name: str) -> str:
        return _plain(name).replace(aligned, "") if aligned else _plain(name)

    own = {plain(name) for name in names}
    unique = len({name.rpartition("/")[2] for name in own}) == len(names)
    deepest = 1 + max(name.count("/") for name in own)

    def of(name: str) -> str:
        parts = plain(name).split("/")
        if unique:
            return parts[-1]
        ends = ("/".join(parts[start:]) for start in range(max(0, len(parts) - deepest), len(parts)))
        return next((end for end in ends if end in own), "/".join(parts))

    return of


def _plain(name: str) -> str:
    """With the slashes of one system, and without `./`."""
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
