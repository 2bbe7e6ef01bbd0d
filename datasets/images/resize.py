"""What several data sets do with images: resize whole arrays, split them."""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image

from datasets.base import ImageSet, Splits


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """[N, H, W, C] uint8 -> [N, size, size, C] uint8: PIL's bilinear filter, antialiased where it shrinks."""
    if images.shape[1:3] == (size, size):
        return images
    channels = images.shape[3]
    out = np.empty((len(images), size, size, channels), dtype=np.uint8)
    for image, target in zip(images, out, strict=True):
        small = Image.fromarray(image[:, :, 0] if channels == 1 else image)
        target[...] = np.asarray(small.resize((size, size), Image.Resampling.BILINEAR)).reshape(target.shape)
    return out


def resize_splits(splits: Splits, size: int | None) -> Splits:
    """Every split at `size` pixels (None: as they are), fingerprints renewed."""

    def one(part: ImageSet) -> ImageSet:
        return part.with_images(resize(part.images, size or 0))

    if size is None or splits.train.images.shape[1:3] == (size, size):
        return splits
    validation = None if splits.validation is None else one(splits.validation)
    return dataclasses.replace(splits, train=one(splits.train), test=one(splits.test), validation=validation)


def stratified_split(labels: np.ndarray, test_size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (train, test), each ascending: `test_size` of N rows in test, class shares kept to within one row."""
    rng = np.random.default_rng(seed)
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * (test_size / len(labels))
    take = np.floor(exact).astype(int)
    take[np.argsort(take - exact, kind="stable")[: test_size - take.sum()]] += 1  # largest remainders
    test = np.sort(
        np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:n] for c, n in zip(classes, take, strict=True)])
    )
    return np.setdiff1d(np.arange(len(labels)), test), test
