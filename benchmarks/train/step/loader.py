"""Training images on their way to the step: resident on the device where they fit, else streamed from the host."""

from __future__ import annotations

import mmap
import queue
import threading
import warnings
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

RESIDENT_SHARE = 0.4  # of the free device memory that images may take; the rest is for the model and its activations
PREFETCH = 3  # batches gathered ahead of the device
READ_AHEAD = 4  # batches whose rows of a memory map are asked for ahead of the gathering ...
READ_AHEAD_FROM = 2**30  # ... of maps of so many bytes; smaller ones stay in the page cache


class Loader:
    """uint8 images by row: `batches(order, size)` yields ([B, C, H, W] uint8 on the device, rows [B] long)."""

    def __init__(self, images: np.ndarray, device: torch.device) -> None:
        self.device = device
        self.rows = images
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # and nothing here writes
            host = torch.from_numpy(images)
        self.resident = device.type == "cpu" or images.nbytes < RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]
        # On a CPU a memory map stays one: rows are read as they are gathered.
        self.images = host.to(device) if self.resident else host

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, order: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches in the given order [N] (host, long). The last may be smaller."""
        if self.resident and self.device.type != "cpu":
            for rows in order.to(self.device).split(size):
                yield _channels_first(self.images.index_select(0, rows)), rows
        elif self.resident:
            for rows in self._advised(order, size):
                yield _channels_first(self.images.index_select(0, rows)), rows
        else:
            yield from self._streamed(order, size)

    def _advised(self, order: Tensor, size: int) -> Iterator[Tensor]:
        """The order in batches; of a memory map, those a little ahead are being read from disk meanwhile."""
        parts = order.split(size)
        if self.rows.nbytes < READ_AHEAD_FROM:
            yield from parts
            return
        for part in parts[:READ_AHEAD]:
            read_ahead(self.rows, part.tolist())
        for number, part in enumerate(parts):
            if number + READ_AHEAD < len(parts):
                read_ahead(self.rows, parts[number + READ_AHEAD].tolist())
            yield part

    def _streamed(self, order: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Gather in a thread (index_select releases the GIL) into pinned memory, copy while the device computes."""
        ready: queue.Queue[tuple[Tensor, Tensor] | BaseException | None] = queue.Queue(PREFETCH)
        stop = threading.Event()

        def put(item: tuple[Tensor, Tensor] | BaseException | None) -> bool:
            while not stop.is_set():
                try:
                    ready.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False

        def gather() -> None:
            try:
                for rows in self._advised(order, size):
                    if not put((self.images.index_select(0, rows).pin_memory(), rows.pin_memory())):
                        return
                put(None)
            except BaseException as error:  # handed to the training thread, which raises it
                put(error)

        worker = threading.Thread(target=gather, daemon=True)
        worker.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                images, rows = (part.to(self.device, non_blocking=True) for part in item)
                yield _channels_first(images), rows
        finally:
            stop.set()
            worker.join()


def _channels_first(images: Tensor) -> Tensor:
    """[B, H, W, C] -> [B, C, H, W] as a view: channels_last in memory, which convolutions like best."""
    return images.permute(0, 3, 1, 2)


def read_ahead(images: np.ndarray, rows: Iterable[int]) -> None:
    """Have the system read these rows of `images` [N, ...] into its page cache, without waiting for it.

    Random reads of a map one page fault at a time are slow: with 200,000 images of 224 px (30 GB, beyond the memory) on
    a virtual disk, in batches of 64, 214 images/s by page faults, 4,440 images/s with four batches advised ahead.

    Does nothing for arrays that are no memory map, for rows out of order in memory, and where the system knows no
    advice (madvise). Page cache is not the process's memory: it is given up as soon as anybody needs room.
    """
    mapped: mmap.mmap | None = getattr(images, "_mmap", None)
    if mapped is None or not images.flags.c_contiguous or not hasattr(mmap, "MADV_WILLNEED"):
        return
    first = images.ctypes.data - np.frombuffer(mapped, dtype=np.uint8).ctypes.data
    size = images[:1].nbytes
    for row in rows:
        begin = first + row * size
        start = begin - begin % mmap.PAGESIZE
        mapped.madvise(mmap.MADV_WILLNEED, start, begin + size - start)
