"""Files that somebody else may have written: read whole, within limits, or refused with the reason in one line.

A runs folder is shared: another user, another version, a full disk or a cut transfer may have left anything under a
name that we read. Whatever it is, it is bad for itself alone. A pipe would hang its reader, a device or a file of many
gigabytes would fill the memory, deeply nested JSON would end the process: none of them is opened here.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json, to_json

from common.text import printable
from common.validation import Problem

MIB = 2**20
SMALL = 2 * MIB  # bytes of a record, a mark, a lease: theirs are a few thousand
Model = TypeVar("Model", bound=BaseModel)


class Unreadable(ValueError):
    """A file that cannot be used. The message is the reason, in one line."""


def read_bytes(path: Path, limit: int = SMALL) -> bytes:
    """The content of a regular file. Raises Unreadable, FileNotFoundError."""
    return read_with_time(path, limit)[0]


def read_with_time(path: Path, limit: int = SMALL) -> tuple[bytes, int]:
    """The content of a regular file, and when it was last touched (ns). Raises Unreadable, FileNotFoundError."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe without a writer does not wait
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise Unreadable(_reason(error)) from None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(f"it is {kind_of(found.st_mode)}, not a file")
        parts, size = [], 0
        # Read on from where its size ends: it may grow, and some file systems do not say how long a file is.
        while size <= limit and (part := os.read(file, min(max(found.st_size, SMALL), limit) + 1 - size)):
            parts.append(part)
            size += len(part)
    except OSError as error:
        raise Unreadable(_reason(error)) from None
    finally:
        os.close(file)
    if size > limit:
        raise Unreadable(f"it has more than the {limit:,} bytes allowed")
    return b"".join(parts), found.st_mtime_ns


def kind_of(mode: int) -> str:
    """What a file that is no regular one is, in words."""
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in kinds if test(mode)), "a device")


def _reason(error: Exception) -> str:
    return printable((error.strerror if isinstance(error, OSError) else None) or str(error))


def read_text(path: Path, limit: int = SMALL) -> str:
    """The content of a UTF-8 file, with or without a byte-order mark. Raises Unreadable, FileNotFoundError."""
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 (byte {error.start})") from None


def read_json(path: Path, limit: int = SMALL) -> Any:
    """The content of a JSON file, without NaN and infinities. Raises Unreadable, FileNotFoundError."""
    return parse_json(read_bytes(path, limit))


def parse_json(text: bytes) -> Any:
    """JSON without NaN and infinities, nested 200 deep at most. Raises Unreadable."""
    try:
        content = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Unreadable(f"not valid JSON ({error})") from None
    if b"Infinity" in to_json(content, inf_nan_mode="constants"):  # 1e999 is valid JSON, and infinite
        try:
            json.dumps(content, allow_nan=False)
        except ValueError:
            raise Unreadable("a number is out of range") from None
    return content


def read_model(path: Path, model: type[Model], limit: int = SMALL) -> Model:
    """The content of a JSON file, validated. Raises Unreadable, FileNotFoundError."""
    return validated(read_json(path, limit), model)


def validated(content: Any, model: type[Model]) -> Model:
    """What was read from a file as a model. Raises Unreadable."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise Unreadable(printable(str(Problem.of(error)))) from None


class Foreign(BaseModel):
    """Base of what a small file holds. Keys of another version are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
