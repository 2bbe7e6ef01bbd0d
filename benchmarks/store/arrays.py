"""`predictions.npz` as somebody left it: read within limits and checked, or refused with the reason in one line.

A flipped byte, a cut copy or another version's file is bad for its own run alone. What is declared is checked before
anything is unpacked: a megabyte of zip can hold terabytes.
"""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import IO

import numpy as np

from common.foreign import MIB, Unreadable, kind_of
from common.text import printable

LARGEST = 2048 * MIB  # bytes of a file
MEMBERS = 200
UNPACKED, RATIO = 96 * MIB, 50  # bytes that all arrays may take, and so many more a packed one; real ones have up to 5
_DAMAGE = (
    *(OSError, ValueError, EOFError, KeyError, IndexError, TypeError, OverflowError, NotImplementedError, RuntimeError),
    *(SyntaxError, MemoryError, RecursionError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(tokenize.TokenError, AttributeError),
)

# Name: kinds of number, and dimensions. A letter is one size throughout: N test and M training images, K classes.
# What is not named here is of any shape.
LAYOUT: Mapping[str, tuple[str, str]] = {
    "test_logits": ("f", "NK"),
    "test_uncertainty": ("f", "N"),
    "test_labels": ("iu", "N"),
    "test_soft_labels": ("f", "NK"),
    "test_features": ("f", "RD"),
    "test_features_rows": ("iu", "R"),
    "train_uncertainty": ("f", "M"),
    "train_free_uncertainty": ("f", "M"),
    "train_p_given": ("f", "M"),
    "train_p_other": ("f", "M"),
    "train_given": ("iu", "M"),
    "train_clean": ("iu", "M"),
    "train_flipped": ("b", "M"),
    "train_labels_last": ("iu", "M"),
    "test_files": ("U", "N"),
    "train_files": ("U", "M"),
    "validation_files": ("U", "V"),
    "validation_logits": ("f", "VK"),
    "validation_uncertainty": ("f", "V"),
    "validation_labels": ("iu", "V"),
    "example_index": ("iu", "E"),
    "example_images": ("u", "EHWC"),
    "tsne_points": ("f", "RT"),
    "tsne_key": ("U", ""),
    "figure2_weight": ("f", "P"),
    "figure2_loss_certain": ("f", "P"),
    "figure2_loss_uncertain": ("f", "P"),
    "figure2_own_weight": ("f", ""),
    "figure2_index": ("iu", "2"),
    "figure2_labels": ("iu", "2"),
    "figure2_images": ("u", "2XYZ"),
}
NEEDED = ("test_logits", "test_labels", "test_uncertainty")
OF_CLASSES = ("test_labels", "train_given", "train_clean", "train_labels_last", "validation_labels", "figure2_labels")
OF_TEST_ROWS = ("test_features_rows", "example_index", "figure2_index")
WITH_GAPS = ("test_soft_labels",)  # images that nobody has voted on


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an .npz file. Raises Unreadable, FileNotFoundError."""
    try:
        found = path.stat()
        if not S_ISREG(found.st_mode):
            raise Unreadable(f"it is {kind_of(found.st_mode)}, not a file")
        if (size := found.st_size) > LARGEST:
            raise Unreadable(f"it has {size:,} bytes, more than the {LARGEST:,} allowed")
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MEMBERS or sum(entry.file_size for entry in entries) > UNPACKED + RATIO * size:
                raise Unreadable(f"it unpacks to more than {MEMBERS} arrays or {UNPACKED + RATIO * size:,} bytes")
            return {entry.filename.removesuffix(".npy"): _array(archive, entry) for entry in entries}
    except (Unreadable, FileNotFoundError):
        raise
    except _DAMAGE as error:
        first = next(iter(str(error).splitlines()), "")
        raise Unreadable(printable(f"damaged ({type(error).__name__}: {first:.200})")) from None


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as stream:
        shape, fortran, dtype = _header(stream)
        name = printable(entry.filename)
        if dtype.kind not in "biufU":
            raise Unreadable(f"{name}: of type {dtype}, which no run writes")
        declared = dtype.itemsize
        for length in shape:
            declared *= length
        # What is declared is what the member holds: numpy takes the memory before it reads.
        if not 0 <= declared == entry.file_size - stream.tell():
            raise Unreadable(f"{name}: {declared:,} bytes declared, {entry.file_size:,} there")
        content = stream.read()  # to its end, where zipfile compares the checksum
    values = np.frombuffer(bytearray(content), dtype) if content else np.empty(0, dtype)
    return values.reshape(shape, order="F" if fortran else "C")


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    return read(stream)


def check(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise Unreadable where arrays are not what a run writes: missing, of another type or shape, not finite, or
    labels and rows that there are not."""
    for name in NEEDED:
        if name not in arrays:
            raise Unreadable(f"{name} is missing")
    sizes: dict[str, int] = {"2": 2}
    if "test_features_rows" not in arrays:  # all of them
        sizes["R"] = len(arrays["test_labels"]) if arrays["test_labels"].ndim else 0
    for name, (kinds, dimensions) in LAYOUT.items():
        if (values := arrays.get(name)) is None:
            continue
        wanted = tuple(sizes.get(letter) for letter in dimensions)
        fits = len(values.shape) == len(wanted) and all(
            a in (b, None) for a, b in zip(wanted, values.shape, strict=True)
        )
        if values.dtype.kind not in kinds or not fits:
            raise Unreadable(f"{name} is {values.dtype} {values.shape}, which does not go with the others")
        sizes |= dict(zip(dimensions, values.shape, strict=True))
        if values.dtype.kind == "f" and name not in WITH_GAPS and not np.isfinite(values).all():
            raise Unreadable(f"{name} is not finite")
    if not sizes["N"]:
        raise Unreadable("it has no test image")
    for names, most in ((OF_CLASSES, sizes["K"]), (OF_TEST_ROWS, sizes["N"])):
        for name in names:
            values = arrays.get(name)
            if values is not None and values.size and not 0 <= int(values.min()) <= int(values.max()) < most:
                raise Unreadable(f"{name} holds {int(values.min())} to {int(values.max())}, of {most}")
