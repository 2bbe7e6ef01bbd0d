"""Which files are a data set's images, and what they show: lists, before anything is decoded."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from datasets.base import SPLITS
from datasets.cache.walk import leads_back, subfolders, walk
from datasets.errors import DataError
from datasets.file_lists import Files, ImageFile, Skipped

_SUFFIXES = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".pjpeg", ".pjp", ".png", ".bmp", ".dib", ".webp", ".gif", ".tif",
        ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
    }
)  # fmt: skip
# Never images, hence not looked into.
_OTHER = frozenset(
    {
        ".txt", ".csv", ".tsv", ".json", ".xml", ".md", ".html", ".npy", ".npz", ".mat", ".pkl", ".pt", ".pth", ".zip",
        ".tar", ".gz", ".py",
    }
)  # fmt: skip
_BEGINNINGS = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|BM.{4}\0\0\0\0|RIFF.{4}WEBP|II\*\0|MM\0\*"
    rb"|P[1-6]\s+(?:#|\d+\s+[\d#])",  # PPM and its like give their width and height, text seldom does
    re.DOTALL,
)
# Names of the folders of splits, however they are written: train, Training_Set, test-images, val2017, PublicTest.
_SPLIT = re.compile(
    r"(?:(train(?:ing)?)|(test(?:ing)?|privatetest)|(val|valid|validation|dev|eval|evaluation|publictest))"
    r"(?:sets?|data(?:sets?)?|images?|imgs?|split|folder)?(?:\d{4})?"
)
# Words in longer names that say a split: imagesTr, dogs_holdout.
_WORDS = {"tr": "train", "ts": "test", "holdout": "test", "heldout": "test"}


def split_named(name: str) -> str | None:
    """ "train", "test" or "validation" for a folder's name that says so in any of the usual ways; else None."""
    found = _SPLIT.fullmatch(re.sub(r"[ _.-]", "", name).casefold())
    return None if found is None else ("train", "test", "validation")[(found.lastindex or 1) - 1]


def split_said(name: str) -> str | None:
    """The split that a folder's name, or one word of it, says (train_224, imagesTs, holdout); else None."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return next((split for word in (name, *words) if (split := split_named(word) or _WORDS.get(word.casefold()))), None)


def split_folders(base: Path, wanted: Collection[str] = SPLITS) -> dict[str, Path]:
    """The folder of each of the `wanted` splits in `base`, by `split_named`.

    Raises DataError where two folders are one split's, and where one split is a link into another.
    """
    found: dict[str, Path] = {}
    for name in subfolders(base):
        split = split_named(name)
        if split is None or split not in wanted:
            continue
        if split in found:
            raise DataError(f"{base}: {found[split].name}/ and {name}/ are both the {split} split; rename one of them")
        found[split] = base / name
    for path in found.values():
        others = [other for other in found.values() if other != path]
        for link in filter(Path.is_symlink, (path, *(path / name for name in subfolders(path)))):
            target = Path(os.path.realpath(link))
            if back := next((other for other in others if leads_back(target, Path(os.path.realpath(other)))), None):
                raise DataError(
                    f"{link}: a link that leads to {back.name}/, another split: its images would be in both; remove it"
                )
    return found


def class_folders(folder: Path, classes: Mapping[str, int], below: str = "", skipped: Skipped | None = None) -> Files:
    """Every image in `<folder>/<class>/<below>`, and in folders in it, for each class folder in the order of labels.

    Named `<class>/<file>`. A class without a folder has no images. What is left out is counted in `skipped`: a class
    that is a link to another's folder, too, whose images would have two labels.
    """
    skipped = skipped if skipped is not None else Skipped()
    found, seen = Files(), set()
    for name, label in sorted(classes.items(), key=lambda item: item[1]):
        start = folder / name / below
        if start.is_dir():
            place = os.path.realpath(start)
            if place in seen:
                skipped.add("links back into the folder", name)
                continue
            for path in images_below(start, folder, skipped):
                seen.add(place)
                found.add(ImageFile(path), label, f"{name}/{path.relative_to(start)}")
    return found


def count_loose(folder: Path, skipped: Skipped) -> None:
    """Count the images that lie beside the class folders in `folder`, of no class."""
    for name, entry in itertools.takewhile(lambda found: "/" not in found[0], walk(folder)):
        if is_image(entry):
            skipped.add("images outside the class folders", f"{folder.name}/{name}")


def images_below(folder: Path, root: Path | None = None, skipped: Skipped | None = None) -> list[Path]:
    """Image files in a folder and the folders in it, in the order of their names. `root`: see `walk`."""
    skipped = skipped if skipped is not None else Skipped()
    found: list[Path] = []
    for name, entry in walk(folder, root, skipped):
        if is_image(entry):
            found.append(folder / name)
        else:
            skipped.add("files that are no images", f"{folder.name}/{name}")
    return found


def is_image(entry: os.DirEntry[str]) -> bool:
    """By its suffix; a file with none or a strange one by how its content begins."""
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (names, many)
    if suffix in _SUFFIXES or suffix in _OTHER:
        return suffix in _SUFFIXES
    try:
        with open(entry.path, "rb") as file:
            return _BEGINNINGS.match(file.read(16)) is not None
    except OSError:
        return False


def only_existing(name: str, split: str, part: Files, there: Collection[str]) -> tuple[Files, tuple[str, ...]]:
    """The rows whose file is `there` (paths as text), and a note that says how many are not."""
    rows = [row for row, file in enumerate(part.files) if str(file.path) in there]
    absent = len(part.files) - len(rows)
    if not absent:
        return part, ()
    first = next(file.path for file in part.files if str(file.path) not in there)
    if not rows:
        found = next(iter(there), None)
        instead = "there are no images at all" if found is None else f"there are {len(there):,} others, e.g. {found}"
        raise DataError(f"{name}: none of the {absent:,} listed {split} images is there, e.g. {first}; {instead}")
    return part.rows(rows), (f"{name}: {absent:,} of {absent + len(rows):,} listed {split} images are missing",)
