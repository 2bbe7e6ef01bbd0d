"""The data side of an epoch alone, no model: images of a map beyond the memory, read, gathered and augmented."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.plan.spec import RunSpec
from benchmarks.train.build import recipe_pipeline
from benchmarks.train.step.loader import Loader
from common.errors import UserError
from datasets.cache.digests import cache_folders, writable

CHUNK = 1000  # images generated at once


def stream(count: int, spec: RunSpec, channels: int, native: int, data: Path, device: torch.device) -> dict[str, float]:
    """An epoch of `count` generated images of the run's size, in random order, in its batches and augmentation.

    The map lies in the data folder's cache meanwhile, and none of it in the page cache when the epoch begins. Returns
    images_per_second, map_gib, and peak_memory_mib: the process's own memory, without pages of the map, which the
    system gives up as soon as anybody needs room. Raises UserError where the disk has no room.
    """
    size = spec.recipe.image_size or native
    home = writable(cache_folders(data))
    home.mkdir(parents=True, exist_ok=True)
    needed, free = count * size * size * channels, shutil.disk_usage(home).free
    if needed > 0.9 * free:
        raise UserError(f"--stream {count}: needs {needed / 1e9:.0f} GB in {home}, which has {free / 1e9:.0f} GB free")
    with tempfile.TemporaryDirectory(dir=home) as folder:
        images = _generate(Path(folder) / "images.npy", (count, size, size, channels))
        loader, pipeline = Loader(images, device), recipe_pipeline(spec.recipe, channels)
        order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
        generator = torch.Generator(device).manual_seed(0)
        peak, started = 0.0, time.perf_counter()
        for number, (raw, _) in enumerate(loader.batches(order, spec.recipe.batch_size)):
            batch = pipeline.train(raw, generator).contiguous(memory_format=torch.channels_last)
            if number % 50 == 0:
                peak = max(peak, _own_memory_mib())
        batch.sum().item()  # whatever the device still does
        seconds = time.perf_counter() - started
    return {"images_per_second": count / seconds, "map_gib": needed / 2**30, "peak_memory_mib": peak}


def _generate(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A map of noise, written to the disk and then forgotten by the page cache."""
    images = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    some = np.random.default_rng(0).integers(0, 256, (min(CHUNK, shape[0]), *shape[1:]), dtype=np.uint8)
    for start in range(0, shape[0], CHUNK):
        images[start : start + CHUNK] = some[: shape[0] - start]
    images.flush()
    del images
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return np.load(path, mmap_mode="r")


def _own_memory_mib() -> float:
    """Resident memory that is no page of a file; NaN where the system does not say."""
    status = Path("/proc/self/status")
    found = re.search(r"RssAnon:\s+(\d+) kB", status.read_text()) if status.is_file() else None
    return int(found[1]) / 1024 if found else float("nan")
