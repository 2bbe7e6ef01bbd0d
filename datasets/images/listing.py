"""Which files are a data set's images, and what they show: lists, before anything is decoded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datasets.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"})
Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class ImageFile:
    """An image on disk, and which part of it counts (None: all)."""

    path: Path
    box: Box | None = None


@dataclass
class Files:
    """The images of one split, and what they show, row by row."""

    files: list[ImageFile] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # as the data set's own label lists name them

    def add(self, file: ImageFile, label: int, name: str) -> None:
        """One more row."""
        self.files.append(file)
        self.labels.append(label)
        self.names.append(name)

    def rows(self, rows: Iterable[int]) -> Files:
        """These rows, in this order."""
        chosen = list(rows)
        return Files(
            [self.files[row] for row in chosen],
            [self.labels[row] for row in chosen],
            [self.names[row] for row in chosen],
        )


@dataclass(frozen=True)
class Listing:
    """Every split's files, before any is decoded."""

    splits: Mapping[str, Files]
    class_names: tuple[str, ...]
    channels: int = 3
    notes: tuple[str, ...] = ()


def class_folders(folder: Path, classes: Mapping[str, int], below: str = "") -> Files:
    """Every image in `<folder>/<class>/<below>`, and in folders in it, for each class folder in the order of labels.

    Named `<class>/<file>`. A class without a folder has no images.
    """
    found = Files()
    for name, label in sorted(classes.items(), key=lambda item: item[1]):
        for path in images_below(folder / name / below):
            found.add(ImageFile(path), label, f"{name}/{path.relative_to(folder / name / below)}")
    return found


def images_below(folder: Path) -> list[Path]:
    """Image files in a folder and the folders in it, in the order of their names; hidden ones are left out."""
    found: list[Path] = []
    for base, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += (Path(base, name) for name in sorted(files) if is_image(name))
    return found


def is_image(name: str) -> bool:
    """By its suffix; not the hidden files that macOS leaves in archives."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 (names, many)


def folders_in(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones left out."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def only_existing(name: str, split: str, part: Files, files_there: set[str]) -> tuple[Files, tuple[str, ...]]:
    """The rows whose file is among `files_there` (paths as text), and a note that says how many are not."""
    there = [row for row, file in enumerate(part.files) if str(file.path) in files_there]
    absent = len(part.files) - len(there)
    if not absent:
        return part, ()
    first = next(file.path for file in part.files if str(file.path) not in files_there)
    if not there:
        raise DataError(f"{name}: none of the {absent:,} listed {split} images is there, e.g. {first}")
    return part.rows(there), (f"{name}: {absent:,} of {absent + len(there):,} listed {split} images are missing",)
