"""FER2013 as image folders: `train/<class>/Training_*.jpg`, `test/<class>/{PublicTest,PrivateTest}_*.jpg`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from datasets.base import DataError

SIDE = 48
_SUFFIXES = {".jpg", ".jpeg", ".png"}
# Folders are mapped by name, never by their order: alphabetical order swaps three classes.
_SPELLINGS = {
    "anger": {"anger", "angry"},
    "disgust": {"disgust", "disgusted"},
    "fear": {"fear", "fearful", "afraid", "scared"},
    "happiness": {"happiness", "happy"},
    "sadness": {"sadness", "sad"},
    "surprise": {"surprise", "surprised"},
    "neutral": {"neutral"},
}


def read(tree: Path, class_names: Sequence[str], usages: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(images [N, 48, 48, 1] uint8, labels [N] int64, usage [N] index into `usages`), rows in the order of file names.

    `usages`: the file name prefixes Training, PublicTest, PrivateTest. Raises DataError naming the file or folder.
    """
    images, labels, usage = [], [], []
    for split, path in _files(tree):
        label = _label(path.parent, class_names)
        prefix = usages[0] if split == "train" else path.name.split("_")[0]
        if prefix not in usages or (split == "test" and prefix == usages[0]):
            raise DataError(
                f"{path}: in test/, a name must start with {' or '.join(usages[1:])} to tell the splits apart"
            )
        images.append(_decode(path))
        labels.append(label)
        usage.append(usages.index(prefix))
    if not images:
        raise DataError(f"{tree}: train/ and test/ hold no images")
    return np.stack(images)[..., None], np.array(labels, dtype=np.int64), np.array(usage, dtype=np.int64)


def listing_digest(tree: Path) -> str:
    """Digest of the names, sizes and times of all images: 35,887 files are not read to find them unchanged."""
    digest = hashlib.sha256()
    for _, path in _files(tree):
        stat = path.stat()
        digest.update(f"{path.relative_to(tree)}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def _files(tree: Path) -> Iterator[tuple[str, Path]]:
    for split in ("train", "test"):
        for folder in sorted(path for path in (tree / split).iterdir() if path.is_dir()):
            for path in sorted(folder.iterdir()):
                if path.suffix.lower() in _SUFFIXES and not path.name.startswith("."):
                    yield split, path


def _label(folder: Path, class_names: Sequence[str]) -> int:
    name = folder.name.strip().lower()
    for label, class_name in enumerate(class_names):
        if name in _SPELLINGS[class_name]:
            return label
    raise DataError(f"{folder}: not a class of FER2013; valid: {', '.join(class_names)}")


def _decode(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            grey = image.convert("L")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be decoded ({type(error).__name__}); get the file again") from None
    if grey.size != (SIDE, SIDE):
        raise DataError(f"{path}: {grey.width}x{grey.height} pixels instead of {SIDE}x{SIDE}")
    return np.asarray(grey)
