"""Pickles of numpy arrays from strangers, read without giving them the run of the machine.

CIFAR's batches and CIFAR-10N's labels are published as pickles, and a pickle is a program. Here it may call what
rebuilds numpy arrays of numbers, and nothing else.
"""

from __future__ import annotations

import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

from datasets.errors import DataError

_MOST_BYTES = 1 << 29  # of an unpacked pickle; CIFAR-10N takes 1 MB, a CIFAR batch 31 MB


def read_pickle(path: Path) -> dict[str, Any]:
    """The dictionary in a pickle file, or in PyTorch's zip of one; keys as text.

    Raises DataError for a pickle that wants anything but arrays of numbers, text and containers, or that is damaged.
    """
    content = _bytes(path)
    try:
        found = _Arrays(io.BytesIO(content), encoding="bytes").load()
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle raises anything: it is a program that has gone wrong
        raise DataError(f"{path}: damaged or not a pickle ({type(error).__name__}); get the file again") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds a {type(found).__name__} instead of a dictionary")
    return {key.decode("latin1") if isinstance(key, bytes) else str(key): value for key, value in found.items()}


def _bytes(path: Path) -> bytes:
    try:
        if not zipfile.is_zipfile(path):
            if path.stat().st_size > _MOST_BYTES:
                raise DataError(f"{path}: {path.stat().st_size:,} bytes are too many for labels or a batch")
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            member = next((m for m in archive.infolist() if m.filename.rpartition("/")[2] == "data.pkl"), None)
            if member is None:
                raise DataError(f"{path}: a zip without PyTorch's data.pkl")
            if member.file_size > _MOST_BYTES:
                raise DataError(f"{path}: would unpack to {member.file_size:,} bytes (a decompression bomb?)")
            return archive.read(member)
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({type(error).__name__}); get the file again") from None


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        import numpy as np

        allowed: dict[tuple[str, str], Any] = {
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): _dtype,
            ("_codecs", "encode"): _encode,
        }
        for package in ("numpy.core.multiarray", "numpy._core.multiarray"):
            allowed[package, "_reconstruct"] = np.empty(0).__reduce__()[0]
            allowed[package, "scalar"] = np.float64(0).__reduce__()[0]
        if (module, name) not in allowed:
            raise DataError(f"a pickle that calls {module}.{name} is refused: only arrays of numbers may be in it")
        return allowed[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise DataError("a pickle that refers to storages outside itself is refused: only numpy arrays may be in it")


def _dtype(text: Any, *arguments: Any) -> Any:
    import numpy as np

    kind = np.dtype(text, *arguments)
    if kind.hasobject:
        raise DataError("a pickle with an array of Python objects is refused: only arrays of numbers may be in it")
    return kind


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Python 2's bytes in a protocol-2 pickle; other codecs could decompress."""
    if encoding != "latin1":
        raise DataError(f"a pickle that uses the codec '{encoding}' is refused")
    return text.encode("latin1")
