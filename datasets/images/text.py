"""People's text files, line by line: lists of labels, tables. Nothing in them is more than a `DataError`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from datasets.cache.walk import regular
from datasets.errors import DataError

_LONGEST = 1 << 20  # characters of a line; FER2013's have 9,000
_MARKS = {  # byte order marks; the longer first
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}


def lines(path: Path, errors: str = "strict") -> Iterator[str]:
    """Each line with its end, which may be of any system. UTF-8, or what a byte order mark says.

    Raises DataError naming the file for one that is missing or no file, another encoding, or an endless line.
    """
    if not regular(path):
        raise DataError(f"{path}: no such file")
    number = 0
    try:
        with open(path, "rb") as start:
            head = start.read(4)
        encoding = next((name for mark, name in _MARKS.items() if head.startswith(mark)), "utf-8")
        with open(path, encoding=encoding, errors=errors, newline="") as file:
            while line := file.readline(_LONGEST):
                number += 1
                if len(line) == _LONGEST:
                    raise DataError(f"{path}: line {number:,}: more than {_LONGEST:,} characters: no list or table")
                yield line
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeError:
        raise DataError(
            f"{path}: cannot be read as text: after line {number:,} something is not {encoding}; save it as UTF-8"
        ) from None


def rows(path: Path, errors: str = "strict") -> Iterator[list[str]]:
    """The rows of a CSV file that are not empty. Raises DataError as `lines` does, and for quotes that never end."""
    reader = csv.reader(lines(path, errors))
    try:
        for row in reader:
            if row:
                yield row
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num:,}: not a CSV file ({error})") from None


def whole_number(text: str, below: int, first: int = 0) -> int | None:
    """The number that `text` is, if it is one in first..below - 1; else None. Plain digits only."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        return None
    return int(text) if first <= int(text) < below else None
