"""Which line of a list of labels means which file: characters, formulas, other splits' files of the same names."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from common.text import printable, spreadsheet_cell
from datasets.base import ImageSet
from datasets.errors import DataError
from datasets.noise.lists import published


def split(*names: str) -> ImageSet:
    """Two classes; every image is of the first, and named as `FileDataset` names it."""
    made = ImageSet.of(np.zeros((len(names), 4, 4, 1), np.uint8), np.zeros(len(names), int), ("first", "second"))
    return dataclasses.replace(made, names=np.array([printable(name) for name in names]))


def labels(train: ImageSet, path: Path, *lines: str) -> list[int]:
    path.write_text("\n".join(lines), encoding="utf-8")
    found: list[int] = published(train, path)[0].tolist()
    return found


SHOTS = ("cat/Shot 10.00\u202fAM.png", "cat/Shot 11.00\u202fAM.png", "dog/caf\xa0\xe9.png")


@pytest.mark.parametrize("named", ["{0}", "train/{0}", "{1}", "C:\\pets\\{2}", "'{0}'"])
def test_blanks_that_no_terminal_shows_are_in_the_names_of_files_and_lists(tmp_path: Path, named: str) -> None:
    """macOS puts U+202F into screenshots' names; a list may have it, or what is printed for it."""
    listed = [named.format(name, name.rpartition("/")[2], name.replace("/", "\\")).strip("'") for name in SHOTS]
    if named.startswith("'"):
        listed = [printable(name) for name in listed]
    given = [f"{name} {label}" for name, label in zip(listed, (0, 1, 1), strict=True)]
    assert labels(split(*SHOTS), tmp_path / "n.txt", *given) == [0, 1, 1]


def test_a_backslash_before_what_looks_like_an_escape_may_be_windows(tmp_path: Path) -> None:
    train = split("cat/x10.png", "dog/u2028.png")
    assert labels(train, tmp_path / "n.txt", r"D:\pets\cat\x10.png 1", r"D:\pets\dog\u2028.png 0") == [1, 0]


@pytest.mark.parametrize("separator", [" ", ","])
def test_names_that_our_tables_keep_from_being_formulas_fit(tmp_path: Path, separator: str) -> None:
    names = ("+1/a.png", "+1/b.png", "-1/a.png", "=x/a.png", "@home/a.png", "'own/a.png")
    given = [f"{spreadsheet_cell(name)}{separator}{label}" for label, name in enumerate(names) if label < 2]
    given += [f"{spreadsheet_cell(name)}{separator}1" for name in names[2:]]
    assert given[0].startswith("'+1/") and labels(split(*names), tmp_path / "n.txt", *given) == [0, 1, 1, 1, 1, 1]


TRAIN = ("a/1.png", "b/2.png")
FIRST = {  # lines that say 0 for the first file and 1 for the second, among others that mean neither
    "a test file of the same last part": ("train/a/1.png 0", "train/b/2.png 1", "test/b/1.png 1"),
    "before it": ("test/b/1.png 1", "test/c/1.png 0", "train/a/1.png 0", "train/b/2.png 1"),
    "a test file of the same class": ("test/a/1.png 1", "train/a/1.png 0", "train/b/2.png 1", "val/b/2.png 0"),
    "without the splits' folder": ("a/1.png 0", "b/2.png 1", "Testing/a/1.png 1"),
    "test files that contradict each other": ("train/a/1.png 0", "train/b/2.png 1", "test/a/9.png 1", "test/b/9.png 0"),
}


@pytest.mark.parametrize("case", FIRST)
def test_the_line_that_is_closest_to_a_files_name_is_its_label(tmp_path: Path, case: str) -> None:
    assert labels(split(*TRAIN), tmp_path / "n.txt", *FIRST[case]) == [0, 1]


def test_it_is_where_names_repeat_too(tmp_path: Path) -> None:
    given = ("test/a/1.png 1", "test/b/1.png 0", "train/a/1.png 0", "train/b/1.png 1")
    assert labels(split("a/1.png", "b/1.png"), tmp_path / "n.txt", *given) == [0, 1]


CONTRADICTIONS = {
    "one name": ("a/1.png 0", "a/1.png 1", "b/2.png 1"),
    "one file from two places": ("/old/a/1.png 0", "/new/a/1.png 1", "b/2.png 1"),
    "with its folder and without": ("train/a/1.png 0", "1.png 1", "b/2.png 1"),
    "as close, of neither split": ("c/1.png 0", "d/1.png 1", "b/2.png 1"),
    "in the train folder and in none": ("train/a/1.png 0", "a/1.png 1", "b/2.png 1"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_two_labels_for_one_file_are_refused(tmp_path: Path, case: str) -> None:
    with pytest.raises(DataError, match="n.txt: two different labels for .*1.png"):
        labels(split(*TRAIN), tmp_path / "n.txt", *CONTRADICTIONS[case])
