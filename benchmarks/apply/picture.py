"""A picture of the most suspicious training images, each with the label it has and the one it might deserve."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.apply.suspects import Suspects
from datasets.inspect.preview import font

COLUMNS, ROWS = 10, 10
TILE, TEXT, GAP, FONT = 96, 28, 6, 10  # pixels
RED, INK, PAPER = (200, 30, 30), (20, 20, 20), (255, 255, 255)


def draw(found: Suspects) -> Image.Image:
    """The first hundred, row by row, each with `given > suggested`; framed red where the label is known to be wrong."""
    order, suggested = found.order[: COLUMNS * ROWS], found.logits.argmax(axis=1)
    lines = -(-len(order) // COLUMNS)
    picture = Image.new("RGB", (COLUMNS * (TILE + GAP) + GAP, lines * (TILE + TEXT + GAP) + GAP), PAPER)
    pen = ImageDraw.Draw(picture)
    names = found.train.class_names
    for number, row in enumerate(order.tolist()):
        left = GAP + number % COLUMNS * (TILE + GAP)
        top = GAP + number // COLUMNS * (TILE + TEXT + GAP)
        pixels = np.asarray(found.train.images[row])
        image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
        picture.paste(image.resize((TILE, TILE), Image.Resampling.BILINEAR), (left, top))
        wrong = found.wrong is not None and bool(found.wrong[row])
        if wrong:
            pen.rectangle((left, top, left + TILE - 1, top + TILE - 1), outline=RED, width=3)
        ink = RED if wrong else INK
        pen.text((left, top + TILE + 1), names[found.given[row]][:14], fill=ink, font=font(FONT))
        pen.text((left, top + TILE + 13), f"> {names[suggested[row]][:12]}", fill=ink, font=font(FONT))
    return picture
