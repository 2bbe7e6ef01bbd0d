from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from datasets.base import Splits
from datasets.errors import DataError
from datasets.registry import DATASETS
from tests.datasets import miniatures as mini


def load(name: str, root: Path) -> Splits:
    splits: Splits = DATASETS.load(name)(root).load()
    return splits


def write_tree(base: Path, splits: tuple[str, ...], count: int = 10) -> None:
    for split_number, split in enumerate(splits):
        for label, name in enumerate(("cat", "dog")):
            for i in range(count):
                mini.put(base / split / name / f"{i}.png", 100 * split_number + 10 * label + i)


def test_folder_takes_classes_and_splits_as_found(tmp_path: Path) -> None:
    write_tree(tmp_path / "pets", ("train", "test", "val"))
    splits = load(f"folder:{tmp_path}/pets", tmp_path)
    assert splits.train.class_names == ("cat", "dog") and splits.notes == ()
    assert splits.validation is not None and mini.numbers(splits.validation)[0] == 200
    assert mini.numbers(splits.test)[0] == 100 and splits.test.labels.tolist() == [0] * 10 + [1] * 10
    assert len(load("folder:pets", tmp_path).train) == 20  # below the data folder


def test_folder_without_a_test_split_makes_one_and_says_so(tmp_path: Path) -> None:
    for place, splits in (("flat", ("",)), ("train only", ("train",))):
        write_tree(tmp_path / place, splits)
        found = load(f"folder:{tmp_path}/{place}", tmp_path)
        assert np.bincount(found.test.labels).tolist() == [2, 2] and np.bincount(found.train.labels).tolist() == [8, 8]
        assert sorted(mini.numbers(found.train) + mini.numbers(found.test)) == list(range(20))
        assert "no test/, so 4 of 20 images" in found.notes[0]


def test_folder_of_grey_images_is_grey(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / f"g/{split}/{name}").mkdir(parents=True)
            Image.new("L", (4, 4), 9).save(tmp_path / f"g/{split}/{name}/1.png")
    assert load(f"folder:{tmp_path}/g", tmp_path).train.images.shape == (2, 4, 4, 1)


def test_folder_errors(tmp_path: Path) -> None:
    write_tree(tmp_path / "pets", ("train", "test"), 1)
    mini.put(tmp_path / "pets/test/horse/1.png", 1)
    with pytest.raises(DataError, match="test/horse: no class of .*cat, dog"):
        load(f"folder:{tmp_path}/pets", tmp_path)
    with pytest.raises(UserError, match="'folder:': PATH is missing"):
        DATASETS.load("folder:")
    with pytest.raises(UserError, match="'digits:x': takes no argument"):
        DATASETS.load("digits:x")
    with pytest.raises(UserError, match="unknown data set 'floder:x'|unknown data set 'floder'"):
        DATASETS.load("floder:x")
    with pytest.raises(DataError, match="folder is missing"):
        DATASETS.load("folder:nowhere")(tmp_path).load()


def test_identity_of_a_folder_is_its_name_and_content_never_its_place(tmp_path: Path) -> None:
    write_tree(tmp_path / "a/pets", ("train", "test"), 2)
    first = DATASETS.load(f"folder:{tmp_path}/a/pets")(tmp_path).identity()
    (tmp_path / "a").rename(tmp_path / "b")
    dataset = DATASETS.load(f"folder:{tmp_path}/b/pets")(tmp_path)
    assert dataset.identity() == first and first.startswith("folder:pets-") and len(first) == len("folder:pets-") + 8
    mini.put(tmp_path / "b/pets/train/cat/9.png", 9)
    assert dataset.identity() != first
