"""Tiny ImageNet (Stanford CS231n): 200 of ImageNet's classes at 64x64."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from datasets.cache.walk import subfolders
from datasets.errors import DataError
from datasets.file_lists import Files, Listing, Skipped
from datasets.imagenet.wnids import validation
from datasets.images.file_dataset import FileDataset
from datasets.images.listing import class_folders, split_folders

_ARCHIVE = "tiny-imagenet-200.zip"
_URL = f"http://cs231n.stanford.edu/{_ARCHIVE}"
CLASSES = 200
_SPLITS = ("train", "validation")
_MD5 = "90528d7ca1a48142e341f4ef8d21d0de"


class TinyImageNet(FileDataset):
    """100,000 train images and the 10,000 of the validation set as test set (the test set's labels are not public).

    In `<root>/tiny_imagenet/` or in `tiny-imagenet-200/` in it: `train/<wnid>/images/*.JPEG`, `val/images/*.JPEG` with
    `val/val_annotations.txt`, or `val/<wnid>/` as some tools rearrange it. Classes in the order of their WordNet ids.
    """

    name = "tiny_imagenet"
    class_names = ()
    official: ClassVar[Mapping[str, tuple[int, ...]]] = {"train": (500,) * 200, "test": (50,) * 200}
    source = f"python bench.py data prepare tiny_imagenet downloads it from {_URL} (ImageNet's terms: research only)"
    layouts = "train/<wnid>/images/ and val/ with images/ and val_annotations.txt"
    nested = ("tiny-imagenet-200",)

    def recognises(self, base: Path) -> bool:
        """Folders train/ and val/."""
        return len(split_folders(base, _SPLITS)) == len(_SPLITS)

    def download(self) -> None:
        """From Stanford, verified by its MD5; 237 MiB."""
        from torchvision.datasets.utils import download_url

        from datasets.images.archive import unpack

        try:
            download_url(_URL, str(self.root), _ARCHIVE, _MD5)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"tiny_imagenet could not be downloaded ({error}); put {self.layouts} into {self.folder}"
            ) from None
        unpack(self.root / _ARCHIVE, self.folder)

    def read(self, base: Path) -> Listing:
        """Train folders, and the validation images by their folders or list."""
        train_folder, folder = (split_folders(base, _SPLITS)[split] for split in _SPLITS)
        names = tuple(subfolders(train_folder))
        codes = {name: code for code, name in enumerate(names)}
        skipped, train = Skipped(), Files()
        for name, code in codes.items():  # beside images/ lies a list of boxes
            below = "images" if (train_folder / name / "images").is_dir() else ""
            train.extend(class_folders(train_folder, {name: code}, below, skipped))
        for row, (name, label) in enumerate(zip(train.names, train.labels, strict=True)):
            train.names[row] = f"{names[label]}/{name.rpartition('/')[2]}"
        test, notes = validation(self.name, base, folder, codes, skipped)
        if len(names) != CLASSES:
            notes += (f"{self.name}: {len(names):,} classes, not the official {CLASSES}",)
        return Listing({"train": train, "test": test}, names, notes=notes, skipped=skipped)
