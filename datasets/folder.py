"""Any tree of class folders: `--datasets folder:PATH`."""

from __future__ import annotations

from pathlib import Path

from datasets.cache.digests import content_digest
from datasets.errors import DataError
from datasets.images.file_dataset import FileDataset
from datasets.images.listing import Listing, class_folders, folders_in

_TEST = ("test", "val", "valid", "validation")
TEST_SHARE = 0.2
SPLIT_SEED = 0


class Folder(FileDataset):
    """Classes and image sizes as they are found in `train|test/<class>/`, or in `<class>/` alone.

    PATH is absolute, or below the working folder or the data folder. A `val/` (valid/, validation/) beside a `test/` is
    the validation split, without one it is the test split. Without either, a fifth of the train images, class shares
    kept, drawn once with seed 0, is the test split, and a note says so. Images are grey where all are, else colour; one
    that is not square gives the largest square in its middle. Classes in the order of their names.
    """

    name = "folder"
    class_names = ()
    takes = "PATH"
    source = "give your own: --datasets folder:PATH"
    layouts = "train/<class>/ and test/<class>/, or <class>/ alone"
    fit = "centre"

    @property
    def folder(self) -> Path:
        """The PATH of `folder:PATH`."""
        path = Path(self.argument or "").expanduser()
        return path if path.is_absolute() or (self.argument and path.is_dir()) else self.root / path

    def recognises(self, base: Path) -> bool:
        """A folder with folders, if one was named."""
        return bool(self.argument) and bool(folders_in(base))

    def identity(self) -> str:
        """By the folder's name and content: moving it changes nothing, an added image does."""
        self._base()
        return f"folder:{self.folder.resolve().name}-{content_digest(self.folder, self.root)[:8]}"

    def read(self, base: Path) -> Listing:
        """Every class folder of every split."""
        train = base / "train" if (base / "train").is_dir() else base
        others = [base / name for name in _TEST if (base / name).is_dir() and train != base]
        names = sorted(folders_in(train))
        codes = {name: code for code, name in enumerate(names)}
        for split in others:
            if strange := sorted(set(folders_in(split)) - set(names)):
                raise DataError(f"{split / strange[0]}: no class of {train}; its classes: {', '.join(names)[:200]}")
        splits = {"train": class_folders(train, codes)}
        notes: tuple[str, ...] = ()
        if len(names) < 2 or not splits["train"].files:
            raise DataError(f"{train}: images in at least two class folders are wanted, found {len(names)} folders")
        if others:
            splits["test"] = class_folders(others[0], codes)
            if len(others) > 1:
                splits["validation"] = class_folders(others[1], codes)
            if others[0].name != "test":
                notes = (f"folder: {others[0].name}/ serves as the test split",)
        else:
            import numpy as np

            from datasets.images.resize import stratified_split

            everything = splits["train"]
            size = round(TEST_SHARE * len(everything.labels))
            train_rows, test_rows = stratified_split(np.array(everything.labels), size, SPLIT_SEED)
            splits = {"train": everything.rows(train_rows.tolist()), "test": everything.rows(test_rows.tolist())}
            notes = (
                f"folder: no test/, so {len(test_rows):,} of {len(everything.labels):,} images, drawn with seed "
                f"{SPLIT_SEED}, are the test split",
            )
        channels = 1 if _all_grey([file.path for part in splits.values() for file in part.files]) else 3
        return Listing(splits, tuple(names), channels, notes)


def _all_grey(paths: list[Path]) -> bool:
    """By the files' headers, until one is in colour; a file that cannot be read is reported when it is decoded."""
    import contextlib

    from PIL import Image

    for path in paths:
        with contextlib.suppress(Exception), Image.open(path) as image:
            if image.mode not in ("1", "L", "LA") and not image.mode.startswith("I"):
                return False
    return True
