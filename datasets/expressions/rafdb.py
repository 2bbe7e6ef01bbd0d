"""RAF-DB's basic expressions (Li, Deng and Du, CVPR 2017), as its authors send it or as class folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from datasets.errors import DataError
from datasets.expressions.folders import expression_folders, has_expressions
from datasets.file_lists import Files, ImageFile, Listing, Skipped
from datasets.images.file_dataset import FileDataset
from datasets.images.listing import images_below, only_existing
from datasets.noise.lists import read_list

_LISTS = ("EmoLabel/list_patition_label.txt", "EmoLabel/list_partition_label.txt", "list_patition_label.txt")
_IMAGES = ("Image/aligned", "Image/original", "aligned")


class RAFDB(FileDataset):
    """15,339 faces from the web, aligned, 100x100 colour, seven classes, about 40 annotators an image.

    Layouts, in `<root>/rafdb/` or in `basic/` in it: `EmoLabel/list_patition_label.txt` (sic) with
    `Image/aligned/train_00001_aligned.jpg`, or `train|test/<1..7>/*.jpg`. Listed images that are missing are noted.
    """

    name = "rafdb"
    class_names = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # codes 1..7
    first_code = 1
    official: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "train": (1290, 281, 717, 4772, 1982, 705, 2524),
        "test": (329, 74, 160, 1185, 478, 162, 680),
    }
    source = (
        "apply to its authors at http://whdeng.cn/RAF/model1.html (research only: an agreement signed by a member of "
        "a university; they send the password of the archive)"
    )
    layouts = "EmoLabel/list_patition_label.txt and Image/aligned/*_aligned.jpg, or train|test/<1..7>/*.jpg"
    nested = ("basic", "RAF-DB", "rafdb", "RAF-DB/basic", "DATASET")

    def recognises(self, base: Path) -> bool:
        """A label list, or class folders."""
        return self._list(base) is not None or has_expressions(base, self.class_names, self.first_code)

    def read(self, base: Path) -> Listing:
        """By the label list where there is one."""
        labels = self._list(base)
        if labels is None:
            skipped = Skipped()
            trees = expression_folders(base, "RAF-DB", self.class_names, skipped, self.first_code)
            for part in trees.values():
                part.names = [name.rpartition("/")[2].replace("_aligned", "") for name in part.names]
            return Listing(trees, self.class_names, skipped=skipped)
        images = next((base / name for name in _IMAGES if (base / name).is_dir()), None)
        if images is None:
            packed = next((path for name in _IMAGES if (path := base / f"{name}.zip").is_file()), None)
            mend = f"{packed} is still packed: unzip {packed} -d {packed.parent}" if packed else self.source
            raise DataError(f"{base}: no images: looked in {' and '.join(_IMAGES)}; {mend}")
        there = {path.name: path for path in images_below(images)}  # wherever in there: people unpack twice
        splits = {"train": Files(), "test": Files()}
        for name, label in read_list(labels, self.first_code, self.class_names):
            split = name.partition("_")[0]
            if split not in splits:
                raise DataError(f"{labels}: {name} begins with neither train_ nor test_")
            stem, _, suffix = name.rpartition(".")
            aligned = f"{stem}_aligned.{suffix}"
            splits[split].add(ImageFile(there.get(name) or there.get(aligned) or images / aligned), label, name)
        notes: tuple[str, ...] = ()
        paths = {str(path) for path in there.values()}
        for split, part in splits.items():
            splits[split], note = only_existing(self.name, split, part, paths)
            notes += note
        return Listing(splits, self.class_names, notes=notes)

    def _list(self, base: Path) -> Path | None:
        return next((base / name for name in _LISTS if (base / name).is_file()), None)
