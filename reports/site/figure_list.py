"""The figures as last drawn, from the list that drawing them left."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from common.foreign import MIB, Foreign, Unreadable, read_bytes, read_json
from reports.figures.make import DPI, MANIFEST

LARGEST_PICTURE = 64 * MIB
_PIXELS = 96 / DPI  # of the page, a pixel of the picture
OVERVIEW = ("forest", "accuracy-over-noise", "rejection")  # kinds that the first page shows, in this order


@dataclass(frozen=True)
class ListedFigure:
    """A figure of the list; sizes in the page's pixels."""

    name: str
    title: str
    caption: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class FigureList:
    """Figures with a picture, and those that were not drawn, whose caption is the reason."""

    shown: tuple[ListedFigure, ...] = ()
    skipped: tuple[ListedFigure, ...] = ()

    def overview(self) -> Iterator[ListedFigure]:
        """Those for the first page; of each data set's rejection curves the ones under the least noise."""
        for kind in OVERVIEW:
            seen = set()
            for one in self.shown:
                mine, _, panel = one.name.partition(f"{kind}-")
                dataset = panel.partition("-noise-")[0]
                if (one.name == kind or (panel and not mine)) and dataset not in seen:
                    seen.add(dataset)
                    yield one


class _Drawn(Foreign):
    name: str
    title: str
    caption: str
    drawn: bool


_Listed = TypeAdapter(list[_Drawn])


def figure_list(out: Path) -> FigureList:
    """What lies in `out/figures`; empty where nothing was drawn or its list cannot be read."""
    try:
        listed = _Listed.validate_python(read_json(out / "figures" / MANIFEST))
    except (FileNotFoundError, ValueError):
        return FigureList()
    shown, skipped = [], []
    for figure in listed:
        entry = (figure.name, figure.title, figure.caption)
        if not figure.drawn:
            skipped.append(ListedFigure(*entry))
        elif size := _png_size(out / "figures" / f"{figure.name}.png"):
            shown.append(ListedFigure(*entry, round(size[0] * _PIXELS), round(size[1] * _PIXELS)))
    return FigureList(tuple(shown), tuple(skipped))


def _png_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels; None where there is no such picture."""
    try:
        head = read_bytes(path, LARGEST_PICTURE)[:24]
    except (FileNotFoundError, Unreadable):
        return None
    if len(head) < 24 or not head.startswith(b"\x89PNG"):
        return None
    width, height = struct.unpack(">II", head[16:24])
    return width, height
