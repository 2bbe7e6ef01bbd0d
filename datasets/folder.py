"""Any tree of class folders: `--datasets folder:PATH`."""

from __future__ import annotations

import os
from pathlib import Path

from common.files import user_path
from datasets.base import named_by
from datasets.cache.digests import content_digest
from datasets.cache.walk import is_folder, leads_back, subfolders
from datasets.errors import DataError
from datasets.file_lists import Files, Listing, Skipped
from datasets.images.file_dataset import FileDataset
from datasets.images.listing import (
    class_folders,
    count_loose,
    images_below,
    split_folders,
    split_named,
    split_said,
)

TEST_SHARE = 0.2
SPLIT_SEED = 0


class Folder(FileDataset):
    """Classes and image sizes as they are found in `train|test/<class>/`, or in `<class>/` alone.

    PATH is absolute, or below the working folder or the data folder. Splits are folders named as people name them
    (`split_named`: Train, Testing, test_set, val ...) with class folders in them. What looks like splits of other names
    is refused, never taken for classes; images in other folders beside them are counted. A validation split beside a
    test split is that, without one it is the test split. Without either, a fifth of the train images, class shares
    kept, drawn once with seed 0, is the test split, and a note says so. Images are grey where all are, else colour; one
    that is not square gives the largest square in its middle. Classes in the order of their names.
    """

    name = "folder"
    class_names = ()
    takes = "PATH"
    source = "give your own: --datasets folder:PATH"
    layouts = "train/<class>/ and test/<class>/, or <class>/ alone"
    fit = "centre"
    # Since 2, dark colours of 16 bits are refused, and more is noted; since 3, PNGs with EXIF as text are turned.
    cache_version = 3

    @property
    def folder(self) -> Path:
        """The PATH of `folder:PATH`."""
        path = user_path(self.argument or "")
        return path if path.is_absolute() or (self.argument and is_folder(path)) else self.root / path

    def recognises(self, base: Path) -> bool:
        """A folder with folders, if one was named."""
        return bool(self.argument) and bool(subfolders(base))

    def base(self) -> Path | None:
        """As archives are unpacked, everything may be in one folder more."""
        base = super().base()
        while (
            base and len(names := subfolders(base)) == 1 and not split_named(names[0]) and subfolders(base / names[0])
        ):
            base = base / names[0]
        return base

    def packed(self) -> list[Path]:
        """Archives in PATH; without one there are none: those in the data folder are other data sets'."""
        return super().packed() if self.argument else []

    def identity(self) -> str:
        """By the folder's name and its images: moving it changes nothing, an added image does."""
        splits, _, _ = self._splits(self._base(), Skipped())
        files = (file.path for part in splits.values() for file in part.files)
        return f"folder:{named_by(self.folder.resolve().name, content_digest(self.folder, files, self.root))}"

    def absolute(self) -> str:
        """With the PATH of the folder that is read."""
        return f"{self.name}:{self.folder.resolve()}"

    def read(self, base: Path) -> Listing:
        """Every class folder of every split."""
        skipped = Skipped()
        splits, names, notes = self._splits(base, skipped)
        if "test" not in splits:
            import numpy as np

            from datasets.images.resize import stratified_split

            everything = splits["train"]
            size = round(TEST_SHARE * len(everything.labels))
            if not size:
                raise DataError(
                    f"{base}: {len(everything.labels)} images are too few to draw a test split of a fifth from them; "
                    f"add some, or put a test split into test/<class>/"
                )
            train_rows, test_rows = stratified_split(np.array(everything.labels), size, SPLIT_SEED)
            splits = {"train": everything.rows(train_rows.tolist()), "test": everything.rows(test_rows.tolist())}
            notes += (
                f"folder: no test/, so {len(test_rows):,} of {len(everything.labels):,} images, drawn with seed "
                f"{SPLIT_SEED}, are the test split",
            )
        channels = 1 if _all_grey([file.path for part in splits.values() for file in part.files]) else 3
        return Listing(splits, tuple(names), channels, notes, skipped)

    def _splits(self, base: Path, skipped: Skipped) -> tuple[dict[str, Files], list[str], tuple[str, ...]]:
        """(the splits that are there, the folders' names of the classes, notes)."""
        folders = split_folders(base)
        notes: tuple[str, ...] = ()
        without_classes = {split: path for split, path in folders.items() if not subfolders(path)}
        for split, path in without_classes.items():
            del folders[split]
            if "train" in folders:
                notes += (f"folder: {path.name}/ is not used: there are no class folders in it",)
        train = folders.pop("train", base)
        names = subfolders(train)
        _refuse(train, names)
        if train == base:
            folders = {}
        else:
            _count_unused(base, {"train": train, **folders}, names, skipped)
        codes = {name: code for code, name in enumerate(names)}
        for path in folders.values():
            if strange := sorted(set(subfolders(path)) - set(names)):
                raise DataError(f"{path / strange[0]}: no class of {train}; its classes: {', '.join(names)[:200]}")
        if "test" not in folders and "validation" in folders:
            notes += (f"folder: {folders['validation'].name}/ serves as the test split",)
            folders["test"] = folders.pop("validation")
        splits = {
            split: class_folders(path, codes, skipped=skipped) for split, path in [("train", train), *folders.items()]
        }
        for path in (train, *folders.values()):
            count_loose(path, skipped)
        if len({*splits["train"].labels}) < 2:
            raise DataError(
                f"{train}: images in at least two class folders are wanted, found "
                f"{len(splits['train'].files):,} images in {len(names)} folders ({', '.join(names)[:80]})"
            )
        return splits, names, notes


