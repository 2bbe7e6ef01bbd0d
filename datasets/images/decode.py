"""Image files into arrays of one size: in parallel, straight into a memory map, whatever people's files are like.

Threads, not processes: PIL gives up Python's lock while it decodes and resizes, so threads keep all cores busy from
about 100 pixels a side on, need no copying between processes, and work wherever the caller runs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from datasets.cache.walk import regular
from datasets.errors import DataError
from datasets.file_lists import ImageFile
from datasets.images.depth import check_colour, grey_of_8_bits, raw_mode

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")  # none that runs other programs (EPS)
_MOST_PIXELS = 1 << 26  # 8,192 x 8,192: no data set has images near it, a decompression bomb has
_ORIENTED = ("exif", "xmp", "XML:com.adobe.xmp")  # where an orientation may be given
_CHUNK = 32  # images a task: a thread's bookkeeping then costs little, and a killed build stops soon

# How an image that is not square becomes one: all of it, out of shape; or the largest square in its middle.
Fit = Literal["stretch", "centre"]
T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """How images are to be decoded."""

    channels: int = 3
    size: int | None = None  # pixels a side; None: as they are
    fit: Fit = "stretch"


def open_upright(file: ImageFile, channels: int) -> Image.Image:
    """The image as one looks at it: turned by its EXIF orientation, cut to its box, grey (1 channel) or RGB (3).

    Grey, palette, CMYK and 16-bit files are converted; an alpha channel is dropped. Raises DataError naming the file
    where it is empty, truncated, no image, larger than any data set's images (a decompression bomb), or not to be read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = file.path
    try:
        if not regular(path):
            raise DataError(f"{path}: missing" if not path.exists() else f"{path}: no regular file")
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise DataError(f"{path}: {image.width:,} x {image.height:,} pixels: refused as a decompression bomb")
            raw = raw_mode(image)
            image.load()
            check_colour(image, raw, path)
            # Most files have none, and looking for it copies the image.
            turned = any(key in image.info for key in _ORIENTED) or image.format == "TIFF" or _has_raw_exif(image)
            upright = _channels(ImageOps.exif_transpose(image) if turned else image, channels, path)
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(f"{path}: refused as a decompression bomb") from None
    except Exception as error:  # PIL's readers raise anything on damaged files, struct.error among them
        if isinstance(error, OSError) and error.strerror:  # the system's, not PIL's
            raise DataError(f"{path}: cannot be read: {error.strerror.lower()}") from None
        why = f"{type(error).__name__}: {str(error)[:80]}"
        if isinstance(error, UnidentifiedImageError):
            empty = path.is_file() and path.stat().st_size == 0
            why = "the file is empty" if empty else f"it is no image; read are {', '.join(_FORMATS)}"
        raise DataError(f"{path}: cannot be decoded ({why}); get the file again") from None
    if file.box is None:
        return upright
    left, top, right, bottom = file.box
    left, top, right, bottom = max(0, left), max(0, top), min(upright.width, right), min(upright.height, bottom)
    if left >= right or top >= bottom:
        raise DataError(
            f"{path}: the box {file.box} lies outside its {upright.width} x {upright.height} pixels "
            "(a copy that is cut to the faces already?)"
        )
    return upright.crop((left, top, right, bottom))


def decode(file: ImageFile, look: Look) -> np.ndarray:
    """[H, W, C] uint8: PIL's bilinear filter, antialiased, as torchvision's Resize. Raises DataError as above."""
    import numpy as np
    from PIL import Image

    image = open_upright(file, look.channels)
    if look.size is not None and image.size != (look.size, look.size):
        middle = None
        if look.fit == "centre":
            side = min(image.size)
            left, top = (image.width - side) / 2, (image.height - side) / 2
            middle = (left, top, left + side, top + side)
        image = image.resize((look.size, look.size), Image.Resampling.BILINEAR, box=middle)
    pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], look.channels)


def decode_all(files: Sequence[ImageFile], look: Look, target: Path, title: str) -> np.ndarray:
    """[N, S, S, C] uint8, mapped from the new .npy file `target`; S is `look.size`, or the files' own if it is None.

    Raises DataError for the first file that cannot be decoded, or where sizes differ and none is asked for; OSError
    on a full disk, before anything is decoded.
    """
    first = decode(files[0], look)
    out = new_map(target, (len(files), len(first), len(first), look.channels))

    def differs(row: int, image: np.ndarray) -> DataError:
        sizes = f"{image.shape[1]} x {image.shape[0]}, {files[0].path.name} {first.shape[1]} x {first.shape[0]}"
        return DataError(
            f"the images are not all square and of one size ({files[row].path} has {sizes}): "
            "give one, e.g. --set recipe.image_size=224"
        )

    def store(start: int, stop: int) -> None:
        for row in range(start, stop):
            image = decode(files[row], look)
            if image.shape != out.shape[1:]:
                raise differs(row, image)
            out[row] = image

    for _ in in_parallel(len(files), store, title):
        pass
    return out


def new_map(target: Path, shape: tuple[int, ...]) -> np.memmap:
    """A writable uint8 map of a new .npy file, all its blocks there: a full disk raises OSError, not SIGBUS later."""
    import numpy as np

    out: np.memmap = np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with open(target, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, target.stat().st_size)
    return out


def in_parallel(count: int, work: Callable[[int, int], T], title: str) -> Iterator[T]:
    """`work(start, stop)` over 0..count in chunks on all cores, results in no order, a progress bar on a terminal.

    The first error stops the rest and is raised.
    """
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # macOS
    starts = iter(range(0, count, _CHUNK))
    with _progress(title, count) as advance, ThreadPoolExecutor(threads) as pool:
        running: dict = {}
        try:
            while True:
                while len(running) < 2 * threads and (start := next(starts, None)) is not None:
                    stop = min(start + _CHUNK, count)
                    running[pool.submit(work, start, stop)] = stop - start
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    advance(running.pop(future))
                    yield future.result()
        finally:
            for future in running:
                future.cancel()


def _has_raw_exif(image: Image.Image) -> bool:
    """Whether a PNG holds EXIF as text, as older ImageMagick writes it; damaged, it leaves the pixels as they are."""
    try:
        return "Raw profile type exif" in image.info and len(image.getexif()) > 0
    except Exception:
        return False


def _channels(image: Image.Image, channels: int, path: Path) -> Image.Image:
    if image.mode == "F":
        raise DataError(f"{path}: floating-point pixels have no agreed range; convert the file to 8 bits")
    if image.mode.startswith("I"):
        image = grey_of_8_bits(image, path)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    wanted = "L" if channels == 1 else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


@contextlib.contextmanager
def _progress(title: str, count: int) -> Iterator[Callable[[int], None]]:
    """A function that counts images done, shown as a bar on stderr where that is a terminal."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=count)
        yield lambda done: bar.advance(task, done)
