"""A finished run on another data set: does its uncertainty tell that the images are none of its own kind?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.apply.predictions import score_of
from benchmarks.apply.trained import Trained
from benchmarks.metrics.ranking import auroc
from common.errors import UserError
from datasets.base import ImageSet
from datasets.registry import DATASETS


def own_test(trained: Trained, name: str, data: Path) -> ImageSet:
    """The test split that the run was measured on. Raises UserError where the data set called `name` has another."""
    test: ImageSet = DATASETS.load(name)(data.resolve()).load(trained.spec.recipe.image_size).test
    if test.fingerprint != (trained.record.provenance.get("data") or {}).get("test"):
        raise UserError(f"{name}: its test images under {data} are not those that the run {trained.folder} had")
    return test


def load(trained: Trained, name: str, data: Path) -> ImageSet:
    """The test split of another data set, with images of the run's side and channels. Raises UserError."""
    test: ImageSet = DATASETS.load(name)(data.resolve()).load(trained.look.size).test
    return test.with_images(_channels(test.images, trained.look.channels))


def _channels(images: np.ndarray, wanted: int) -> np.ndarray:
    """Grey from colour as PIL makes it (ITU-R 601), colour from grey by repeating it."""
    if images.shape[3] == wanted:
        return images
    if wanted == 3:
        return np.repeat(images, 3, axis=3)
    return np.stack([np.asarray(Image.fromarray(image).convert("L"))[:, :, None] for image in images])


def evaluate(trained: Trained, name: str, test: ImageSet) -> dict[str, str | int | float | None]:
    """AUROC of telling the run's own test images (in) from these (out), by the own and the free score; accuracy where
    the classes are among the run's own."""
    outputs, stored = trained.predict(test.images), trained.test_outputs
    out = np.repeat([False, True], [len(stored.logits), len(outputs.logits)])
    row: dict[str, str | int | float | None] = {"dataset": name, "images": len(test), "accuracy": None}
    codes = {class_name: code for code, class_name in enumerate(trained.class_names)}
    if set(test.class_names) <= set(codes):
        labels = np.array([codes[class_name] for class_name in test.class_names])[test.labels]
        row["accuracy"] = float((outputs.logits.argmax(axis=1) == labels).mean())
    for score in ("own", "free"):
        both = np.concatenate([score_of(stored, score), score_of(outputs, score)])
        row[f"{score}_auroc"] = auroc(both, out)
    return row
