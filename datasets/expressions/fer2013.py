"""FER2013 (Goodfellow et al., ICONIP 2013) in any of the layouts Kaggle gives it out in, with FER+ votes if present."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from datasets.base import ImageSet, Splits
from datasets.cache.digests import file_digest, key_of
from datasets.cache.store import cached
from datasets.errors import DataError
from datasets.expressions.folders import expression_folders, has_expressions
from datasets.file_lists import Files, Listing, Skipped
from datasets.images.file_dataset import FileDataset

CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
VOTES_NAME = "fer2013new.csv"
USAGES = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
_SOURCE = (
    'get it from Kaggle, "Challenges in Representation Learning: Facial Expression Recognition Challenge" '
    "(https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge; a Kaggle "
    "account and its competition rules: research and education only)"
)


class FER2013(FileDataset):
    """35,887 faces found on the web, 48x48 grey, seven classes, about one label in ten wrong.

    train = Training, validation = PublicTest, test = PrivateTest. Layouts, looked for in `<root>/fer2013/` and in a
    folder `fer2013/` in it (as Kaggle's archive unpacks): `fer2013.csv`, `icml_face_data.csv`, or image folders
    `train|test/<class>/` whose `test/` holds `PublicTest_*` and `PrivateTest_*`. Beside a CSV, `fer2013new.csv` (FER+,
    Barsoum et al., ICMI 2016) gives `soft_labels`: the ten annotators' votes for these seven classes, normalised; a
    row of NaN where nobody voted for one of them.
    """

    name = "fer2013"
    class_names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # codes 0..6
    channels = 1
    official: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "train": (3995, 436, 4097, 7215, 4830, 3171, 4965),
        "validation": (467, 56, 496, 895, 653, 415, 607),
        "test": (491, 55, 528, 879, 594, 416, 626),
    }
    source = _SOURCE
    layouts = f"{' or '.join(CSV_NAMES)} or image folders train/<class>/ and test/<class>/"

    nested = ("fer2013",)

    def recognises(self, base: Path) -> bool:
        """A CSV, or image folders."""
        return _csv(base) is not None or has_expressions(base, self.class_names)

    def files(self) -> Listing | None:
        """A CSV holds no files that could be broken one by one."""
        return super().files() if _csv(self._base()) is None else None

    def load(self, image_size: int | None = None) -> Splits:
        """28,709, 3,589 (validation) and 3,589 images [N, 48, 48, 1] (or `image_size`); other counts are noted."""
        from datasets.images.resize import resize_splits

        csv = _csv(self._base())
        if csv is None:
            return super().load(image_size)
        votes = csv.with_name(VOTES_NAME)
        beside = votes if votes.is_file() else None
        content = [file_digest(path, self.root) for path in (csv, beside) if path is not None]
        key = key_of(self.cache_version, content, image_size)
        return cached(self.name, key, self.root, lambda: resize_splits(self._from_csv(csv, beside), image_size))

    def read(self, base: Path) -> Listing:
        """Image folders, in the order of their names; without a validation folder, names in `test/` tell the splits."""
        skipped = Skipped()
        found = expression_folders(base, "FER2013", self.class_names, skipped)
        splits = {split: _by_name(part) for split, part in found.items()}
        if "validation" not in splits and "test" in splits:
            together = splits.pop("test")
            rows = [_split_of(file.path) for file in together.files]
            for split in ("validation", "test"):
                splits[split] = together.rows([row for row, found in enumerate(rows) if found == split])
        notes: tuple[str, ...] = ()
        if (base / VOTES_NAME).is_file():
            notes = (f"fer2013: {VOTES_NAME} is not used, since image folders do not keep the rows' order",)
        there = {split: part for split, part in splits.items() if part.files}
        return Listing(there, self.class_names, self.channels, notes, skipped)

    def _from_csv(self, csv: Path, votes: Path | None) -> Splits:
        import numpy as np

        from datasets.expressions.fer2013_csv import read
        from datasets.expressions.ferplus import read_votes

        images, labels, usage = read(csv, tuple(USAGES.values()))
        soft = None if votes is None else read_votes(votes, self.class_names, np.array(tuple(USAGES.values()))[usage])
        parts: dict[str, ImageSet] = {}
        for code, split in enumerate(USAGES):
            rows = np.flatnonzero(usage == code)
            if len(rows):
                chosen = None if soft is None else soft[rows]
                parts[split] = ImageSet.of(images[rows], labels[rows], self.class_names, chosen)
            elif split != "validation":
                raise DataError(f"{csv}: no {USAGES[split]} images; is the file whole?")
        return Splits(**parts, notes=self.count_notes({split: len(part) for split, part in parts.items()}))


def _by_name(part: Files) -> Files:
    """In the order of the class folders' own names, as the rows have always been."""
    return part.rows(sorted(range(len(part.names)), key=lambda row: part.names[row].partition("/")[0]))


def _csv(base: Path) -> Path | None:
    return next((base / name for name in CSV_NAMES if (base / name).is_file()), None)


def _split_of(path: Path) -> str:
    prefix = path.name.partition("_")[0]
    for split in ("validation", "test"):
        if prefix == USAGES[split]:
            return split
    raise DataError(
        f"{path}: in test/, a name must start with {USAGES['validation']} or {USAGES['test']} to tell the splits apart"
    )
