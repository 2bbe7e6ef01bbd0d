"""Data sets in miniature, in every layout that people have: colours say which image is which."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from datasets.base import ImageSet

RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
AFFECT = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def picture(number: int, side: int = 8, *, wide: int = 0) -> Image.Image:
    """An image of one colour that says `number`."""
    return Image.new("RGB", (side + wide, side), (number % 256, number // 256, 7))


def put(path: Path, number: int, side: int = 8, *, wide: int = 0) -> None:
    """Write it; PNG whatever the name says, so that the colour is exact."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(number, side, wide=wide).save(path, "PNG")


def numbers(part: ImageSet) -> list[int]:
    """What the images say, in order."""
    corner = np.asarray(part.images)[:, 0, 0].astype(int)
    return (corner[:, 0] + 256 * corner[:, 1]).tolist()


def rafdb_list(base: Path, *, newline: str = "\n", aligned: str = "_aligned") -> None:
    """Train image i of class i % 7 and test image 100 + i of class (i + 1) % 7; the list counts from 1."""
    lines = []
    for split, count, offset, shift in (("train", 14, 0, 0), ("test", 7, 100, 1)):
        for i in range(count):
            lines.append(f"{split}_{i + 1:05d}.jpg {(i + shift) % 7 + 1}")
            put(base / f"Image/aligned/{split}_{i + 1:05d}{aligned}.jpg", offset + i, 10)
    (base / "EmoLabel").mkdir(parents=True)
    (base / "EmoLabel/list_patition_label.txt").write_bytes((newline.join(lines) + newline).encode())


def rafdb_folders(base: Path) -> None:
    for split, count, offset, shift in (("train", 14, 0, 0), ("test", 7, 100, 1)):
        for i in range(count):
            put(base / f"{split}/{(i + shift) % 7 + 1}/{split}_{i + 1:05d}_aligned.jpg", offset + i, 10)


RAFDB: dict[str, Callable[[Path], None]] = {
    "as sent": lambda root: rafdb_list(root / "rafdb"),
    "in basic/": lambda root: rafdb_list(root / "rafdb/basic"),
    "windows line ends": lambda root: rafdb_list(root / "rafdb", newline="\r\n"),
    "plain names": lambda root: rafdb_list(root / "rafdb", aligned=""),
    "class folders": lambda root: rafdb_folders(root / "rafdb"),
}

COLUMNS = [
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
]


def affectnet_csv(base: Path, *, header: bool = True, images: str = "Manually_Annotated_Images") -> None:
    """Image i shows code i % 11; its box cuts 8 x 8 pixels off a white frame of 1 pixel."""
    for name, count, offset in (("training", 22, 0), ("validation", 11, 100)):
        lines = [",".join(COLUMNS)] if header else []
        for i in range(count):
            file = f"{i % 3}/{name}{i}.jpg"
            lines.append(f"{file},1,1,8,8,1;2;3,{i % 11},0.1,-2")
            path = base / images / file
            path.parent.mkdir(parents=True, exist_ok=True)
            framed = Image.new("RGB", (10, 10), "white")
            framed.paste(picture(offset + i), (1, 1))
            framed.save(path, "PNG")
        (base / f"{name}.csv").write_text("\r\n".join(lines) + "\r\n")


def affectnet_npy(base: Path) -> None:
    for name, count, offset in (("train_set", 22, 0), ("val_set", 11, 100)):
        (base / name / "annotations").mkdir(parents=True)
        for i in range(count):
            np.save(base / name / "annotations" / f"{i}_exp.npy", np.array(str(i % 11)))
            np.save(base / name / "annotations" / f"{i}_val.npy", np.array("0.5"))
            put(base / name / "images" / f"{i}.jpg", offset + i)


AFFECTNET: dict[str, Callable[[Path], None]] = {
    "tables": lambda root: affectnet_csv(root / "affectnet"),
    "tables without header": lambda root: affectnet_csv(root / "affectnet", header=False),
    "tables beside the images": lambda root: affectnet_csv(root / "affectnet", images=""),
    "annotations": lambda root: affectnet_npy(root / "affectnet"),
}


