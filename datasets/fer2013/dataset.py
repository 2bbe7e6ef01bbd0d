"""FER2013 (Goodfellow et al., ICONIP 2013) in any of the layouts Kaggle gives it out in, with FER+ votes if present."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from datasets.base import DataError, Dataset, ImageSet, Splits
from datasets.cache.store import cached, file_digest, key_of

if TYPE_CHECKING:
    import numpy as np

CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
VOTES_NAME = "fer2013new.csv"
OFFICIAL = {"Training": 28709, "PublicTest": 3589, "PrivateTest": 3589}
_SOURCE = (
    'get it from Kaggle, "Challenges in Representation Learning: Facial Expression Recognition Challenge" '
    "(https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge; a Kaggle "
    "account and its competition rules: research and education only)"
)


class FER2013(Dataset):
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

    def present(self) -> bool:
        """Whether one of the layouts is there."""
        return self._csv() is not None or self._tree() is not None

    def load(self, image_size: int | None = None) -> Splits:
        """28,709, 3,589 (validation) and 3,589 images [N, 48, 48, 1] (or `image_size`); other counts are noted."""
        from datasets.fer2013.folders import listing_digest
        from datasets.images.resize import resize_splits

        csv, tree = self._csv(), self._tree()
        if csv is not None:
            votes = csv.with_name(VOTES_NAME)
            beside = votes if votes.is_file() else None
            content = [file_digest(path, self.root) for path in (csv, beside) if path is not None]
            key = key_of(self.cache_version, content, image_size)
            return cached(self.name, key, self.root, lambda: resize_splits(self._from_csv(csv, beside), image_size))
        if tree is not None:
            key = key_of(self.cache_version, listing_digest(tree), image_size)
            return cached(self.name, key, self.root, lambda: resize_splits(self._from_folders(tree), image_size))
        raise self.missing()

    def _bases(self) -> tuple[Path, Path]:
        return self.folder, self.folder / "fer2013"

    def _csv(self) -> Path | None:
        files = (base / name for base in self._bases() for name in CSV_NAMES)
        return next((path for path in files if path.is_file()), None)

    def _tree(self) -> Path | None:
        return next((base for base in self._bases() if (base / "train").is_dir() and (base / "test").is_dir()), None)

    def _from_csv(self, csv: Path, votes: Path | None) -> Splits:
        import numpy as np

        from datasets.fer2013 import csv_file as fer2013_csv
        from datasets.fer2013.ferplus import read_votes

        images, labels, usage = fer2013_csv.read(csv, tuple(OFFICIAL))
        soft = None if votes is None else read_votes(votes, self.class_names, np.array(tuple(OFFICIAL))[usage])
        return self._splits(images, labels, usage, soft, str(csv), ())

    def _from_folders(self, tree: Path) -> Splits:
        from datasets.fer2013 import folders as fer2013_folders

        images, labels, usage = fer2013_folders.read(tree, self.class_names, tuple(OFFICIAL))
        notes: tuple[str, ...] = ()
        if (tree / VOTES_NAME).is_file():
            notes = (f"fer2013: {VOTES_NAME} is not used, since image folders do not keep the rows' order",)
        return self._splits(images, labels, usage, None, str(tree), notes)

    def _splits(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        usage: np.ndarray,
        soft: np.ndarray | None,
        where: str,
        notes: tuple[str, ...],
    ) -> Splits:
        """Part by `usage` [N] (index into OFFICIAL)."""
        import numpy as np

        parts: list[ImageSet | None] = []
        for code, (name, official) in enumerate(OFFICIAL.items()):
            rows = np.flatnonzero(usage == code)
            if len(rows) != official:
                notes += (f"fer2013: {len(rows):,} {name} images, not the official {official:,}",)
            chosen = None if soft is None else soft[rows]
            parts.append(ImageSet.of(images[rows], labels[rows], self.class_names, chosen) if len(rows) else None)
        train, validation, test = parts
        if train is None or test is None:
            raise DataError(f"{where}: no {'Training' if train is None else 'PrivateTest'} images; is the file whole?")
        return Splits(train=train, test=test, validation=validation, notes=notes)
