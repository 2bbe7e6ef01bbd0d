"""AffectNet's manually annotated part (Mollahosseini, Hasani and Mahoor, 2017), in the older and the newer layout."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from datasets.cache.walk import regular, walk
from datasets.errors import DataError
from datasets.expressions.folders import expression_folders, has_expressions
from datasets.file_lists import Box, Files, ImageFile, Listing, Skipped
from datasets.images.file_dataset import FileDataset
from datasets.images.listing import images_below, only_existing
from datasets.images.text import rows, whole_number

_CODES = 11  # 8 none, 9 uncertain, 10 no face: valid, and left out
_COLUMNS = ("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks", "expression")
_CSV = {"train": "training.csv", "test": "validation.csv"}
_SETS = {"train": "train_set", "test": "val_set"}
_LISTS = ("", "Manually_Annotated_file_lists")
_IMAGES = ("", "Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images", "Manually_Annotated")
_EXPRESSION = "_exp.npy"


class AffectNet(FileDataset):
    """287,651 training faces from the web and 4,000 of the validation set, which serves as test set; eight classes.

    Layouts, in `<root>/affectnet/`: the older `training.csv` and `validation.csv` (columns by their header, or in the
    official order where a copy has none), whose face boxes are cut out of the images in `Manually_Annotated_Images/`;
    the newer `train_set|val_set/images/0.jpg` with `annotations/0_exp.npy`, cut already; or class folders
    `train|val/<0..7 or name>/`, as copies on Kaggle have. Images without an
    expression (codes 8-10) are left out. Listed images that are missing are noted.
    """

    name = "affectnet"
    class_names: ClassVar[tuple[str, ...]] = (
        "neutral",
        "happiness",
        "sadness",
        "surprise",
        "fear",
        "disgust",
        "anger",
        "contempt",
    )  # codes 0..7
    official: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "train": (74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750),
        "test": (500,) * 8,
    }
    source = (
        "apply at http://mohammadmahoor.com/affectnet/ (research only: an agreement signed by the head of a "
        "university's laboratory)"
    )
    layouts = "training.csv, validation.csv and Manually_Annotated_Images/, or train_set|val_set/{images,annotations}/"
    nested = ("AffectNet", "affectnet", "Manually_Annotated")

    @property
    def folder(self) -> Path:
        """Seven classes and eight are read from one folder."""
        return self.root / "affectnet"

    def recognises(self, base: Path) -> bool:
        """One of the layouts."""
        listed = self._csv(base, "train") is not None or (base / "train_set/annotations").is_dir()
        return listed or has_expressions(base, AffectNet.class_names)

    def read(self, base: Path) -> Listing:
        """The newer layout where it is there, else the older, else class folders."""
        if self._csv(base, "train") is None and not (base / "train_set/annotations").is_dir():
            return self._class_folders(base)
        splits: dict[str, Files] = {}
        notes: tuple[str, ...] = ()
        for split in ("train", "test"):
            if (base / "train_set").is_dir():
                found, there = self._annotations(base / _SETS[split])
            else:
                found, there = self._table(base, split)
            splits[split], note = only_existing(self.name, split, found, there)
            notes += note
        return Listing(splits, self.class_names, notes=notes)

    def _class_folders(self, base: Path) -> Listing:
        skipped = Skipped()
        splits = expression_folders(base, "AffectNet", AffectNet.class_names, skipped)
        for split, part in splits.items():
            splits[split] = part.rows(row for row, label in enumerate(part.labels) if label < len(self.class_names))
        if "test" not in splits and "validation" in splits:
            splits["test"] = splits.pop("validation")
        return Listing(splits, self.class_names, skipped=skipped)

    def _csv(self, base: Path, split: str) -> Path | None:
        return next((path for name in _LISTS if (path := base / name / _CSV[split]).is_file()), None)

    def _table(self, base: Path, split: str) -> tuple[Files, set[str]]:
        table = self._csv(base, split)
        if table is None:
            raise DataError(f"{base}: no {_CSV[split]}; {self.source}")
        faces = _rows(table)
        first = next(faces, None)
        if first is None:
            raise DataError(f"{table}: no rows")
        places = [place for name in _IMAGES for place in (base / name, base.parent / name) if place.is_dir()]
        inside = not Path(first[1]).is_absolute() and ".." not in Path(first[1]).parts
        images = next((place for place in places if inside and regular(place / first[1])), None)
        if images is None:  # the first image is missing: the folder that is named for them
            images = next((base / name for name in _IMAGES[1:] if (base / name).is_dir()), base)
        found = Files()
        for number, name, code, box in itertools.chain([first], faces):
            self._keep(found, ImageFile(images / name, box), code, name, f"{table}: row {number:,}")
        return found, {str(path) for path in images_below(images)}

    def _annotations(self, folder: Path) -> tuple[Files, set[str]]:
        from datasets.images.arrays import read_npy

        if not (folder / "annotations").is_dir() or not (folder / "images").is_dir():
            raise DataError(f"{folder}: images/ and annotations/ must be in it; {self.source}")
        images = {path.stem: path for path in images_below(folder / "images")}
        there = (folder / "annotations" / name for name, _ in walk(folder / "annotations"))
        annotations = [path for path in there if path.name.endswith(_EXPRESSION)]
        found = Files()
        for path in sorted(annotations, key=lambda path: (len(path.name), path.name)):  # 2 before 10
            stem = path.name.removesuffix(_EXPRESSION)
            number = read_npy(path)
            code = number.astype("U").item().removesuffix(".0") if number.size == 1 else f"of {number.shape}"
            image = images.get(stem, folder / "images" / f"{stem}.jpg")
            self._keep(found, ImageFile(image), code, image.name, str(path))
        return found, {str(path) for path in images.values()}

    def _keep(self, found: Files, file: ImageFile, code: str, name: str, where: str) -> None:
        """Add a row, unless it shows none of the classes."""
        label = whole_number(code, _CODES)
        if label is None:
            raise DataError(f"{where}: expression '{code[:20]}' is not one of 0..{_CODES - 1}")
        if label < len(self.class_names):
            found.add(file, label, name)


class AffectNet7(AffectNet):
    """AffectNet without contempt: 283,901 training and 3,500 test faces."""

    name = "affectnet7"
    class_names = AffectNet.class_names[:7]
    official: ClassVar[Mapping[str, tuple[int, ...]]] = {
        split: counts[:7] for split, counts in AffectNet.official.items()
    }


def _rows(table: Path) -> Iterator[tuple[int, str, str, Box | None]]:
    """(row, file, expression, face box) of a table with or without header; rows count from 1, the header not."""
    reader = rows(table, errors="replace")
    first = next(reader, [])
    names = [name.strip() for name in first]
    headed = "expression" in names
    at = {name: (names.index(name) if name in names else None) if headed else k for k, name in enumerate(_COLUMNS)}
    path_at, code_at = at["subDirectory_filePath"], at["expression"]
    if path_at is None or code_at is None:
        raise DataError(f"{table}: the header lacks subDirectory_filePath; found: {', '.join(names)[:80]}")
    box_at = [at[name] for name in ("face_x", "face_y", "face_width", "face_height")]
    for number, row in enumerate(reader if headed else itertools.chain([first], reader), start=1):
        try:
            box = None
            if None not in box_at:
                x, y, width, height = (round(float(row[column])) for column in box_at if column is not None)
                box = (x, y, x + width, y + height)
            yield number, row[path_at].strip().replace("\\", "/"), row[code_at].strip(), box
        except (IndexError, ValueError, OverflowError):
            if len(row) > code_at and row[code_at].strip() in ("8", "9", "10"):
                continue  # no face, hence no box
            raise DataError(f"{table}: row {number:,}: malformed (truncated file?): {','.join(row)[:60]}") from None
