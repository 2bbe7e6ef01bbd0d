"""Text that somebody else wrote, made fit for one line of a terminal, and names made fit for one folder."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

NAME_BYTES = 200  # of a name that becomes a folder's: file systems take 255, some less


def printable(text: str) -> str:
    """What would move a terminal's cursor, or cannot be encoded, written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


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


Line = Annotated[str, AfterValidator(printable)]
