from __future__ import annotations

import errno
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.errors import DataError
from datasets.file_lists import ImageFile
from datasets.images import decode
from datasets.images.decode import Look, decode_all, in_parallel, new_map

RNG = np.random.default_rng(0)
COLOUR = np.kron(RNG.integers(0, 256, (2, 3, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))  # 16 high, 24 wide
GREY = COLOUR[..., 0]
AS_IS = Look()


def one(path: Path, look: Look = AS_IS) -> np.ndarray:
    return decode.decode(ImageFile(path), look)


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


KINDS: dict[str, Callable[[Path], tuple[Path, np.ndarray]]] = {
    "RGB": lambda p: (saved(Image.fromarray(COLOUR), p / "a.png"), COLOUR),
    "grey": lambda p: (saved(Image.fromarray(GREY), p / "a.png"), np.stack([GREY] * 3, axis=2)),
    "two tones": lambda p: (
        saved(Image.fromarray(GREY).convert("1", dither=Image.Dither.NONE), p / "a.png"),
        np.stack([np.where(GREY >= 128, 255, 0)] * 3, axis=2),
    ),
    "palette": lambda p: (saved(Image.fromarray(COLOUR).quantize(8), p / "a.png"), COLOUR),
    "palette with transparency": lambda p: (
        saved(Image.fromarray(COLOUR).quantize(8), p / "a.png", transparency=b"\x00\x80"),
        COLOUR,
    ),
    "alpha": lambda p: (
        saved(Image.fromarray(np.dstack([COLOUR, np.full((16, 24), 90, np.uint8)])), p / "a.png"),
        COLOUR,
    ),
    "16 bits": lambda p: (
        saved(Image.fromarray(GREY.astype(np.uint16) * 257), p / "a.png"),
        np.stack([GREY] * 3, axis=2),
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_becomes_rgb(tmp_path: Path, kind: str) -> None:
    path, expected = KINDS[kind](tmp_path)
    assert np.array_equal(one(path), expected)


def test_cmyk_jpeg_comes_out_in_its_colours(tmp_path: Path) -> None:
    red = Image.new("RGB", (16, 16), (220, 30, 30)).convert("CMYK")
    assert np.abs(one(saved(red, tmp_path / "a.jpg")).astype(int) - (220, 30, 30)).max() < 25


def test_colour_becomes_grey_where_grey_is_wanted(tmp_path: Path) -> None:
    pixels = one(saved(Image.fromarray(COLOUR), tmp_path / "a.png"), Look(channels=1))
    assert np.array_equal(pixels[..., 0], np.asarray(Image.fromarray(COLOUR).convert("L")))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = {
        1: COLOUR, 2: COLOUR[:, ::-1], 3: COLOUR[::-1, ::-1], 4: COLOUR[::-1], 5: COLOUR.transpose(1, 0, 2),
        6: np.rot90(COLOUR), 7: np.rot90(COLOUR, 2).transpose(1, 0, 2), 8: np.rot90(COLOUR, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    path = saved(image, tmp_path / f"a.{suffix}", exif=exif, **({"quality": 98} if suffix == "jpg" else {}))
    pixels = one(path)
    assert pixels.shape == COLOUR.shape and np.abs(pixels.astype(int) - COLOUR).mean() < 12


def test_stretching_and_cutting_the_middle(tmp_path: Path) -> None:
    path = saved(Image.fromarray(COLOUR), tmp_path / "a.png")
    stretched = Image.fromarray(COLOUR).resize((8, 8), Image.Resampling.BILINEAR)
    middle = Image.fromarray(COLOUR[:, 4:20]).resize((8, 8), Image.Resampling.BILINEAR)
    assert np.array_equal(one(path, Look(size=8)), np.asarray(stretched))
    assert np.array_equal(one(path, Look(size=8, fit="centre")), np.asarray(middle))


def test_a_box_is_cut_and_kept_within_the_image(tmp_path: Path) -> None:
    path = saved(Image.fromarray(COLOUR), tmp_path / "a.png")
    assert np.array_equal(decode.decode(ImageFile(path, (-3, 4, 9, 99)), Look()), COLOUR[4:, :9])
    with pytest.raises(DataError, match=r"a\.png: the box .* lies outside its 24 x 16 pixels"):
        decode.decode(ImageFile(path, (30, 0, 40, 10)), Look())


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG."""
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def bomb() -> bytes:
    """A PNG of 100,000 x 100,000 pixels in a few hundred bytes."""
    header = (100_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(out, "JPEG")
    return out.getvalue()


def png() -> bytes:
    out = io.BytesIO()
    Image.fromarray(COLOUR).save(out, "PNG")
    return out.getvalue()


BROKEN = {
    "empty": (b"", "cannot be decoded .the file is empty"),
    "truncated jpeg": (jpeg()[:-500], "cannot be decoded"),
    "truncated png": (png()[:-30], "cannot be decoded"),
    "header alone": (jpeg()[:20], "cannot be decoded"),
    "text": (b"<html>not found</html>", "cannot be decoded .it is no image; read are JPEG, PNG, "),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot be decoded"),
    "bomb": (bomb(), "decompression bomb"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_one_line_that_names_it(tmp_path: Path, kind: str) -> None:
    content, message = BROKEN[kind]
    path = tmp_path / "odd.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"odd.jpg: .*{message}") as error:
        one(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 255), "values are 0 to 255: which value is white is not known"),
        ((9, 4095), "values are 9 to 4,095"),
        ((0, 65535), None),
        ((0, 0), None),
        ((0, 4096), None),
    ],
)
def test_images_of_more_than_8_bits_are_scaled_or_refused_never_black(
    tmp_path: Path, values: tuple[int, int], message: str | None
) -> None:
    deep = np.full((8, 8), values[0], np.uint16)
    deep[4:] = values[1]
    path = saved(Image.fromarray(deep), tmp_path / "deep.png")
    if message is None:
        assert one(path, Look(channels=1))[..., 0].tolist() == (deep >> 8).tolist()
        return
    with pytest.raises(DataError, match=f"deep.png: .*{message}.*convert the files to 8 bits"):
        one(path)


def deep_png(pixels: np.ndarray) -> bytes:
    """[H, W, C] of 16 bits, C = 2 (grey and alpha), 3 or 4: PIL cannot write them."""
    header = struct.pack(">IIBBBBB", *pixels.shape[1::-1], 16, {2: 4, 3: 2, 4: 6}[pixels.shape[2]], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def deep_tiff(pixels: np.ndarray, order: str = "<", planes: bool = False) -> bytes:
    """[H, W, 3 or 4] of 16 bits, in either byte order; colour by colour or pixel by pixel."""
    high, wide, colours = pixels.shape
    content = (pixels.transpose(2, 0, 1) if planes else pixels).astype(f"{order}u2").tobytes()
    count = colours if planes else 1
    size = len(content) // count
    tags = [(256, [wide]), (257, [high]), (258, [16] * colours), (259, [1]), (262, [2])]
    tags += [(273, [8 + size * n for n in range(count)]), (277, [colours]), (278, [high]), (279, [size] * count)]
    tags += [(284, [2 if planes else 1]), *([(338, [2])] if colours == 4 else [])]
    entries, beside = b"", b""
    for tag, values in tags:
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            beside, packed = beside + packed, struct.pack(f"{order}I", 8 + len(content) + len(beside))
        entries += struct.pack(f"{order}HHI", tag, 4, len(values)) + packed
    start = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(content) + len(beside))
    return start + content + beside + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


DEEP_COLOUR: dict[str, tuple[int, Callable[[np.ndarray], bytes]]] = {
    "grey and alpha": (2, deep_png),
    "PNG": (3, deep_png),
    "PNG with alpha": (4, deep_png),
    "TIFF": (3, deep_tiff),
    "TIFF, big endian": (3, lambda pixels: deep_tiff(pixels, ">")),
    "TIFF with alpha": (4, deep_tiff),
}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 255), "values are 0 to 255: which value is white is not known"),
        ((0, 1), "values are 0 to 1:"),
        ((9, 4095), "values are 9 to 4,095"),
        ((0, 65535), None),
        ((0, 0), None),
        ((0, 4096), None),
    ],
)
@pytest.mark.parametrize("kind", DEEP_COLOUR)
def test_colours_of_16_bits_are_scaled_or_refused_never_black(
    tmp_path: Path, kind: str, values: tuple[int, int], message: str | None
) -> None:
    channels, made = DEEP_COLOUR[kind]
    deep = np.full((6, 5, channels), values[0], np.uint16)
    deep[3:] = values[1]
    if channels in (2, 4):
        deep[..., -1] = 65535  # opaque, whatever the colours
    path = tmp_path / "deep.png"
    path.write_bytes(made(deep))
    if message is None:
        assert one(path).tolist() == np.broadcast_to((deep >> 8)[..., :1], (6, 5, 3)).tolist()
        return
    with pytest.raises(DataError, match=f"deep.png: .*{message}"):
        one(path)


@pytest.mark.parametrize("kind", DEEP_COLOUR)
def test_colours_of_16_bits_keep_their_upper_bytes(tmp_path: Path, kind: str) -> None:
    channels, made = DEEP_COLOUR[kind]
    deep = RNG.integers(0, 65536, (6, 5, channels)).astype(np.uint16)
    path = tmp_path / "deep.png"
    path.write_bytes(made(deep))
    assert np.array_equal(one(path), np.broadcast_to((deep >> 8)[..., : 1 if channels == 2 else 3], (6, 5, 3)))


def test_colours_of_16_bits_in_planes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.tif"
    path.write_bytes(deep_tiff(np.full((6, 5, 3), 50_000, np.uint16), planes=True))
    with pytest.raises(DataError, match=r"deep\.tif: colours of 16 bits in separate planes"):
        one(path)


@pytest.mark.parametrize(("number", "words"), [(errno.EACCES, "permission denied"), (errno.EIO, "input/output error")])
def test_a_file_that_the_system_does_not_give_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    path = saved(Image.fromarray(COLOUR), tmp_path / "a.png")

    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Image, "open", refused)
    with pytest.raises(DataError, match=f"a.png: cannot be read: {words}$"):
        one(path)


def test_numbers_beyond_16_bits_are_refused(tmp_path: Path) -> None:
    path = saved(Image.fromarray(np.full((4, 4), 70_000, np.int32)), tmp_path / "deep.tif")
    with pytest.raises(DataError, match="70,000 to 70,000"):
        one(path)


def test_pipes_and_folders_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    for name, message in (("x.png", "no regular file"), (".", "no regular file"), ("y.png", "missing")):
        with pytest.raises(DataError, match=message):
            one(tmp_path / name)


def test_an_image_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_MOST_PIXELS", 16 * 24 - 1)
    with pytest.raises(DataError, match="24 x 16 pixels: refused as a decompression bomb"):
        one(saved(Image.fromarray(COLOUR), tmp_path / "a.png"))


def many(folder: Path, count: int = 100) -> tuple[list[ImageFile], np.ndarray]:
    images = RNG.integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    files = [ImageFile(saved(Image.fromarray(image), folder / f"{row}.png")) for row, image in enumerate(images)]
    return files, images


def test_decoding_many_keeps_their_order_in_a_map(tmp_path: Path) -> None:
    files, images = many(tmp_path)
    out = decode_all(files, Look(), tmp_path / "out.npy", "test")
    assert isinstance(out, np.memmap) and np.array_equal(out, images)
    assert np.array_equal(np.load(tmp_path / "out.npy"), images)
    assert decode_all(files, Look(size=9), tmp_path / "nine.npy", "test").shape == (100, 9, 9, 3)


def test_one_broken_file_among_many_is_named(tmp_path: Path) -> None:
    files, _ = many(tmp_path)
    files[77].path.write_bytes(b"")
    with pytest.raises(DataError, match="77.png: cannot be decoded"):
        decode_all(files, Look(), tmp_path / "out.npy", "test")


@pytest.mark.parametrize("row", [0, 50])
@pytest.mark.parametrize("shape", [(7, 7, 3), (6, 7, 3)])
def test_different_sizes_need_one_to_be_given(tmp_path: Path, row: int, shape: tuple[int, ...]) -> None:
    files, _ = many(tmp_path)
    Image.fromarray(np.zeros(shape, np.uint8)).save(files[row].path)
    with pytest.raises(DataError, match="not all square and of one size .*--set recipe.image_size"):
        decode_all(files, Look(), tmp_path / "out.npy", "test")
    assert decode_all(files, Look(size=6), tmp_path / "six.npy", "test").shape == (100, 6, 6, 3)


def test_a_full_disk_is_noticed_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError) as error:
        new_map(tmp_path / "a.npy", (10, 4, 4, 3))
    assert error.value.errno == errno.ENOSPC


def test_a_system_without_linux_calls_decodes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, images = many(tmp_path)
    for name in ("posix_fallocate", "sched_getaffinity"):  # macOS
        monkeypatch.delattr(os, name)
    assert np.array_equal(decode_all(files, Look(), tmp_path / "out.npy", "test"), images)


def test_parallel_work_covers_every_row_once() -> None:
    for count in (0, 1, 31, 32, 33, 1000):
        rows = [row for part in in_parallel(count, lambda a, b: list(range(a, b)), "test") for row in part]
        assert sorted(rows) == list(range(count))
