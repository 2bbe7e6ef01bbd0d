"""Image files of one's own through a trained network: decoded as for training, block after block."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from joblib import cpu_count
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from benchmarks.train.evaluate import Evaluator, Outputs, View, batch
from common.errors import UserError
from common.files import user_path
from datasets.cache.walk import is_folder
from datasets.errors import DataError
from datasets.file_lists import ImageFile, Skipped
from datasets.images.decode import Look, decode
from datasets.images.listing import images_below

BLOCKS_AHEAD = 2  # blocks decoded while the network is at one: a folder of any size fits into memory


def image_paths(paths: Sequence[str | Path], skipped: Skipped | None = None) -> list[Path]:
    """The files, and the images in the folders, each once and in the order given; a folder's in that of their names.

    What is left out in folders is counted in `skipped`. Raises UserError for a path that is not there and for a folder
    without images.
    """
    found: dict[Path, None] = {}
    for given in paths:
        path = user_path(str(given))
        if is_folder(path):
            inside = images_below(path, skipped=skipped)
            if not inside:
                raise UserError(f"{path}: no image in this folder, nor in those below it")
            found |= dict.fromkeys(inside)
        elif _exists(path):
            found[path] = None
        else:
            raise UserError(f"{path}: no such file or folder")
    if not found:
        raise UserError("no images: give files or folders")
    return list(found)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def predict_files(
    evaluator: Evaluator, look: Look, view: View, paths: Sequence[str | Path]
) -> tuple[tuple[Path, ...], Outputs, dict[Path, str], float]:
    """The files that are images, what the network says of each, the other files with the reason, and the seconds."""
    files = image_paths(paths)
    kept: list[Path] = []
    unreadable: dict[Path, str] = {}

    def batches() -> Iterator[Tensor]:
        for images in _decoded(files, look, batch(view), kept, unreadable):
            yield torch.from_numpy(images).to(evaluator.precision.device).permute(0, 3, 1, 2)

    started = time.perf_counter()
    source = batches()
    first = next(source, None)  # an evaluator predicts at least one batch
    if first is None:
        some = "; ".join(list(unreadable.values())[:3])
        raise UserError(f"none of {len(files):,} files can be read as an image: {some}")

    def all_of_them() -> Iterator[Tensor]:
        yield first
        yield from source

    outputs = evaluator.predict_batches(all_of_them(), view)
    return tuple(kept), outputs, unreadable, time.perf_counter() - started


def _decoded(
    files: Sequence[Path], look: Look, size: int, kept: list[Path], unreadable: dict[Path, str]
) -> Iterator[np.ndarray]:
    """Blocks of up to `size` images [N, S, S, C]; their files are added to `kept`, the others to `unreadable`."""
    blocks = [files[start : start + size] for start in range(0, len(files), size)]
    with ThreadPoolExecutor(cpu_count()) as pool, _bar(len(files)) as advance, ExitStack() as end:
        end.callback(pool.shutdown, wait=False, cancel_futures=True)  # Ctrl-C does not wait for the blocks ahead
        waiting: list[list[Future[np.ndarray | str]]] = []
        for number in range(len(blocks)):
            ahead = blocks[number + len(waiting) : number + 1 + BLOCKS_AHEAD]
            waiting += [[pool.submit(_image_or_reason, path, look) for path in block] for block in ahead]
            images = []
            for path, future in zip(blocks[number], waiting.pop(0), strict=True):
                result = future.result()
                if isinstance(result, str):
                    unreadable[path] = result
                else:
                    kept.append(path)
                    images.append(result)
            if images:
                yield np.stack(images)
            advance(len(blocks[number]))


def _image_or_reason(path: Path, look: Look) -> np.ndarray | str:
    try:
        return decode(ImageFile(path), look)
    except DataError as error:
        return str(error)


@contextmanager
def _bar(count: int) -> Iterator:
    """A progress bar on stderr, where that is a terminal."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("predicting", total=count)
        yield lambda done: bar.advance(task, done)
