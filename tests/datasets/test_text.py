"""People's text files: their encodings, and what is wrong with them, in one line."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from datasets.errors import DataError
from datasets.images.text import lines, rows, whole_number

TEXT = "train_1.jpg 5\r\nzwölf.jpg 3\n"
READABLE = {
    "UTF-8": TEXT.encode(),
    "UTF-8 with its mark": TEXT.encode("utf-8-sig"),
    "UTF-16 of Windows": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "UTF-16 the other way": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "UTF-32": codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
}


@pytest.mark.parametrize("kind", READABLE)
def test_encodings_with_a_mark_are_read(tmp_path: Path, kind: str) -> None:
    (tmp_path / "list.txt").write_bytes(READABLE[kind])
    assert [line.split() for line in lines(tmp_path / "list.txt")] == [["train_1.jpg", "5"], ["zwölf.jpg", "3"]]


BROKEN = {
    "Latin-1": (TEXT.encode("latin-1"), "not utf-8; save it as UTF-8"),
    "half a UTF-16 letter": (codecs.BOM_UTF16_LE + b"a\0b", "not utf-16"),
    "an image": (b"\x89PNG\r\n\x1a\n\0\0\xff\xfe", "not utf-8"),
    "a line without end": (b"x" * ((1 << 20) + 5), "line 1: more than 1,048,576 characters"),
    "a quote without end": (b'a,"' + b"b\n" * 200_000, "not a CSV file .field larger"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_other_files_are_one_line_that_names_them(tmp_path: Path, kind: str) -> None:
    content, message = BROKEN[kind]
    (tmp_path / "odd.csv").write_bytes(content)
    with pytest.raises(DataError, match=f"odd.csv: .*{message}") as error:
        list(rows(tmp_path / "odd.csv"))
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "nowhere", Path("/dev/zero")):
        with pytest.raises(DataError, match="no such file"):
            list(lines(path))


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("6", 6), ("007", None), ("7", None), ("²", None), ("٣", None), ("-1", None), ("1.0", None), ("", None),
     ("9" * 5000, None), ("0" * 5000, None), (" 1", None)],
)  # fmt: skip
def test_whole_numbers_are_plain_digits_in_range(text: str, value: int | None) -> None:
    assert whole_number(text, 7) == value
