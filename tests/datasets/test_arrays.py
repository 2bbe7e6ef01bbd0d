"""Arrays from strangers: what they may hold, and what a hostile file of them cannot do."""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import DataError
from datasets.images.arrays import read_npy, read_pickle


def saved(array: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, a=np.arange(3))
    return out.getvalue()


ARRAYS = {
    "numbers": np.arange(6).reshape(2, 3),
    "by column": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "one": np.array(7),
    "text": np.array("5"),
    "big-endian": np.arange(3, dtype=">i4"),
    "none": np.zeros((0, 10), np.float32),
    "bool": np.array([True, False]),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_come_back(tmp_path: Path, kind: str) -> None:
    wanted = ARRAYS[kind]
    (tmp_path / "a.npy").write_bytes(saved(wanted))
    found = read_npy(tmp_path / "a.npy")
    assert np.array_equal(found, wanted) and found.dtype == wanted.dtype and found.flags.writeable
    for protocol in range(5):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": wanted}, protocol=protocol))
        assert np.array_equal(read_pickle(tmp_path / "a.pkl")["a"], wanted)


def claims(shape: str, kind: str = "<f8") -> bytes:
    """A .npy header without the array that it tells of."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


BAD_NPY: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not a .npy file"),
    "a web page": (b"<html>", "not a .npy file"),
    "a pickle": (saved(np.array([{}]), allow_pickle=True), "not an array of numbers or text; pickles are refused"),
    "records": (saved(np.zeros(2, [("a", "i4")])), "not an array of numbers"),
    "dates": (saved(np.zeros(2, "M8[s]")), "not an array of numbers"),
    "npz": (npz(), "not a .npy file"),
    "cut": (saved(np.arange(9))[:-1], "not there"),
    "too long": (saved(np.arange(9)) + b"x", "not there"),
    "8 TB": (claims("(1000000000000,)"), "tells of 8,000,000,000,000 bytes, which are not there"),
    "a negative side": (claims("(-1, -1)"), "not a .npy|not there"),
    "a program": (claims("__import__('os').mkdir('/tmp/evil-of-the-tests')"), "not a .npy"),
    "a deep header": (claims("(" * 90 + ")" * 90), "not a .npy|not there"),
}


@pytest.mark.parametrize("kind", BAD_NPY)
def test_what_is_no_array_of_numbers_is_one_line(tmp_path: Path, kind: str) -> None:
    content, message = BAD_NPY[kind]
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=f"a.npy: .*({message})") as error:
        read_npy(tmp_path / "a.npy")
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


class Calls:
    """A pickle that calls `function(*arguments)`."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


BAD_PICKLES: dict[str, tuple[bytes, str]] = {
    "an array of objects": (pickle.dumps({"a": np.array([{}, 1], object)}, 2), "of Python objects is refused"),
    "an array of records": (pickle.dumps({"a": np.zeros(1, [("x", "O")])}, 2), "is refused|damaged"),
    "a call": (pickle.dumps({"a": Calls(os.system, "true")}, 2), "calls posix.system is refused"),
    "a builtin": (pickle.dumps({"a": Calls(eval, "1")}, 2), "eval is refused"),
    "a huge empty array": (pickle.dumps({"a": Calls(np.ndarray, (1 << 40,))}, 2), ""),
    "a memo of billions": (b"\x80\x02Nr\xff\xff\xff\x7f.", "damaged or not a pickle"),
    "a text of exabytes": (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x0f.", "damaged or not a pickle"),
    "a frame of exabytes": (b"\x80\x04\x95" + b"\xff" * 7 + b"\x0f.", "damaged or not a pickle"),
    "a long of gigabytes": (b"\x80\x02\x8b\xff\xff\xff\x7f.", "damaged or not a pickle"),
    "a number of 5,000 digits": (b"I" + b"9" * 5000 + b"\n.", "damaged or not a pickle"),
    "lists in lists": (b"(" * 100_000 + b"l" * 100_000 + b".", "damaged or not|instead of a dictionary"),
    "less than its shape": (pickle.dumps({"a": np.arange(9)}, 2).replace(b"K\x09\x85", b"K\x63\x85"), "damaged"),
    "a dictionary of itself": (b"\x80\x02}q\x00h\x00h\x00s.", "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_PICKLES)
def test_a_hostile_pickle_does_nothing(tmp_path: Path, kind: str) -> None:
    content, message = BAD_PICKLES[kind]
    (tmp_path / "a").write_bytes(content)
    if not message:  # nothing is called, so there is no array
        assert not isinstance(read_pickle(tmp_path / "a")["a"], np.ndarray)
        return
    with pytest.raises(DataError, match=f"a: .*({message})") as error:
        read_pickle(tmp_path / "a")
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


def test_pipes_and_folders_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "nowhere"):
        for read in (read_npy, read_pickle):
            with pytest.raises(DataError, match="no such file"):
                read(path)
