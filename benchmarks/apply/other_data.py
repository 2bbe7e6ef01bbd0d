"""A finished run on another data set: does its uncertainty tell that the images are none of its own kind?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.apply.predictions import score_of
from benchmarks.apply.trained import Trained, data_of
from benchmarks.metrics.ranking import auroc
from common.errors import UserError
from common.text import printable
from datasets.base import Dataset, ImageSet
from datasets.file_lists import ImageFile
from datasets.images.decode import Look, decode, in_parallel
from datasets.registry import DATASETS


def own_test(trained: Trained, name: str, data: Path) -> ImageSet:
    """The test split that the run was measured on. Raises UserError where the data set called `name` has another."""
    test: ImageSet = DATASETS.load(name)(data.resolve()).load(trained.spec.recipe.image_size).test
    if test.fingerprint != data_of(trained.record).get("test"):
        raise UserError(f"{name}: its test images under {data} are not those that the run {trained.folder} had")
    return test


def load(trained: Trained, name: str, data: Path) -> tuple[ImageSet, tuple[str, ...]]:
    """The test split of another data set, its images made as the run's own were, and notes on it. Raises UserError.

    Image files are decoded as `predict` does, the test split's alone: of others nothing is wanted here. Arrays are
    square, and given the run's side and channels.
    """
    dataset: Dataset = DATASETS.load(name)(data.resolve())
    listing = dataset.files()
    if listing is None:
        splits = dataset.load(trained.look.size)
        images = _channels(splits.test.images, trained.look.channels)
        return splits.test.with_images(images), splits.notes
    part = listing.splits["test"]
    images = _decoded(part.files, trained.look, f"{name} test")
    return ImageSet.of(images, np.array(part.labels), listing.class_names), listing.notes


def _decoded(files: Sequence[ImageFile], look: Look, title: str) -> np.ndarray:
    """[N, S, S, C] uint8. Raises DataError for the first file that cannot be decoded."""
    assert look.size is not None
    images = np.empty((len(files), look.size, look.size, look.channels), dtype=np.uint8)

    def store(start: int, stop: int) -> None:
        for row in range(start, stop):
            images[row] = decode(files[row], look)

    for _ in in_parallel(len(files), store, title):
        pass
    return images


def _channels(images: np.ndarray, wanted: int) -> np.ndarray:
    """Grey from colour as PIL makes it (ITU-R 601), colour from grey by repeating it."""
    if images.shape[3] == wanted:
        return images
    if wanted == 3:
        return np.repeat(images, 3, axis=3)
    return np.stack([np.asarray(Image.fromarray(image).convert("L"))[:, :, None] for image in images])


def strange(trained: Trained, test: ImageSet) -> list[str]:
    """Classes of a data set that the run does not know by exactly this name; with one there is no accuracy."""
    return [name for name in test.class_names if name not in trained.class_names]


def evaluate(trained: Trained, name: str, test: ImageSet) -> dict[str, str | int | float | None]:
    """AUROC of telling the run's own test images (in) from these (out), by the own and the free score; accuracy where
    the classes are among the run's own."""
    outputs, stored = trained.predict(test.images), trained.test_outputs
    out = np.repeat([False, True], [len(stored.logits), len(outputs.logits)])
    row: dict[str, str | int | float | None] = {"dataset": printable(name), "images": len(test), "accuracy": None}
    codes = {class_name: code for code, class_name in enumerate(trained.class_names)}
    if not strange(trained, test):
        labels = np.array([codes[class_name] for class_name in test.class_names])[test.labels]
        row["accuracy"] = float((outputs.logits.argmax(axis=1) == labels).mean())
    for score in ("own", "free"):
        both = np.concatenate([score_of(stored, score), score_of(outputs, score)])
        row[f"{score}_auroc"] = auroc(both, out)
    return row
