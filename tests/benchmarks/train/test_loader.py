from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from benchmarks.train.step.loader import read_ahead


class Recorder(mmap.mmap):
    """A map that notes what is advised."""

    advised: list[tuple[int, int, int]]

    def madvise(self, option: int, start: int = 0, length: int = 0) -> None:
        self.advised.append((option, start, length))
        super().madvise(option, start, length)


@pytest.mark.parametrize("from_row", [0, 3])
def test_the_pages_of_the_rows_are_advised(tmp_path: Path, from_row: int) -> None:
    content = np.random.default_rng(0).integers(0, 256, (20, 30, 30, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", content)
    images = np.load(tmp_path / "a.npy", mmap_mode="r")
    header = images.offset
    with open(tmp_path / "a.npy", "rb") as file:
        recorder = Recorder(file.fileno(), 0, access=mmap.ACCESS_READ)
    recorder.advised = []
    view = np.frombuffer(recorder, np.uint8, offset=header).reshape(20, 30, 30, 3).view(np.memmap)
    view._mmap = recorder
    part = view[from_row:]
    part._mmap = recorder
    read_ahead(part, [5, 0])
    assert len(recorder.advised) == 2
    for row, (option, start, length) in zip((5, 0), recorder.advised, strict=True):
        begin = header + (from_row + row) * 2700
        assert option == mmap.MADV_WILLNEED and start % mmap.PAGESIZE == 0
        assert start <= begin < start + mmap.PAGESIZE and start + length == begin + 2700
    read_ahead(images[from_row:], range(len(images) - from_row))  # a real map, the last page included
    assert np.array_equal(images, content)


def test_arrays_without_a_map_are_left_alone() -> None:
    read_ahead(np.zeros((4, 2)), [0, 3])
    read_ahead(np.zeros((4, 2)).T, [0])
