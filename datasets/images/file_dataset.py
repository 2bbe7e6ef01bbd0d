"""Data sets that are image files on disk: what a file lists, this decodes, caches, counts and surveys."""

from __future__ import annotations

import dataclasses
import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from datasets.base import DataError, Dataset, ImageSet, Splits
from datasets.cache.digests import key_of, listing_digest
from datasets.cache.store import cached_in
from datasets.images.decode import SUFFIXES, Fit, ImageFile, Look, decode_all

if TYPE_CHECKING:
    from datasets.inspect.check import Survey


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


class FileDataset(Dataset):
    """A data set of image files: a subclass recognises its layouts and lists its files."""

    fit: ClassVar[Fit] = "stretch"
    first_code: ClassVar[int] = 0
    nested: ClassVar[tuple[str, ...]] = ()  # folders in `folder` that archives or authors leave it in

    @abstractmethod
    def recognises(self, base: Path) -> bool:
        """Whether one of the layouts begins at `base`: a quick look."""

    @abstractmethod
    def read(self, base: Path) -> Listing:
        """Every split's files. Raises DataError for a label out of range or a malformed list."""

    def annotate(self, splits: Splits, base: Path) -> Splits:
        """The splits with what lies beside the images (human labels, soft labels)."""
        return splits

    def base(self) -> Path | None:
        """Where the layout begins; None where there is none."""
        bases = (self.folder, *(self.folder / name for name in self.nested))
        return next((base for base in bases if base.is_dir() and self.recognises(base)), None)

    def present(self) -> bool:
        """Whether one of the layouts is there."""
        return self.base() is not None

    def load(self, image_size: int | None = None) -> Splits:
        """All splits at `image_size`, or the images' own size if all are square and of one; counts that are not
        official are noted. Raises DataError."""
        base = self._base()
        key = key_of(self.cache_version, self.name, listing_digest(self.folder), image_size)
        return cached_in(self.name, key, self.root, lambda scratch: self.build(base, image_size, scratch))

    def build(self, base: Path, image_size: int | None, scratch: Path) -> Splits:
        """Decode everything into maps in `scratch`."""
        listing = self.listing(base)
        look = Look(listing.channels, image_size, self.fit)
        parts = {}
        for split, part in listing.splits.items():
            images = decode_all(part.files, look, scratch / f"{split}.pixels.npy", f"{self.name} {split}")
            parts[split] = self.image_set(images, part.labels, listing.class_names, part.names)
        return self.annotate(Splits(**parts, notes=listing.notes), base)

    def image_set(
        self, images: object, labels: Sequence[int], classes: tuple[str, ...], names: Sequence[str]
    ) -> ImageSet:
        """A split of this data set."""
        import numpy as np

        made = ImageSet.of(np.asanyarray(images), np.array(labels, dtype=np.int64), classes)
        return dataclasses.replace(made, names=np.array(names, dtype=np.str_), first_code=self.first_code)

    def listing(self, base: Path) -> Listing:
        """What `read` finds, with a note for each count that is not official. Raises DataError for an empty split."""
        listing = self.read(base)
        for split in ("train", "test"):
            if split not in listing.splits or not listing.splits[split].files:
                raise DataError(f"{base}: no {split} images; is the data set whole?")
        counts = {split: len(part.labels) for split, part in listing.splits.items()}
        return dataclasses.replace(listing, notes=(*listing.notes, *self.count_notes(counts)))

    def count_notes(self, counts: Mapping[str, int]) -> tuple[str, ...]:
        """A note for each split whose number of images is not the official one: people have trimmed copies."""
        return tuple(
            f"{self.name}: {counts[split]:,} {split} images, not the official {sum(official):,}"
            for split, official in self.official.items()
            if split in counts and counts[split] != sum(official)
        )

    def survey(self) -> Survey:
        """Every file decoded at its own size."""
        from datasets.inspect.check import of_files

        return of_files(self.name, self.listing(self._base()))

    def _base(self) -> Path:
        base = self.base()
        if base is None:
            raise self.missing()
        return base


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
