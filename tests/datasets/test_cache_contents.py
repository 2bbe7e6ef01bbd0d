"""What an entry keeps besides images and labels, and images that are decoded straight into it."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import numpy as np
import pytest

from datasets.base import ImageSet, Splits
from datasets.cache.store import cached, cached_in
from datasets.errors import DataError
from datasets.images.decode import new_map
from tests.datasets.test_cache import KEY, _own_user_cache, entry, leftovers, make, refuse

__all__ = ["_own_user_cache"]  # a fixture for these tests too


def mapped(folder: Path) -> Splits:
    """As `make`, its train images made in the cache's own folder."""
    made = make()
    images = new_map(folder / "any.npy", made.train.images.shape)
    images[:] = made.train.images
    return dataclasses.replace(made, train=dataclasses.replace(made.train, images=images))


def test_images_that_were_made_in_the_cache_are_kept_not_copied(tmp_path: Path) -> None:
    inode = []

    def build(folder: Path) -> Splits:
        splits = mapped(folder)
        inode.append((folder / "any.npy").stat().st_ino)
        return splits

    splits = cached_in("thing", KEY, tmp_path, build)
    assert (entry(tmp_path) / "train.images.npy").stat().st_ino == inode[0]
    assert np.array_equal(splits.train.images, make().train.images)
    assert sorted(path.name for path in entry(tmp_path).iterdir() if "any" in path.name) == []


def test_a_relative_data_folder_keeps_one_copy_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cached_in("thing", KEY, Path("data"), mapped)
    left = sorted(path.name for path in entry(tmp_path / "data").iterdir())
    assert not [name for name in left if "any" in name] and "train.images.npy" in left


def test_a_part_of_a_map_is_copied(tmp_path: Path) -> None:
    def build(folder: Path) -> Splits:
        splits = mapped(folder)
        part = ImageSet.of(splits.train.images[1:3], np.array([0, 1]), ("no", "yes"))
        return dataclasses.replace(splits, test=part)

    splits = cached_in("thing", KEY, tmp_path, build)
    assert splits.test.images.shape == (2, 4, 4, 1) and len(splits.train) == 5


def test_no_room_for_the_map_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match="disk full while caching 'thing'"):
        cached_in("thing", KEY, tmp_path, mapped)
    assert not entry(tmp_path).exists() and leftovers(tmp_path) == []


def test_names_and_human_labels_come_back(tmp_path: Path) -> None:
    made = make()
    extras = {"names": np.array(["a", "bcd", "e", "f", "ü"]), "human_labels": {"x": np.arange(5)}, "first_code": 1}
    cached("thing", KEY, tmp_path, lambda: dataclasses.replace(made, train=dataclasses.replace(made.train, **extras)))
    train = cached("thing", KEY, tmp_path, refuse).train
    assert train.names is not None and train.names.tolist() == ["a", "bcd", "e", "f", "ü"]
    assert train.human_labels["x"].tolist() == [0, 1, 2, 3, 4] and train.first_code == 1
