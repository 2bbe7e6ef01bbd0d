"""Images with what was predicted of them, on one HTML page that needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from benchmarks.apply.predictions import Predictions, Score
from benchmarks.metrics.calibration import softmax
from common.errors import UserError
from common.files import atomic_write
from common.text import printable
from datasets.file_lists import ImageFile
from datasets.images.decode import open_upright

MOST = 1000  # images on a page: about 4 MB
SIDE = 96  # pixels of a picture's longer side
TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Tile:
    """One image of the page."""

    source: str  # a data: URL
    file: str
    name: str  # predicted class
    probability: str
    uncertainty: str
    rank: int
    rejected: bool


def write(path: Path, predictions: Predictions, reject: float | None = None, by: Score = "own") -> int:
    """Write the page, the most uncertain image first, and return how many are on it: `MOST` at most.

    Raises UserError as `check_name` does.
    """
    check_name(path)
    score, probability = predictions.uncertainty(by), softmax(predictions.outputs.logits).max(axis=1)
    rejected = predictions.rejected(reject, by) if reject is not None else np.zeros(len(score), dtype=bool)
    names, classes = predictions.class_names, predictions.classes
    order = np.argsort(-score, kind="stable")[:MOST]
    tiles = [
        Tile(
            source=picture(predictions.files[row]),
            file=printable(str(predictions.files[row])),
            name=names[classes[row]],
            probability=f"{probability[row]:.0%}",
            uncertainty=f"{score[row]:.3g}",
            rank=rank,
            rejected=bool(rejected[row]),
        )
        for rank, row in enumerate(order.tolist(), start=1)
    ]
    about = {
        "run": str(predictions.record.spec),
        "run_id": predictions.record.run_id,
        "score": "the method's own uncertainty" if by == "own" else "1 - max softmax",
        "total": len(score),
        "reject": reject,
        "rejected": int(rejected.sum()),
        "unreadable": [printable(reason) for reason in predictions.unreadable.values()],
    }
    with atomic_write(path, keep=True) as file:
        file.write(_page(tiles, about))
    return len(tiles)


def check_name(path: Path) -> None:
    """Raise UserError for a name that does not end in .html."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--html {path}: expected a file that ends in .html")


def _page(tiles: Sequence[Tile], about: dict) -> str:
    loader = FileSystemLoader(TEMPLATES)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("contact_sheet.html").render(tiles=tiles, **about)


def picture(path: Path) -> str:
    """The image as a small JPEG in a data: URL."""
    image = open_upright(ImageFile(path), 3)
    scale = SIDE / max(image.size)  # small ones are shown larger
    width, height = (max(1, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
