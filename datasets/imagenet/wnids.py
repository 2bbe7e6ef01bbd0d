"""WordNet ids (n01440764) in people's lists: of classes, and of what each validation image shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets.errors import DataError
from datasets.file_lists import Files, ImageFile, Skipped
from datasets.images.listing import class_folders, images_below, only_existing
from datasets.images.text import lines

_WNID = re.compile(r"(?<![A-Za-z0-9])n\d{8}(?!\d)")
_LISTS = ("val_annotations.txt", "LOC_val_solution.csv", "val_solution.csv", "val.txt", "val_labels.txt", "val.csv")


def listed(table: Path) -> list[str]:
    """All ids in a text file (any columns) or a JSON file (keys or items), sorted. Raises DataError."""
    return sorted({wnid for line in lines(table) for wnid in _WNID.findall(line)})


def validation(
    name: str, base: Path, folder: Path, codes: Mapping[str, int], skipped: Skipped, others: bool = False
) -> tuple[Files, tuple[str, ...]]:
    """The validation images and notes: by class folders in `folder`, else by a list of what each image shows.

    The list (as Tiny ImageNet and Kaggle's ImageNet have it) lies in `folder` or `base`; a line holds a file's name
    and an id. `others`: it may name classes that are none of `codes`, whose images are left out. Raises DataError.
    """
    table = next((place / file for place in (folder, base) for file in _LISTS if (place / file).is_file()), None)
    sorted_in = class_folders(folder, codes, skipped=skipped)
    if sorted_in.files:
        return sorted_in, ()
    there = {path.stem: path for path in images_below(folder)}
    if table is None:
        raise DataError(
            f"{folder}: {len(there):,} images, but no folders of the classes; put a list beside them ({_LISTS[0]} or "
            f"{_LISTS[1]}: lines with a file's name and its class, as {_example(there)} n01440764), or sort them into "
            f"{folder.name}/<wnid>/"
        )
    found = Files()
    for number, line in enumerate(lines(table), start=1):
        fields = re.split(r"[\s,]+", line.strip(), maxsplit=1)
        wnid = _WNID.search(fields[1]) if len(fields) == 2 else None
        if wnid is not None and wnid[0] in codes:
            path = there.get(Path(fields[0]).stem) or folder / fields[0]
            found.add(ImageFile(path), codes[wnid[0]], Path(fields[0]).name)
        elif wnid is not None and not others:
            raise DataError(
                f"{table}: line {number:,}: '{wnid[0]}' names no class folder of train/, which has {len(codes):,}: is "
                f"{name} whole? python bench.py data prepare {name} --from ARCHIVE unpacks it again"
            )
        elif wnid is None and line.strip() and number > 1:  # the first may be a header
            raise DataError(f"{table}: line {number:,}: '{line.strip()[:40]}' names no class folder of train/")
    return only_existing(name, "test", found, {str(path) for path in there.values()})


def _example(names: Sequence[str] | Mapping[str, Path]) -> str:
    return next(iter(names), "ILSVRC2012_val_00000001")
