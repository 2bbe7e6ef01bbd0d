"""Any bytes at every reader of people's files: what they hold or one `DataError`, in bounded time and memory.

Bytes are drawn at random, or are a sound file with bytes changed, cut off, doubled or put in: that gets past the first
check.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import resource
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets.base import ImageSet
from datasets.errors import DataError
from datasets.expressions.affectnet import AffectNet
from datasets.expressions.fer2013_csv import read as read_csv
from datasets.expressions.ferplus import read_votes
from datasets.expressions.rafdb import RAFDB
from datasets.file_lists import ImageFile
from datasets.imagenet.wnids import listed
from datasets.images.archive import unpack
from datasets.images.arrays import read_npy, read_pickle
from datasets.images.decode import Look, decode
from datasets.noise.lists import published
from tests.datasets import miniatures as mini

SOAK = int(
    os.environ.get("FUZZ_EXAMPLES", "0")
)  # as many, drawn anew: FUZZ_EXAMPLES=5000 pytest tests/datasets/test_fuzz.py
EXAMPLES = SOAK or 150
SECONDS = 5.0  # for one file; most take a millisecond
MEGABYTES = 200  # that a whole test may add to the process's peak
USAGES = ("Training", "PublicTest", "PrivateTest")
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def image(form: str, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(out, form)
    return out.getvalue()


def deep_image() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)).save(out, "PNG")
    return out.getvalue()


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as packed:
        for name in ("train/a/1.jpg", "train/" + "n" * 120, "tëst/b/2.jpg"):
            member = tarfile.TarInfo(name)
            member.size = 700
            packed.addfile(member, io.BytesIO(bytes(range(250)) * 3))
    return out.getvalue()


def zipped(compression: int = zipfile.ZIP_DEFLATED, name: str = "a/1.jpg", content: bytes = bytes(256)) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as packed:
        packed.writestr(name, content)
        packed.writestr("test/ü.jpg", content)
    return out.getvalue()


def npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.arange(20.0).reshape(2, 10))
    return out.getvalue()


def fer_csv() -> bytes:
    rows = [f"{row % 7},{' '.join(['7'] * 2304)},{USAGES[row % 3]}" for row in range(4)]
    return "\n".join(["emotion,pixels,Usage", *rows]).encode()


ARRAYS = {"labels": [1, 2], b"data": np.zeros((2, 3072), np.uint8), "x": np.float32(1.5)}
VOTES = "Usage," + ",".join(EMOTIONS) + "\n" + "".join(f"{usage},1,2,3,0,0,0,4\n" for usage in USAGES)


def into(reader: Callable[[Path], Any], name: str = "odd") -> Callable[[Path, bytes], Any]:
    """A reader of one file."""

    def read(folder: Path, content: bytes) -> Any:
        (folder / name).write_bytes(content)
        return reader(folder / name)

    return read


def unpacked(folder: Path, content: bytes) -> None:
    (folder / "odd").write_bytes(content)
    try:
        unpack(folder / "odd", folder / "in/set")
        for path in (folder / "in/set").rglob("*"):  # nothing else, and nowhere else
            assert path.is_dir() or path.is_file()
            assert not path.is_symlink()
    finally:
        assert [path.name for path in folder.iterdir() if path.name not in ("odd", "in")] == []
        if (folder / "in").exists():
            assert {path.name for path in (folder / "in").iterdir()} <= {"set"}


def published_list(folder: Path, content: bytes) -> None:
    (folder / "n.txt").write_bytes(content)
    names = np.array(["train_00001.jpg", "train_00002.jpg"])
    made = ImageSet(np.zeros((2, 1, 1, 3), np.uint8), np.array([0, 6]), EMOTIONS, "", names=names, first_code=1)
    labels, _ = published(made, folder / "n.txt")
    assert labels.shape == (2,) and labels.min() >= 0 and labels.max() < 7


def rafdb(folder: Path, content: bytes) -> None:
    (folder / "rafdb/EmoLabel").mkdir(parents=True)
    mini.put(folder / "rafdb/Image/aligned/train_00001_aligned.jpg", 1)
    (folder / "rafdb/EmoLabel/list_patition_label.txt").write_bytes(content)
    RAFDB(folder).files()


def affectnet(folder: Path, content: bytes) -> None:
    for name in ("training", "validation"):
        mini.put(folder / f"affectnet/Manually_Annotated_Images/0/{name}0.jpg", 1)
        (folder / f"affectnet/{name}.csv").write_bytes(content)
    AffectNet(folder).files()


IMAGES = [image("PNG"), image("JPEG"), image("GIF", "P"), image("BMP"), image("TIFF"), image("WEBP"), image("PPM"),
          image("TIFF", "CMYK"), deep_image()]  # fmt: skip
ODD = [b"\0", b"\n", b",", b"9" * 5000, b"\xff" * 8, b'"', b"../", b"\xc2\xb2"]
PICKLES = [*(pickle.dumps(ARRAYS, n) for n in range(5)), zipped(name="a/data.pkl", content=pickle.dumps(ARRAYS, 2))]
FACES = b"subDirectory_filePath,face_x,face_y,face_width,face_height,expression\n0/training0.jpg,1,1,8,8,3\n"
READERS: dict[str, tuple[Callable[[Path, bytes], Any], list[bytes]]] = {
    "images": (into(lambda path: decode(ImageFile(path), Look(3, 8))), IMAGES),
    "grey images": (into(lambda path: decode(ImageFile(path), Look(1))), IMAGES),
    "archives": (
        unpacked,
        [tar(), gzip.compress(tar()), bz2.compress(tar()), lzma.compress(tar()), zipped(),
         zipped(zipfile.ZIP_LZMA), zipped(zipfile.ZIP_BZIP2)],
    ),
    "npy": (into(read_npy), [npy()]),
    "pickles": (into(read_pickle), PICKLES),
    "FER2013's CSV": (into(lambda path: read_csv(path, USAGES)), [fer_csv()]),
    "FER+ votes": (
        into(lambda path: read_votes(path, EMOTIONS, np.array(USAGES))), [VOTES.encode(), VOTES.encode("utf-16")],
    ),
    "published lists": (
        published_list, [b"/a/train_00001.jpg 1\ntrain_00002_aligned.jpg 7", b"train_00001.jpg,0\ntrain_00002.jpg,6"],
    ),
    "RAF-DB's list": (rafdb, [b"train_00001.jpg 5\r\ntest_0001.jpg 1\r\n"]),
    "AffectNet's tables": (affectnet, [FACES]),
    "lists of classes": (into(listed), [b"n01440764 tench\nn01443537\n", b'{"n01440764": "tench"}']),
}  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, sound: list[bytes]) -> bytes:
    """Anything, or a sound file with some changes."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.binary(max_size=400))
    content = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        match draw(st.integers(0, 4)):
            case 0:
                content[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                content[place : place + 8] = draw(st.binary(min_size=8, max_size=8))
            case 2:
                del content[place:]
            case 3:
                content[place:place] = content[place : place + draw(st.integers(1, 600))]
            case 4:
                content[place:place] = draw(st.sampled_from(ODD))
    return bytes(content)


@pytest.mark.parametrize("kind", READERS)
def test_any_bytes_are_what_they_hold_or_one_error(tmp_path: Path, kind: str) -> None:
    reader, sound = READERS[kind]
    for number, content in enumerate(sound):  # what the changes start from is read
        folder = tmp_path / f"sound{number}"
        folder.mkdir()
        if kind != "RAF-DB's list":  # whose test image is missing
            reader(folder, content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=not SOAK,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(damaged(sound))
    def check(content: bytes) -> None:
        folder = tmp_path / "any"
        folder.mkdir()
        started = time.process_time()
        try:
            reader(folder, content)
        except DataError as error:
            assert "\n" not in str(error) and len(str(error)) < 1000
        finally:
            shutil.rmtree(folder)
        assert time.process_time() - started < SECONDS

    check()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024
