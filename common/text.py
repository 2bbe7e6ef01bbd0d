"""Text that somebody else wrote, made fit for one line of a terminal, and names made fit for one folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

NAME_BYTES = 200  # of a name that becomes a folder's: file systems take 255, some less


def printable(text: str) -> str:
    """What would move a terminal's cursor, or cannot be encoded, written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def printable_lines(text: str) -> str:
    """As `printable`, line by line: of a text in several lines, these stay."""
    return "\n".join(map(printable, text.split("\n")))


def spreadsheet_cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets a ' before it; everything else stays as it is."""
    risky = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if risky else value


def one_line(text: str) -> str:
    """The text, if it fits into a line and, with every mark in it made a dash, a folder's name. Raises ValueError."""
    if not text.isprintable():
        raise ValueError("must hold no control characters")
    if text in ("", ".", "..") or len(text.encode()) > NAME_BYTES:
        raise ValueError(f"must be a name of at most {NAME_BYTES} bytes")
    return text


def folder_name(text: str) -> str:
    """The text, if it can name a folder of its own inside another. Raises ValueError."""
    if text.startswith((".", "-", " ")) or any(char in text for char in "/\\:"):
        raise ValueError("must not begin with '.', '-' or a blank, nor hold a slash or colon")
    return one_line(text)


def _escape(path: object) -> str:
    return re.sub("[\udc80-\udcff]", lambda byte: f"\0{ord(byte[0]) - 0xDC00:02x}", str(path))


def _unescape(text: object) -> object:
    return (
        re.sub("\0([89a-f][0-9a-f])", lambda byte: chr(0xDC00 + int(byte[1], 16)), text)
        if isinstance(text, str)
        else text
    )


Line = Annotated[str, AfterValidator(printable)]
Lines = Annotated[str, AfterValidator(printable_lines)]
# A path, or text with one in it: bytes of names that are no UTF-8 are written with a NUL, which no path holds, and come
# back as they were.
_IN_JSON = (BeforeValidator(_unescape), PlainSerializer(_escape, return_type=str, when_used="json"))
StoredText = Annotated[str, *_IN_JSON]
StoredPath = Annotated[Path, *_IN_JSON]
