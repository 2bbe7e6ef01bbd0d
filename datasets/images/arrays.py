"""Arrays from strangers, read without giving them the run of the machine: numpy's .npy files, and pickles of arrays.

CIFAR's batches and CIFAR-10N's labels are published as pickles, and a pickle is a program. Here it may call three
functions of ours, which put arrays of numbers together, and nothing else.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.cache.walk import regular
from datasets.errors import DataError

if TYPE_CHECKING:
    import numpy as np

_MOST_BYTES = 1 << 29  # of a file or unpacked pickle; CIFAR-10N takes 1 MB, a CIFAR batch 31 MB
_KINDS = "biufUS"  # numbers and text, no Python objects


def read_npy(path: Path) -> np.ndarray:
    """The array of numbers or text in a .npy file. Raises DataError for anything else, pickles among them."""
    import numpy as np

    if not regular(path):
        raise DataError(f"{path}: no such file")
    try:
        with open(path, "rb") as file:
            if np.lib.format.read_magic(file) == (1, 0):
                shape, by_column, kind = np.lib.format.read_array_header_1_0(file)
            else:
                file.seek(0)
                np.lib.format.read_magic(file)
                shape, by_column, kind = np.lib.format.read_array_header_2_0(file)
            size = math.prod(shape) * kind.itemsize
            if kind.kind not in _KINDS:
                raise DataError(f"{path}: not an array of numbers or text; pickles are refused")
            if min(shape, default=0) < 0 or size > _MOST_BYTES or size != path.stat().st_size - file.tell():
                raise DataError(f"{path}: its header tells of {size:,} bytes, which are not there; get the file again")
            found = np.frombuffer(file.read(size), kind).reshape(shape, order="F" if by_column else "C").copy()
    except DataError:
        raise
    except Exception as error:  # headers are Python text: damaged ones raise anything
        reason = str(error).partition("\n")[0][:60]
        raise DataError(f"{path}: not a .npy file of numbers ({reason}); pickles are refused") from None
    return found


def read_pickle(path: Path) -> dict[str, Any]:
    """The dictionary in a pickle file, or in PyTorch's zip of one; keys as text.

    Raises DataError for a pickle that wants anything but arrays of numbers, text and containers, or that is damaged.
    """
    content = _bytes(path)
    try:
        _check_operations(content)
        found = _Arrays(io.BytesIO(content), encoding="bytes").load()
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle raises anything: it is a program that has gone wrong
        raise DataError(f"{path}: damaged or not a pickle ({type(error).__name__}); get the file again") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds a {type(found).__name__} instead of a dictionary")
    return {
        key.decode("latin1") if isinstance(key, bytes) else str(key)[:200]: value.array
        if isinstance(value, _Array)
        else value
        for key, value in found.items()
    }


def _bytes(path: Path) -> bytes:
    if not regular(path):
        raise DataError(f"{path}: no such file")
    try:
        if not zipfile.is_zipfile(path):
            if path.stat().st_size > _MOST_BYTES:
                raise DataError(f"{path}: {path.stat().st_size:,} bytes are too many for labels or a batch")
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            member = next((m for m in archive.infolist() if m.filename.rpartition("/")[2] == "data.pkl"), None)
            if member is None:
                raise DataError(f"{path}: a zip without PyTorch's data.pkl")
            if member.file_size > min(_MOST_BYTES, (1 << 20) + 1000 * path.stat().st_size):
                raise DataError(f"{path}: would unpack to {member.file_size:,} bytes (a decompression bomb?)")
            return archive.read(member)
    except DataError:
        raise
    except Exception as error:  # as in archive.py
        raise DataError(f"{path}: cannot be read ({type(error).__name__}); get the file again") from None


def _check_operations(content: bytes) -> None:
    """Raise where a pickle numbers what it remembers beyond its own length: Python makes room for all those numbers."""
    for operation, argument, _ in pickletools.genops(content):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and (argument or 0) > len(content):
            raise pickle.UnpicklingError("impossible memo")


class _Array:
    """An array as a pickle puts it together: made empty, then told what it holds."""

    def __init__(self, *_: Any) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        import numpy as np

        _, shape, kind, by_column, content = state
        kind = _kind_of(kind)
        content = content.encode("latin1") if isinstance(content, str) else bytes(memoryview(content))
        if not all(isinstance(side, int) and side >= 0 for side in shape):
            raise ValueError("shape")
        if math.prod(shape) * kind.itemsize != len(content):
            raise ValueError("as many bytes as the shape says are wanted")
        self.array = np.frombuffer(content, kind).reshape(shape, order="F" if by_column else "C").copy()


class _Kind:
    """A dtype as a pickle puts it together."""

    def __init__(self, text: Any, *_: Any) -> None:
        self.text = text.decode("latin1") if isinstance(text, bytes) else text
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        if any(part is not None for part in state[2:5]):
            raise DataError("a pickle with an array of records is refused: only arrays of numbers may be in it")
        self.order = order if order in ("<", ">") else "="


def _kind_of(kind: Any) -> np.dtype:
    import numpy as np

    if not isinstance(kind, _Kind) or not isinstance(kind.text, str) or len(kind.text) > 10:
        raise ValueError("dtype")
    found = np.dtype(kind.text).newbyteorder(kind.order)  # type: ignore[arg-type]
    if found.kind not in _KINDS or not found.itemsize:
        raise DataError("a pickle with an array of Python objects is refused: only arrays of numbers may be in it")
    return found


def _scalar(kind: Any, content: Any) -> Any:
    import numpy as np

    content = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(content, _kind_of(kind), count=1)[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Python 2's bytes in a protocol-2 pickle; other codecs could decompress."""
    if encoding != "latin1":
        raise DataError(f"a pickle that uses the codec '{encoding[:40]}' is refused")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How an empty array's content is pickled."""
    return b""


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise DataError(
                f"a pickle that calls {module[:60]}.{name[:60]} is refused: only arrays of numbers may be in it"
            )
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise DataError("a pickle that refers to storages outside itself is refused: only numpy arrays may be in it")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
    **{
        (f"numpy.{core}.multiarray", name): made
        for core in ("core", "_core")
        for name, made in (("_reconstruct", _Array), ("scalar", _scalar))
    },
}
