"""EXIF that older ImageMagick writes into a PNG as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from datasets.file_lists import ImageFile
from datasets.images.decode import Look, decode

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def put(path: Path, profile: str) -> Path:
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", profile)
    Image.fromarray(PIXELS).save(path, pnginfo=info)
    return path


def profile_of(orientation: int) -> str:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return f"\nexif\n{len(exif.tobytes()):8}\n{exif.tobytes().hex()}\n"


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_an_orientation_that_is_given_as_text_is_undone(tmp_path: Path, orientation: int) -> None:
    turns = {1: 0, 3: 2, 6: -1, 8: 1}[orientation]
    pixels = decode(ImageFile(put(tmp_path / "a.png", profile_of(orientation))), Look())
    assert np.array_equal(pixels, np.rot90(PIXELS, turns))


@pytest.mark.parametrize("profile", ["", "hello", "\nexif\n  4\nzzzz\n", "\nexif\n  4\nabcdabcd\n"])
def test_a_profile_that_cannot_be_read_leaves_the_image_as_it_is(tmp_path: Path, profile: str) -> None:
    assert np.array_equal(decode(ImageFile(put(tmp_path / "a.png", profile)), Look()), PIXELS)
