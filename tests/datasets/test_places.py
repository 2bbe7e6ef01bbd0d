"""Data sets of one name that are not one data set: at two places, or with two arguments."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import datasets
from datasets.base import Splits
from datasets.file_lists import Listing
from datasets.images.file_dataset import FileDataset
from datasets.images.listing import class_folders
from datasets.registry import DATASETS
from tests.datasets import miniatures as mini

TIMES = (10**18, 10**18)


def same_outside(folder: Path) -> None:
    """Equal times, which equal sizes and names go with: bitmaps of one size, an archive that was unpacked twice."""
    for path in folder.rglob("*"):
        os.utime(path, ns=TIMES)


def bitmaps(folder: Path, colour: int) -> None:
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (folder / split / name).mkdir(parents=True)
            Image.new("RGB", (4, 4), (colour, colour, colour)).save(folder / split / name / "1.bmp")
    same_outside(folder)


def test_a_folder_is_not_decoded_from_another_folders_cache(tmp_path: Path) -> None:
    bitmaps(tmp_path / "a/pets", 10)
    bitmaps(tmp_path / "b/pets", 20)
    for place, colour in (("a", 10), ("b", 20), ("a", 10)):
        splits = DATASETS.load(f"folder:{tmp_path}/{place}/pets")(tmp_path).load()
        assert set(np.unique(splits.train.images)) == {colour}


def test_batches_are_not_read_from_another_data_folders_cache(tmp_path: Path) -> None:
    found = {}
    for place in ("a", "b"):
        mini.cifar_batches(tmp_path / place / "cifar10")
        batch = tmp_path / place / "cifar10/cifar-10-batches-py/data_batch_1"
        content = batch.read_bytes()
        blue = bytes([7]) * 100
        batch.write_bytes(content.replace(blue, bytes([ord(place)]) * 100))
        assert blue in content and batch.stat().st_size == len(content)
        same_outside(tmp_path / place)
        found[place] = DATASETS.load("cifar10")(tmp_path / place).load().train.fingerprint
    assert found["a"] != found["b"]


def test_a_link_to_a_folder_is_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bitmaps(tmp_path / "a/pets", 10)
    (tmp_path / "link").symlink_to("a/pets")
    DATASETS.load(f"folder:{tmp_path}/a/pets")(tmp_path).load()
    monkeypatch.setattr("datasets.images.file_dataset.decode_all", None)  # decoding again would fail
    monkeypatch.chdir(tmp_path / "a")
    for path in (f"{tmp_path}/link", "pets", "../link/"):
        assert len(DATASETS.load(f"folder:{path}")(tmp_path).load().train) == 2


class Yearly(FileDataset):
    """Images of one year, all of them in one folder."""

    name = "yearly"
    class_names = ("cat", "dog")
    takes = "YEAR"

    def recognises(self, base: Path) -> bool:
        return True

    def read(self, base: Path) -> Listing:
        codes = {"cat": 0, "dog": 1}
        part = class_folders(base / str(self.argument), codes)
        return Listing({"train": part, "test": part}, self.class_names)


@pytest.fixture
def yearly() -> None:
    datasets.register("yearly", "one year's images")(Yearly)


@pytest.mark.usefixtures("yearly")
def test_what_follows_a_name_is_part_of_what_is_cached(tmp_path: Path) -> None:
    for number, year in enumerate(("2019", "2020")):
        for name in Yearly.class_names:
            mini.put(tmp_path / f"yearly/{year}/{name}/1.png", number)
    loaded: dict[str, Splits] = {y: DATASETS.load(f"yearly:{y}")(tmp_path).load() for y in ("2019", "2020")}
    assert [mini.numbers(splits.train) for splits in loaded.values()] == [[0, 0], [1, 1]]


ARGUMENTS = ("2019", "2020", "a b", "x" * 99, "x" * 101, "x" * 5000, "/a/2019", "/b/2019", "b/2019", "2019\n", "\udce9")


@pytest.mark.usefixtures("yearly")
def test_what_follows_a_name_is_part_of_its_identity_and_no_path_is(tmp_path: Path) -> None:
    found = {text: DATASETS.load(f"yearly:{text}")(tmp_path).identity() for text in ARGUMENTS}
    assert found["2019"] == "yearly:2019" and found["a b"] == "yearly:a b"
    assert found["/a/2019"].startswith("yearly:2019-") and len(found["/a/2019"]) == len("yearly:2019-") + 8
    assert len({*found.values()}) == len(ARGUMENTS)
    for identity in found.values():
        assert "/" not in identity and identity.isprintable() and len(identity.encode()) < 200
    assert DATASETS.load("yearly")(tmp_path).identity() == "yearly"


@pytest.mark.usefixtures("yearly")
def test_a_typed_name_is_made_absolute_by_the_data_set_that_knows_whether_it_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bitmaps(tmp_path / "data/pets", 10)
    bitmaps(tmp_path / "here/cats", 10)
    monkeypatch.chdir(tmp_path / "here")
    absolute = {
        "digits": "digits",
        "yearly:2019": "yearly:2019",
        "folder:pets": f"folder:{tmp_path}/data/pets",  # below the data folder
        "folder:cats": f"folder:{tmp_path}/here/cats",  # below the working folder
        f"folder:{tmp_path}/here/../data/pets": f"folder:{tmp_path}/data/pets",
    }
    for typed, wanted in absolute.items():
        assert DATASETS.load(typed)(Path("../data")).absolute() == wanted
