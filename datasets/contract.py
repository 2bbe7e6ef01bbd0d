"""What the splits of a data set must be, clause by clause: a method would train on other arrays without a word."""

from __future__ import annotations

from typing import Any

from datasets.base import SPLITS, ImageSet, Splits
from datasets.errors import ContractError

_ROUNDED = 0.05  # how far probabilities that somebody has rounded may be from a sum of 1


def check_splits(splits: Splits, class_names: tuple[str, ...] = ()) -> None:
    """Raise ContractError, which names the split, for splits that a run would misread. No image is looked at.

    `class_names`: the data set's; () where they are found on disk.
    """
    for split in SPLITS:
        part = getattr(splits, split)
        if not isinstance(part, ImageSet) and (split != "validation" or part is not None):
            raise ContractError(f"{split} is {'None' if part is None else type(part).__name__}; wanted an ImageSet")
    names = class_names or tuple(splits.train.class_names)
    if not all(isinstance(name, str) for name in names) or len({*names}) < max(2, len(names)):
        raise ContractError(f"class names are {names!r:.200}; wanted two or more, each another")
    for split, part in splits.parts():
        _check_images(split, part.images, splits.train.images)
        if tuple(part.class_names) != names:
            raise ContractError(f"{split} has the classes {tuple(part.class_names)!r:.200}; wanted {names!r:.200}")
        _check_labels(f"{split} labels", part.labels, part, len(names))
        for name, labels in part.human_labels.items():
            _check_labels(f"{split} human labels '{name}'", labels, part, len(names))
        if part.names is not None and len(part.names) != len(part.images):
            raise ContractError(f"{split} has {len(part.names):,} names for {len(part.images):,} images")
        if part.soft_labels is not None:
            _check_soft_labels(split, part.soft_labels, (len(part.images), len(names)))
    if not isinstance(splits.notes, tuple) or not all(isinstance(note, str) for note in splits.notes):
        raise ContractError(f"notes are {splits.notes!r:.80}; wanted a tuple of texts")


def _check_images(split: str, images: Any, train: Any) -> None:
    """`train`: the train split's images, whose size and channels all have."""
    import numpy as np

    wanted = "[N, S, S, 1 or 3]" if split == "train" else f"[N, {', '.join(map(str, train.shape[1:]))}] as train's"
    if not isinstance(images, np.ndarray):
        raise ContractError(f"{split} images are {type(images).__name__}; wanted a NumPy array, uint8 {wanted}")
    shape = images.shape
    square = len(shape) == 4 and shape[1] == shape[2] and shape[3] in (1, 3)
    if images.dtype != np.uint8 or not square or shape[1:] != train.shape[1:]:
        raise ContractError(f"{split} images are {images.dtype} {list(shape)}; wanted uint8 (0 to 255) {wanted}")
    if not images.size:
        raise ContractError(f"{split} has no images; wanted one or more")


def _check_labels(what: str, labels: Any, part: ImageSet, num_classes: int) -> None:
    import numpy as np

    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        kind = labels.dtype if isinstance(labels, np.ndarray) else type(labels).__name__
        raise ContractError(f"{what} are {kind}; wanted {_codes(num_classes)}")
    if labels.shape != part.images.shape[:1]:
        raise ContractError(f"{what} are {list(labels.shape)}; wanted [{len(part.images)}], one for each image")
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or most >= num_classes:
        raise ContractError(f"{what} are numbers from {least} to {most}; wanted {_codes(num_classes)}")


def _check_soft_labels(split: str, soft: Any, shape: tuple[int, int]) -> None:
    import numpy as np

    wanted = f"wanted [{shape[0]}, {shape[1]}], rows of probabilities that sum to 1 (or of NaN: nobody was asked)"
    if not isinstance(soft, np.ndarray) or soft.dtype.kind != "f" or soft.shape != shape:
        found = f"{soft.dtype} {list(soft.shape)}" if isinstance(soft, np.ndarray) else type(soft).__name__
        raise ContractError(f"{split} soft labels are {found}; {wanted}")
    sound = (soft >= 0).all(axis=1) & (abs(soft.sum(axis=1) - 1) < _ROUNDED)  # neither for NaN and infinity
    if len(wrong := np.flatnonzero(~sound & ~np.isnan(soft).all(axis=1))):
        row = ", ".join(f"{value:g}" for value in soft[wrong[0]][:8])
        raise ContractError(f"{split} soft labels of row {wrong[0]:,} are {row}; {wanted}")


def _codes(num_classes: int) -> str:
    return f"whole numbers from 0 to {num_classes - 1}"
