from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from datasets.embedded.digits import Digits
from datasets.images.resize import resize, stratified_split


def test_split_sizes_scale_and_content(tmp_path: Path) -> None:
    splits = Digits(tmp_path).load()
    assert splits.train.images.shape == (1297, 8, 8, 1) and len(splits.test) == 500
    original = load_digits()
    both = np.concatenate([splits.train.images, splits.test.images]).reshape(-1, 64)
    labels = np.concatenate([splits.train.labels, splits.test.labels])
    expected = np.rint(original.images * 255 / 16).astype(np.uint8).reshape(-1, 64)
    assert sorted(map(bytes, np.c_[both, labels].astype(np.uint8))) == sorted(
        map(bytes, np.c_[expected, original.target].astype(np.uint8))
    )
    assert both.max() == 255


def test_load_is_deterministic_and_resizes(tmp_path: Path) -> None:
    one, other = Digits(tmp_path / "a").load(), Digits(tmp_path / "b").load()
    assert one.train.fingerprint == other.train.fingerprint
    assert Digits(tmp_path / "a").load(16).test.images.shape == (500, 16, 16, 1)


def test_stratified_split_keeps_shares() -> None:
    labels = np.repeat([0, 1, 2], [700, 200, 101])
    train, test = stratified_split(labels, 300, seed=0)
    assert len(test) == 300 and np.array_equal(np.sort(np.r_[train, test]), np.arange(1001))
    assert np.all(np.abs(np.bincount(labels[test]) - np.bincount(labels) * 300 / 1001) < 1)


def test_resize_keeps_what_is_flat_and_the_channels() -> None:
    grey = np.full((2, 8, 8, 1), 77, np.uint8)
    assert np.all(resize(grey, 20) == 77)
    colours = np.zeros((1, 8, 8, 3), np.uint8)
    colours[..., 1] = 200
    assert resize(colours, 4)[0, 2, 2].tolist() == [0, 200, 0]
    assert resize(grey, 8) is grey