def _refuse(folder: Path, names: list[str]) -> None:
    """Raise DataError where folders are no classes: those of a detection data set, or splits."""
    wanted = "wanted: train/<class>/ and test/<class>/, or <class>/ alone"
    lower = {name.casefold() for name in names}
    for beside, whose in (
        ({"labels", "annotations"}, "detection data set's (boxes in text files)"),
        ({"masks"}, "segmentation data set's (a mask for each image)"),
    ):
        if lower & {"images", "jpegimages"} and lower & beside:
            raise DataError(f"{folder}: the folders {', '.join(names)[:80]} are a {whose}, no classes; {wanted}")
    splits = [name for name in names if split_named(name)]
    if len(splits) > 1 or splits == names != []:
        found = ", ".join(f"{name}/" for name in splits)
        raise DataError(
            f"{folder}: {found}: splits, but none of them is a train split with class folders in it; {wanted}"
        )
    if unknown := _said_splits(folder, names):
        found = ", ".join(f"{name}/" for name in unknown)
        raise DataError(
            f"{folder}: {found[:200]}: they look like splits: name them train/ and test/, or otherwise if they are "
            f"classes; {wanted}"
        )


def _said_splits(folder: Path, names: list[str]) -> list[str]:
    """The folders with a word for a split in their names, where these are splits and no classes.

    At least half of all have one; and the words are of two splits (train_224/, test_224/), or one of these folders
    holds the folders that another holds, too (train_224/ and query/, each with cat/ and dog/).
    """
    said = {name: split for name in names if (split := split_said(name))}
    if 2 * len(said) < len(names):
        return []
    inside = {name: {*subfolders(folder / name)} for name in names}
    alike = any(len(inside[one] & inside[other]) > 1 for one in said for other in names if other not in said)
    return list(said) if alike or len({*said.values()}) > 1 else []


def _count_unused(base: Path, used: dict[str, Path], names: list[str], skipped: Skipped) -> None:
    """Count the images in folders beside the splits. Raises DataError where one of them may be the test split."""
    linked = [Path(os.path.realpath(path / name)) for path in used.values() for name in subfolders(path)]
    others = [base / name for name in subfolders(base) if split_named(name) is None]
    # Splits may be folders of links into one that lies beside them: its images are used.
    others = [path for path in others if not any(leads_back(link, Path(os.path.realpath(path))) for link in linked)]
    alike = [path.name for path in others if len({*subfolders(path)} & {*names}) > 1]
    if "test" not in used and (unknown := [name for name in alike if split_said(name) or "validation" not in used]):
        raise DataError(
            f"{base}: {unknown[0]}/ has classes of {used['train'].name}/, but is not named as a split is: name it "
            f"test/ or val/, or move it elsewhere"
        )
    for path in others:
        for image in images_below(path, base):
            skipped.add("images in folders of no split", str(image.relative_to(base)))


def _all_grey(paths: list[Path]) -> bool:
    """By the files' headers, until one is in colour; a file that cannot be read is reported when it is decoded."""
    import contextlib

    from PIL import Image

    for path in paths:
        with contextlib.suppress(Exception), Image.open(path) as image:
            if image.mode not in ("1", "L", "LA") and not image.mode.startswith("I"):
                return False
    return True
