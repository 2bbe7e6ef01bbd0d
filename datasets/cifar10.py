"""CIFAR-10 (Krizhevsky 2009), with the human labels of CIFAR-10N and the human distributions of CIFAR-10H beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from datasets.base import Splits
from datasets.cache.store import cached_in
from datasets.errors import DataError
from datasets.file_lists import Files, Listing, Skipped
from datasets.images.file_dataset import FileDataset
from datasets.images.listing import class_folders, split_folders

if TYPE_CHECKING:
    import numpy as np

_BATCHES = "cifar-10-batches-py"
_SPLITS = ("train", "test")
_HUMAN = "CIFAR-10_human.pt"
_SOFT = "cifar10h-probs.npy"
_HUMAN_NAMES = {
    "aggre": "aggre_label",
    "random1": "random_label1",
    "random2": "random_label2",
    "random3": "random_label3",
    "worse": "worse_label",
}
_AGREEMENT = 0.9  # CIFAR-10H's arg max is the label of 99 % of the test images; in any other order of 10 %


class CIFAR10(FileDataset):
    """50,000 and 10,000 colour images, 32x32, ten classes.

    Layouts, in `<root>/cifar10/`: `cifar-10-batches-py/` (as torchvision downloads it), or class folders
    `train|test/<class>/*.jpg|png`. Where the numbers in a split's file names are its official rows, each once, the
    order is official. `CIFAR-10_human.pt` beside them (CIFAR-10N: Wei et al., ICLR 2022) gives `human_labels`, and
    `cifar10h-probs.npy` (CIFAR-10H: Peterson et al., ICCV 2019) the test split's `soft_labels`; both only if the rows
    are in the official order, which is checked.
    """

    name = "cifar10"
    class_names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    official: ClassVar[Mapping[str, tuple[int, ...]]] = {"train": (5000,) * 10, "test": (1000,) * 10}
    source = (
        "python bench.py data prepare cifar10 downloads it from https://www.cs.toronto.edu/~kriz/cifar.html (no stated "
        "licence: cite Krizhevsky 2009)"
    )
    layouts = f"{_BATCHES}/ or class folders train|test/<class>/"

    def recognises(self, base: Path) -> bool:
        """Batches or class folders."""
        if (base / _BATCHES).is_dir():
            return True
        folders = split_folders(base, _SPLITS)
        return len(folders) == len(_SPLITS) and all((path / "airplane").is_dir() for path in folders.values())

    def download(self) -> None:
        """By torchvision, which verifies it; 163 MiB."""
        from http.client import HTTPException

        from torchvision.datasets import CIFAR10 as Torchvisions  # noqa: N811

        try:
            Torchvisions(str(self.folder), download=True)
        except (OSError, RuntimeError, HTTPException) as error:
            raise DataError(
                f"cifar10 could not be downloaded ({error}); put {self.layouts} into {self.folder}"
            ) from None

    def load(self, image_size: int | None = None) -> Splits:
        """50,000 train and 10,000 test images [N, 32, 32, 3] (or `image_size`); no validation split."""
        base = self._base()
        if not (base / _BATCHES).is_dir():
            return super().load(image_size)
        return cached_in(
            self.name, self.cache_key(image_size), self.root, lambda _: self._from_batches(base, image_size)
        )

    def read(self, base: Path) -> Listing:
        """Class folders, in the official order where their numbers give it."""
        codes = {name: code for code, name in enumerate(self.class_names)}
        skipped = Skipped()
        folders = split_folders(base, _SPLITS)
        splits = {split: _in_order(class_folders(folders[split], codes, skipped=skipped)) for split in _SPLITS}
        return Listing(splits, self.class_names, skipped=skipped)

    def files(self) -> Listing | None:
        """Batches hold no files that could be broken one by one."""
        return None if (self._base() / _BATCHES).is_dir() else super().files()

    def annotate(self, splits: Splits, base: Path) -> Splits:
        """With CIFAR-10N and CIFAR-10H, where they are there and fit."""
        notes = list(splits.notes)
        train, test = splits.train, splits.test
        if (human := _beside(_HUMAN, base, self.folder)) is not None:
            clean, given = _human_labels(human)
            if len(clean) == len(train) and (clean == train.labels).all():
                train = dataclasses.replace(train, human_labels=given)
            else:
                notes.append(f"cifar10: {_HUMAN} is not used, since the train images are not in the official order")
        if (path := _beside(_SOFT, base, self.folder)) is not None:
            soft = _probabilities(path)
            if len(soft) == len(test) and (soft.argmax(axis=1) == test.labels).mean() > _AGREEMENT:
                test = dataclasses.replace(test, soft_labels=soft)
            else:
                notes.append(f"cifar10: {_SOFT} is not used, since the test images are not in the official order")
        return dataclasses.replace(splits, train=train, test=test, notes=tuple(notes))

    def _from_batches(self, base: Path, image_size: int | None) -> Splits:
        from datasets.images.resize import resize_splits

        folder = base / _BATCHES
        parts = {}
        for split, names in (("train", [f"data_batch_{n}" for n in range(1, 6)]), ("test", ["test_batch"])):
            there = [folder / name for name in names if (folder / name).is_file()]
            if not there:
                raise DataError(f"{folder}: no {names[0]}; {self.source}")
            images, labels, files = _batches(there)
            parts[split] = self.image_set(images, labels, self.class_names, files)
        counts = {split: len(part) for split, part in parts.items()}
        return self.annotate(resize_splits(Splits(**parts, notes=self.count_notes(counts)), image_size), base)


def _batches(paths: list[Path]) -> tuple[np.ndarray, list[int], list[str]]:
    import numpy as np

    from datasets.images.arrays import read_pickle

    images: list[np.ndarray] = []
    labels: list[int] = []
    names: list[str] = []
    for path in paths:
        batch: dict[str, Any] = read_pickle(path)
        data, given = batch.get("data"), batch.get("labels")
        if not isinstance(data, np.ndarray) or data.shape[1:] != (3072,) or data.dtype != np.uint8:
            data = None
        if data is None or not isinstance(given, list):
            raise DataError(f"{path}: not a batch of CIFAR-10: data [N, 3072] and labels are wanted")
        if len(given) != len(data) or not all(isinstance(label, int) and 0 <= label < 10 for label in given):
            raise DataError(f"{path}: labels must be {len(data):,} numbers in 0..9")
        images.append(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        labels += given
        filenames = batch.get("filenames", [b""] * len(data))
        if not isinstance(filenames, list) or len(filenames) != len(data):
            raise DataError(f"{path}: filenames must be {len(data):,} names")
        names += [name.decode("latin1") if isinstance(name, bytes) else str(name) for name in filenames]
    return np.ascontiguousarray(np.concatenate(images)), labels, names


def _in_order(part: Files) -> Files:
    """By the numbers in the file names, where they are 0..N-1; else as they come, class by class."""
    stems = [file.path.stem for file in part.files]
    if not all(stem.isdecimal() for stem in stems):
        return part
    numbers = [int(stem) for stem in stems]
    if sorted(numbers) != list(range(len(numbers))):
        return part
    return part.rows(sorted(range(len(numbers)), key=numbers.__getitem__))


def _beside(name: str, *folders: Path) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _human_labels(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(clean labels [N], human labels [N] by name) of CIFAR-10N."""
    import numpy as np

    from datasets.images.arrays import read_pickle

    found = read_pickle(path)
    arrays = {}
    for key in ("clean_label", *_HUMAN_NAMES.values()):
        labels = found.get(key)
        if not isinstance(labels, np.ndarray) or labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DataError(f"{path}: '{key}' is missing or no list of whole numbers; is it CIFAR-10N's?")
        if len(labels) and not (labels.min() >= 0 and labels.max() < 10):
            raise DataError(f"{path}: '{key}' holds labels outside 0..9")
        arrays[key] = labels.astype(np.int64)
    clean = arrays.pop("clean_label")
    if any(len(labels) != len(clean) for labels in arrays.values()):
        raise DataError(f"{path}: lists of different lengths")
    return clean, {name: arrays[key] for name, key in _HUMAN_NAMES.items()}


def _probabilities(path: Path) -> np.ndarray:
    """CIFAR-10H: [N, 10] float32, rows sum to 1."""
    import numpy as np

    from datasets.images.arrays import read_npy

    soft = read_npy(path)
    rows_of_ten = soft.ndim == 2 and soft.shape[1] == 10 and soft.dtype.kind == "f"
    if not rows_of_ten or not np.allclose(soft.sum(1), 1, atol=1e-3) or (soft < 0).any():
        raise DataError(f"{path}: not rows of 10 probabilities that sum to 1")
    return soft.astype(np.float32)
