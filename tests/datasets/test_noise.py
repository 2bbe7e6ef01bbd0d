from __future__ import annotations

import numpy as np
import pytest

from common.errors import UserError
from datasets.base import ImageSet
from datasets.noise import add_noise, check_noise, symmetric


def split(count: int = 5000, classes: int = 7) -> ImageSet:
    labels = np.random.default_rng(1).integers(0, classes, count)
    return ImageSet.of(np.zeros((count, 1, 1, 1), np.uint8), labels, tuple(map(str, range(classes))))


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.333, 0.9999])
def test_exactly_the_ratio_is_flipped_and_the_mask_says_which(ratio: float) -> None:
    train = split(4999)
    noisy = add_noise(train, "symmetric", ratio, seed=3)
    assert noisy.mask.sum() == round(ratio * 4999)
    assert np.array_equal(noisy.labels != train.labels, noisy.mask)
    assert noisy.labels.min() >= 0 and noisy.labels.max() < 7
    assert noisy.ratio == pytest.approx(ratio, abs=1e-3)


def test_new_labels_are_uniform_over_the_other_classes() -> None:
    labels = np.full(60_000, 2)
    noisy = symmetric(labels, 7, 0.5, seed=0)
    counts = np.bincount(noisy.labels[noisy.mask], minlength=7)
    assert counts[2] == 0
    assert np.all(np.abs(np.delete(counts, 2) - 5000) < 5 * np.sqrt(5000))


def test_flipped_rows_are_uniform_over_the_split() -> None:
    mask = symmetric(np.zeros(60_000, int), 7, 0.3, seed=0).mask
    assert np.all(np.abs(mask.reshape(10, -1).mean(axis=1) - 0.3) < 0.03)


def test_ratios_are_nested_with_the_same_new_labels() -> None:
    train = split()
    low, high = (add_noise(train, "symmetric", ratio, seed=5) for ratio in (0.1, 0.3))
    assert np.all(high.mask[low.mask])
    assert np.array_equal(low.labels[low.mask], high.labels[low.mask])


def test_the_seed_and_nothing_else_decides() -> None:
    train = split()
    before = train.labels.copy()
    one, same, other = (add_noise(train, "symmetric", 0.2, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one.labels, same.labels)
    assert not np.array_equal(one.mask, other.mask)
    assert np.array_equal(train.labels, before)


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 1.5, float("nan")])
def test_a_ratio_outside_the_range_is_refused(ratio: float) -> None:
    with pytest.raises(UserError, match=r"outside \[0, 1\)"):
        check_noise("symmetric", ratio)


@pytest.mark.parametrize("kind", ["symetric", "symmetric:x", "symmetric:", "human"])
def test_an_unknown_kind_lists_the_valid_ones(kind: str) -> None:
    with pytest.raises(UserError, match="unknown noise kind .*valid: .*symmetric"):
        add_noise(split(10), kind, 0.1, seed=0)
