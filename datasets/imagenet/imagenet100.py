"""ImageNet-100: a hundred of ImageNet's classes, as a list names them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from datasets.cache.walk import subfolders
from datasets.errors import DataError
from datasets.file_lists import Files, Listing, Skipped
from datasets.imagenet.wnids import listed, validation
from datasets.images.file_dataset import FileDataset
from datasets.images.listing import class_folders, split_folders

_LISTS = ("imagenet100.txt", "imagenet100_classes.txt", "classes.txt", "class_list.txt", "IN100.txt", "Labels.json")
CLASSES = 100


class ImageNet100(FileDataset):
    """About 1,300 train images a class; 50 of the validation set as test set. Several lists of classes are in use.

    In `<root>/imagenet100/`: `train/<wnid>/` and `val/<wnid>/`, or Kaggle's parts `train.X1/` .. `val.X/`, with a class
    list (a text or JSON file that names WordNet ids: imagenet100.txt, classes.txt, Labels.json ...). With a list the
    folders may be all of ImageNet's; without one they must be exactly a hundred. Classes in the order of their WordNet
    ids. An image that is not square gives the largest square in its middle.
    """

    name = "imagenet100"
    class_names = ()
    official: ClassVar[Mapping[str, tuple[int, ...]]] = {"test": (50,) * CLASSES}
    source = (
        "ImageNet from https://image-net.org/download.php (an account; research only), or its 100 classes from Kaggle "
        "(ambityga/imagenet100, 15 GB)"
    )
    layouts = "train/<wnid>/, val/<wnid>/ and a class list (imagenet100.txt)"
    fit = "centre"

    def recognises(self, base: Path) -> bool:
        """Folders train/ and val/, or Kaggle's parts."""
        parts = _parts(base)
        return bool(parts["train"] and parts["validation"])

    def read(self, base: Path) -> Listing:
        """The listed classes' folders."""
        parts = _parts(base)
        there = {wnid for part in parts["train"] for wnid in subfolders(part)}
        table = next((base / name for name in _LISTS if (base / name).is_file()), None)
        if table is not None:
            wnids = listed(table)
            if absent := sorted(set(wnids) - there):
                raise DataError(f"{table}: {len(absent)} listed classes have no folder in train/, e.g. {absent[0]}")
        else:
            wnids = sorted(there)
        if len(wnids) != CLASSES:
            what = f"{table} lists" if table else f"{base}: no class list ({', '.join(_LISTS[:3])} ...), and train/ has"
            raise DataError(f"{what} {len(wnids)} classes instead of {CLASSES}")
        codes = {wnid: code for code, wnid in enumerate(wnids)}
        skipped, train, test = Skipped(), Files(), Files()
        notes: tuple[str, ...] = ()
        for part in parts["train"]:
            train.extend(class_folders(part, codes, skipped=skipped))
        for part in parts["validation"]:
            found, missing = validation(self.name, base, part, codes, skipped, others=True)
            test.extend(found)
            notes += missing
        return Listing({"train": train, "test": test}, tuple(wnids), notes=notes, skipped=skipped)


def _parts(base: Path) -> dict[str, list[Path]]:
    """The folders of the train and of the validation split."""
    folders = split_folders(base, ("train", "validation"))
    return {
        split: [folders[split]] if split in folders else sorted(path for path in base.glob(parts) if path.is_dir())
        for split, parts in (("train", "train.X*"), ("validation", "val.X*"))
    }
