"""The picture of a data set."""

from __future__ import annotations

import numpy as np
import pytest

from datasets.base import ImageSet
from datasets.inspect.preview import draw, font


@pytest.mark.parametrize("name", ["é", "ü", "ß", "ł", "ж", "λ"])
def test_letters_beyond_ascii_are_drawn_and_no_boxes(name: str) -> None:
    def drawn(text: str) -> bytes:
        images = np.zeros((2, 8, 8, 3), np.uint8)
        return draw(ImageSet.of(images, np.arange(2), (text, "b"))).tobytes()

    assert len({drawn(name), drawn("\uffff"), drawn("")}) == 3  # \uffff is no letter: a box
    assert font().getname()[0] == "DejaVu Sans"
