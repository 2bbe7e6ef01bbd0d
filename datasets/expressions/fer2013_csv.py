"""FER2013's CSV: 35,887 rows of 2,304 numbers in text, decoded with array operations (82 million numbers)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets.errors import DataError
from datasets.images.text import lines, whole_number

SIDE = 48
PIXELS = SIDE * SIDE
CLASSES = 7
_BLOCK = 1024  # rows decoded at once (about 8 MB of text)
_SPACE, _ZERO = ord(" "), ord("0")


class _Malformed(ValueError):
    """What is wrong with a row."""


def read(path: Path, usages: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(images [N, 48, 48, 1] uint8, labels [N] int64, usage [N] index into `usages`) in the file's row order.

    Columns are found by name, whatever their order, case and blanks. Raises DataError naming file, row (the header
    not counted) and problem.
    """
    codes = {name: code for code, name in enumerate(usages)}
    blocks: list[np.ndarray] = []
    texts: list[bytes] = []
    labels: list[int] = []
    usage: list[int] = []
    file = lines(path)
    emotion_at, pixels_at, usage_at = _columns(path, next(file, ""))
    last = max(emotion_at, pixels_at, usage_at)
    for line in file:
        fields = line.rstrip("\r\n").split(",")
        if fields == [""]:
            continue  # blank lines at the end
        try:
            if len(fields) <= last:
                raise _Malformed(f"{len(fields)} columns where the header has at least {last + 1} (truncated file?)")
            labels.append(_label(fields[emotion_at]))
            usage.append(_usage(fields[usage_at], codes))
        except _Malformed as problem:
            raise DataError(f"{path}: row {len(blocks) * _BLOCK + len(texts) + 1:,}: {problem}") from None
        texts.append(fields[pixels_at].strip(' "').encode())
        if len(texts) == _BLOCK:
            blocks.append(_decode(path, texts, len(blocks) * _BLOCK))
            texts = []
    if texts:
        blocks.append(_decode(path, texts, len(blocks) * _BLOCK))
    if not blocks:
        raise DataError(f"{path}: no rows below the header")
    images = np.concatenate(blocks).reshape(-1, SIDE, SIDE, 1)
    return images, np.array(labels, dtype=np.int64), np.array(usage, dtype=np.int64)


def _columns(path: Path, header: str) -> tuple[int, int, int]:
    names = [name.strip(' "\r\n').lower() for name in header.split(",")]
    missing = [name for name in ("emotion", "pixels", "Usage") if name.lower() not in names]
    if missing:
        found = ", ".join(names)[:80]
        raise DataError(f"{path}: row 0 (header): no column {', '.join(missing)}; found: {found or 'nothing'}")
    return names.index("emotion"), names.index("pixels"), names.index("usage")


def _label(field: str) -> int:
    label = whole_number(field.strip(' "'), CLASSES)
    if label is None:
        raise _Malformed(f"emotion {field.strip()[:20]!r} is not one of 0..{CLASSES - 1}")
    return label


def _usage(field: str, codes: dict[str, int]) -> int:
    code = codes.get(field.strip(' "'))
    if code is None:
        raise _Malformed(f"Usage {field[:20]!r} is not one of {', '.join(codes)}")
    return code


def _decode(path: Path, texts: list[bytes], before: int) -> np.ndarray:
    """Pixel texts -> [n, 2304] uint8. `before`: rows of the file already decoded, for the message."""
    values = _numbers(b" ".join(texts)) if all(text.count(b" ") == PIXELS - 1 for text in texts) else None
    if values is None:  # something is wrong: look row by row
        for row, text in enumerate(texts):
            if problem := _problem(text):
                raise DataError(f"{path}: row {before + row + 1:,}: {problem}")
        # Unusual blanks between sound numbers.
        values = np.array([int(part) for text in texts for part in text.split()], dtype=np.uint8)
    return values.reshape(len(texts), PIXELS)


def _numbers(text: bytes) -> np.ndarray | None:
    """All numbers 0..255 of a text in which single blanks part them; None where it is anything else."""
    characters = np.frombuffer(text, dtype=np.uint8)
    blank = characters == _SPACE
    ends = np.append(np.flatnonzero(blank), len(characters))
    lengths = np.diff(ends, prepend=-1) - 1
    digits = characters - np.uint8(_ZERO)  # below 0 wraps round to above 9
    if lengths.min() < 1 or lengths.max() > 3 or not ((digits < 10) | blank).all():
        return None
    values = digits[ends - 1].astype(np.uint16)
    values += np.where(lengths > 1, digits[ends - 2], 0).astype(np.uint16) * np.uint16(10)
    values += np.where(lengths > 2, digits[ends - 3], 0).astype(np.uint16) * np.uint16(100)
    return values.astype(np.uint8) if values.max() <= 255 else None


def _problem(text: bytes) -> str | None:
    parts = text.split()
    for part in parts:
        if not part.isdigit():
            return f"pixel {_show(part)} is not a number"
        if whole_number(part.decode(), 256) is None:
            return f"pixel {_show(part)} is not in 0..255"
    if len(parts) != PIXELS:
        return f"{len(parts):,} pixels instead of {PIXELS:,} (truncated file?)"
    return None


def _show(field: bytes) -> str:
    return repr(field[:20].decode("utf-8", errors="replace"))
