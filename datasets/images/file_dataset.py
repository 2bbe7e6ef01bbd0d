"""Data sets that are image files on disk: a subclass lists them, this decodes, caches and counts them."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from common.text import printable
from datasets.base import Dataset, ImageSet, Splits
from datasets.cache.digests import key_of, listing_digest
from datasets.cache.store import cached_in
from datasets.cache.walk import is_folder, subfolders
from datasets.errors import DataError
from datasets.file_lists import Listing
from datasets.images.decode import Fit, Look, decode_all


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
        bases = [self.folder, *(self.folder / name for name in self.nested)]
        if is_folder(self.folder) and len(names := subfolders(self.folder)) == 1:
            bases.append(self.folder / names[0])  # as archives are unpacked, in one folder more
        return next((base for base in bases if is_folder(base) and self.recognises(base)), None)

    def present(self) -> bool:
        """Whether one of the layouts is there."""
        try:
            return self.base() is not None
        except DataError:  # something is there, and loading it says what is wrong
            return True

    def load(self, image_size: int | None = None) -> Splits:
        """All splits at `image_size`, or the images' own size if all are square and of one; counts that are not
        official are noted. Raises DataError."""
        base = self._base()
        return cached_in(
            self.name, self.cache_key(image_size), self.root, lambda scratch: self.build(base, image_size, scratch)
        )

    def cache_key(self, image_size: int | None) -> str:
        """The key of its cache entry: what it is called, with what it takes, and the state of its folder."""
        return key_of(self.cache_version, self.absolute(), listing_digest(self.folder), image_size)

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
        return dataclasses.replace(
            made, names=np.array([printable(name) for name in names], dtype=np.str_), first_code=self.first_code
        )

    def listing(self, base: Path) -> Listing:
        """What `read` finds, its names printable, with notes on counts and on classes without training images. Raises
        DataError for an empty split."""
        listing = self.read(base)
        for split in ("train", "test"):
            if split not in listing.splits or not listing.splits[split].files:
                raise DataError(f"{base}: no {split} images; is the data set whole?")
        counts = {split: len(part.labels) for split, part in listing.splits.items()}
        notes = (
            *listing.notes,
            *self.class_notes(listing),
            *listing.skipped.notes(self.name),
            *self.count_notes(counts),
        )
        classes = tuple(map(printable, listing.class_names))
        return dataclasses.replace(listing, class_names=classes, notes=tuple(map(printable, notes)))

    def count_notes(self, counts: Mapping[str, int]) -> tuple[str, ...]:
        """A note for each split whose number of images is not the official one: people have trimmed copies."""
        return tuple(
            f"{self.name}: {counts.get(split, 0):,} {split} images, not the official {sum(official):,}"
            for split, official in self.official.items()
            if counts.get(split, 0) != sum(official)
        )

    def class_notes(self, listing: Listing) -> tuple[str, ...]:
        """A note on classes without training images: they are classes, and label noise turns labels into theirs."""
        there, names = set(listing.splits["train"].labels), listing.class_names
        absent = ", ".join(name for label, name in enumerate(names) if label not in there)
        count = f"{len(names) - len(there):,} of {len(names):,} classes"
        return (f"{self.name}: no training images of {count}: {absent[:200]}",) if absent else ()

    def files(self) -> Listing | None:
        """What `read` finds, counts noted."""
        return self.listing(self._base())

    def _base(self) -> Path:
        base = self.base()
        if base is None:
            raise self.missing()
        return base