def cifar_labels(count: int, seed: int = 0) -> list[int]:
    labels: list[int] = np.random.default_rng(seed).permutation(np.arange(count) % 10).tolist()
    return labels


TRAIN, TEST = cifar_labels(50), cifar_labels(20, 1)


def cifar_batches(base: Path) -> None:
    """Image i says i (test: 100 + i)."""
    folder = base / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, rows, labels, offset in (
        *((f"data_batch_{n + 1}", range(10 * n, 10 * n + 10), TRAIN, 0) for n in range(5)),
        ("test_batch", range(20), TEST, 100),
    ):
        data = np.stack([np.asarray(picture(offset + row, 32)).transpose(2, 0, 1).ravel() for row in rows])
        batch = {
            b"data": data,
            b"labels": [labels[row] for row in rows],
            b"filenames": [f"image_{row}.png".encode() for row in rows],
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def cifar_folders(base: Path, suffix: str = "jpg") -> None:
    for split, labels, offset in (("train", TRAIN, 0), ("test", TEST, 100)):
        for row, label in enumerate(labels):
            put(base / split / CIFAR[label] / f"{row:05d}.{suffix}", offset + row, 32)


CIFAR10: dict[str, Callable[[Path], None]] = {
    "batches": lambda root: cifar_batches(root / "cifar10"),
    "class folders": lambda root: cifar_folders(root / "cifar10"),
    "png": lambda root: cifar_folders(root / "cifar10", "png"),
}


def wnid(number: int) -> str:
    return f"n{number + 1:08d}"


def imagenet100(base: Path, *, parts: bool = False, listed: str | None = "imagenet100.txt", extra: int = 0) -> None:
    """Class c has train images c and test image 200 + c, 10 x 8 pixels; `extra` classes are not in the list."""
    for c in range(100 + extra):
        put(base / (f"train.X{c % 4 + 1}" if parts else "train") / wnid(c) / f"{wnid(c)}_1.JPEG", c, wide=2)
        put(base / ("val.X" if parts else "val") / wnid(c) / f"val_{c}.JPEG", 200 + c, wide=2)
    if listed == "Labels.json":
        (base / listed).write_text(json.dumps({wnid(c): f"thing {c}, n thing" for c in reversed(range(100))}))
    elif listed:
        (base / listed).write_text("".join(f"{wnid(c)} thing_{c}\r\n" for c in reversed(range(100))))


IMAGENET100: dict[str, Callable[[Path], None]] = {
    "a list": lambda root: imagenet100(root / "imagenet100"),
    "all of ImageNet": lambda root: imagenet100(root / "imagenet100", extra=7),
    "exactly a hundred": lambda root: imagenet100(root / "imagenet100", listed=None),
    "Kaggle": lambda root: imagenet100(root / "imagenet100", parts=True, listed="Labels.json"),
}


def tiny_imagenet(base: Path, *, rearranged: bool = False) -> None:
    """Three classes; train images 10 c + i, validation images 100 + i of class i % 3."""
    for c in range(3):
        for i in range(2):
            put(base / f"train/{wnid(c)}/images/{wnid(c)}_{i}.JPEG", 10 * c + i)
        (base / f"train/{wnid(c)}/{wnid(c)}_boxes.txt").write_text("")
    lines = []
    for i in range(6):
        put(base / (f"val/{wnid(i % 3)}/val_{i}.JPEG" if rearranged else f"val/images/val_{i}.JPEG"), 100 + i)
        lines.append(f"val_{i}.JPEG\t{wnid(i % 3)}\t0\t0\t62\t62")
    if not rearranged:
        (base / "val/val_annotations.txt").write_text("\r\n".join(lines))
    (base / "test/images").mkdir(parents=True)


TINY: dict[str, Callable[[Path], None]] = {
    "as downloaded": lambda root: tiny_imagenet(root / "tiny_imagenet/tiny-imagenet-200"),
    "unwrapped": lambda root: tiny_imagenet(root / "tiny_imagenet"),
    "rearranged": lambda root: tiny_imagenet(root / "tiny_imagenet", rearranged=True),
}
