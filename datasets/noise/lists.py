"""Lists of labels as they are published: one `train_00001.jpg 5` a line (RAF-DB's own list, and noisy ones for it)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.text import printable, spreadsheet_cell
from datasets.base import ImageSet
from datasets.errors import DataError
from datasets.images.listing import split_named
from datasets.images.text import lines, whole_number

if TYPE_CHECKING:
    import numpy as np

_LINE = re.compile(r"""("?)(.*[^\s,;])\1[\s,;]+("?)([^\s,;]+)\3""")  # names may hold blanks; both may be quoted
# Slashes of any system; but a backslash may begin what `printable` writes for a character (\u202f).
_SEPARATOR = re.compile(r"/|\\(?!x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_ANY_SLASH = re.compile(r"[/\\]")
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
    matter, nor do lines that are less close to a file's name than another. Where the data set counts its classes from 1
    and the list holds a 0, the list counts from 0, which is noted. Raises DataError for a malformed list, two labels
    for one file, or files without a label.
    """
    import numpy as np

    if train.names is None:
        raise DataError(f"{path}: this data set's images are not files, so a list of labels cannot name them")
    names = train.names.tolist()
    match = _Names(names)
    first = train.first_code
    notes: tuple[str, ...] = ()
    if first and any(code == "0" for _, _, code in _pairs(path)):
        first = 0
        notes = (f"{path.name}: its labels count from 0, not from {train.first_code} as the data set's own do",)
    labels: dict[str, dict[int, str]] = {}  # key -> {label: a line's name}, of the lines that are closest to its file
    closest: dict[str, tuple[int, bool]] = {}
    for name, label in read_list(path, first, train.class_names):
        key, closeness = match(name)
        if closeness > closest.get(key, (-1, False)):
            closest[key], labels[key] = closeness, {}
        if closeness == closest[key]:
            labels[key].setdefault(label, name)
    keys = [match.key(name) for name in names]
    for given in (labels.get(key, {}) for key in keys):
        if len(given) > 1:
            raise DataError(f"{path}: two different labels for {[*given.values()][1]}")
    lacking = [name for name, key in zip(names, keys, strict=True) if key not in labels]
    if lacking:
        strange = min(labels.keys() - {*keys}, default="")
        others = f"; the list has other names, e.g. {strange[-80:]}" if strange else ""
        raise DataError(
            f"{path}: no label for {len(lacking):,} of {len(names):,} training images, e.g. {lacking[0]}{others}"
        )
    return np.array([next(iter(labels[key])) for key in keys], dtype=np.int64), notes


class _Names:
    """The files of a training split, found by the names that a list has for them."""

    def __init__(self, names: list[str]) -> None:
        own = {"/".join(_parts(name)) for name in names}
        # Where both the aligned image and the original are there, the names tell them apart.
        self.aligned = _ALIGNED if len({name.replace(_ALIGNED, "") for name in own}) == len(own) else ""
        self.own = {self._plain(name) for name in names}
        self.by_last_part = {name.rpartition("/")[2]: name for name in self.own}
        self.unique = len(self.by_last_part) == len(names)
        self.deepest = 1 + max(name.count("/") for name in self.own)

    def key(self, name: str) -> str:
        """What tells a file of the split from the others: the last part of its name where that does, else all of it."""
        plain = self._plain(name)
        return plain.rpartition("/")[2] if self.unique else plain

    def __call__(self, listed: str) -> tuple[str, tuple[int, bool]]:
        """(the key of the file that a list means, or what is none's; how close the two names are).

        Lists hold other splits' files, of the same names. Closer is the name that has more of its last parts in common
        with the file's, and one that says all or an end of it is closest; of two as close, the one in no folder of
        another split is.
        """
        for separator in (_SEPARATOR, _ANY_SLASH):
            parts = self._plain(listed, separator).split("/")
            ends = ["/".join(parts[-length:]) for length in range(min(len(parts), self.deepest), 0, -1)]
            file = self.by_last_part.get(parts[-1]) if self.unique else next((e for e in ends if e in self.own), None)
            if file is not None:
                known = file.split("/")
                common = next(n for n in range(len(ends), 0, -1) if parts[-n:] == known[-n:])
                fits = common == min(len(parts), len(known))
                other = len(parts) > common and split_named(parts[-common - 1]) in ("test", "validation")
                return self.key(file), (self.deepest if fits else common, not other)
        return parts[-1] if self.unique else "/".join(parts), (0, False)

    def _plain(self, name: str, separator: re.Pattern[str] = _SEPARATOR) -> str:
        return "/".join(_parts(name, separator)).replace(self.aligned, "")


def _parts(name: str, separator: re.Pattern[str] = _SEPARATOR) -> list[str]:
    """Of a name as a list of ours would have it: printable, and without what keeps it from being a formula."""
    own = name[1:] if spreadsheet_cell(name[1:]) == name else name
    return [part for part in separator.split(printable(own)) if part not in ("", ".")]
