"""A picture of a data set: some images of every class with their labels, flipped ones marked."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from datasets.base import ImageSet
from datasets.noise import NoisyLabels

_TILE = 96  # pixels a side of an image in the picture
_TEXT = 14  # height of the line below it
_GAP = 6
_MARGIN = 110  # for the class names
_RED, _INK, _PAPER = (200, 30, 30), (20, 20, 20), (255, 255, 255)


@cache
def font(size: int = 10) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib: PIL's own draws a box for all but plain Latin letters."""
    return ImageFont.truetype(str(Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans.ttf")), size)


def draw(part: ImageSet, noisy: NoisyLabels | None = None, columns: int = 8, most_classes: int = 40) -> Image.Image:
    """A row for each class (of its clean label) with up to `columns` images, spread over the split.

    With `noisy`, half of a row are rows that it flipped, where there are so many: framed red, the given label below.
    """
    names = part.class_names[:most_classes]
    width, height = _MARGIN + columns * (_TILE + _GAP), len(names) * (_TILE + _TEXT + _GAP) + _GAP
    picture = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(picture)
    pen.font = font()
    for line, name in enumerate(names):
        top = _GAP + line * (_TILE + _TEXT + _GAP)
        pen.text((4, top + _TILE // 2), name[:18], fill=_INK)
        for column, row in enumerate(_chosen(part.labels == line, noisy, columns)):
            left = _MARGIN + column * (_TILE + _GAP)
            pixels = np.asarray(part.images[row])
            image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
            picture.paste(image.resize((_TILE, _TILE), Image.Resampling.BILINEAR), (left, top))
            flipped = noisy is not None and bool(noisy.mask[row])
            if flipped:
                pen.rectangle((left, top, left + _TILE - 1, top + _TILE - 1), outline=_RED, width=3)
            given = part.labels[row] if noisy is None else noisy.labels[row]
            text = part.class_names[int(given)][:13]
            pen.text((left, top + _TILE + 1), f"> {text}" if flipped else text, fill=_RED if flipped else _INK)
    return picture


def _chosen(of_class: np.ndarray, noisy: NoisyLabels | None, columns: int) -> np.ndarray:
    """Rows to show: spread over those of the class; half of them flipped ones where there are enough."""
    if noisy is None:
        return _spread(np.flatnonzero(of_class), columns)
    flipped = _spread(np.flatnonzero(of_class & noisy.mask), columns // 2)
    return np.concatenate([_spread(np.flatnonzero(of_class & ~noisy.mask), columns - len(flipped)), flipped])


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]
