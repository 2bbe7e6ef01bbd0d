"""Folders that are named for expressions, by name or by number, in splits that are named in any usual way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datasets.cache.walk import subfolders
from datasets.errors import DataError
from datasets.file_lists import Files, Skipped
from datasets.images.listing import class_folders, count_loose, split_folders

# Folders are mapped by name, never by their order: alphabetical order swaps classes.
_SPELLINGS = {
    "anger": {"anger", "angry"},
    "disgust": {"disgust", "disgusted"},
    "fear": {"fear", "fearful", "afraid", "scared"},
    "happiness": {"happiness", "happy"},
    "sadness": {"sadness", "sad"},
    "surprise": {"surprise", "surprised"},
    "neutral": {"neutral"},
    "contempt": {"contempt"},
}


def has_expressions(base: Path, class_names: Sequence[str], first_code: int = 0) -> bool:
    """Whether there is a train split with folders of these classes in it."""
    train = split_folders(base).get("train")
    return train is not None and any(
        expression(name, class_names, first_code) is not None for name in subfolders(train)
    )


def expression(name: str, class_names: Sequence[str], first_code: int = 0) -> int | None:
    """The class that a folder is named for: `happy`, or its number; None for none of them."""
    text = name.strip().casefold()
    for label, class_name in enumerate(class_names):
        if text in _SPELLINGS[class_name] or text == str(label + first_code):
            return label
    return None


def expression_folders(
    base: Path, title: str, class_names: Sequence[str], skipped: Skipped, first_code: int = 0
) -> dict[str, Files]:
    """The images of every split in `base`, by their class folders. Raises DataError for a folder of no class."""
    splits = {}
    for split, folder in split_folders(base).items():
        labels = {}
        for name in subfolders(folder):
            label = expression(name, class_names, first_code)
            if label is None:
                codes = f"or {first_code}..{first_code + len(class_names) - 1}"
                raise DataError(f"{folder / name}: not a class of {title}; valid: {', '.join(class_names)}, {codes}")
            labels[name] = label
        splits[split] = class_folders(folder, labels, skipped=skipped)
        count_loose(folder, skipped)
    return splits
