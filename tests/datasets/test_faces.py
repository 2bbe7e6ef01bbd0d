from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets.base import ImageSet, Splits
from datasets.embedded import faces
from datasets.embedded.faces_drawing import draw
from datasets.embedded.faces_sampling import EXPRESSIONS, sample

FEW = tuple(-(-count // 20) for count in faces.TRAIN_COUNTS)


@pytest.fixture(scope="module")
def small() -> Splits:
    return faces.build(FEW, FEW)


def test_shape_and_class_frequencies(small: Splits) -> None:
    assert small.train.images.shape == (sum(FEW), 48, 48, 1) and small.train.images.dtype == np.uint8
    assert tuple(np.bincount(small.train.labels)) == FEW
    assert sum(faces.TRAIN_COUNTS) == 12271 and sum(faces.TEST_COUNTS) == 3068
    assert small.train.class_names == EXPRESSIONS


def test_drawing_is_deterministic_and_the_splits_differ(small: Splits) -> None:
    again = faces.build(FEW, FEW)
    assert again.train.fingerprint == small.train.fingerprint != small.test.fingerprint
    assert np.array_equal(again.train.images, small.train.images)
    assert len(np.unique(small.train.images.reshape(len(small.train), -1), axis=0)) == len(small.train)


def test_soft_labels_are_the_known_blend(small: Splits) -> None:
    soft = small.train.soft_labels
    assert soft is not None and soft.dtype == np.float32
    assert np.array_equal(soft.argmax(axis=1), small.train.labels)
    assert np.allclose(soft.sum(axis=1), 1)
    top = soft.max(axis=1)
    blended = top < 1
    assert blended.sum() == round(faces.BLENDED * len(soft))
    assert np.all((soft > 0).sum(axis=1) == 1 + blended)
    assert top.min() > 0.5 and abs(top[blended].mean() - 0.75) < 0.03


def test_a_blend_lies_between_its_two_expressions() -> None:
    pure = np.eye(7, dtype=np.float32)
    half = (pure[0] + pure[5]) / 2

    def brow(weights: np.ndarray) -> float:
        return float(sample(np.tile(weights, (2000, 1)), np.random.default_rng(0))["brow_y"].mean())

    surprise, anger, between = brow(pure[0]), brow(pure[5]), brow(half)
    assert surprise > anger + 0.1
    assert between == pytest.approx((surprise + anger) / 2, abs=0.01)


def test_the_picture_follows_the_parameters() -> None:
    """Mean faces: an open mouth is dark, and it is the mouth's region in which surprise and neutral differ most."""
    means = []
    for expression in (0, 6):
        rng = np.random.default_rng(0)
        weights = np.eye(7, dtype=np.float32)[np.full(200, expression)]
        means.append(draw(sample(weights, rng), rng).astype(float).mean(axis=0))
    difference = means[0] - means[1]
    row, column = np.unravel_index(difference.argmin(), difference.shape)
    assert difference.min() < -15
    assert 30 <= row <= 46 and 18 <= column <= 29


def test_no_image_is_empty(small: Splits) -> None:
    assert small.train.images.reshape(len(small.train), -1).std(axis=1).min() > 5


def test_expressions_are_learnable_but_not_easily(small: Splits) -> None:
    """A linear classifier on raw pixels beats the majority class and stays far from solving it."""
    from sklearn.linear_model import RidgeClassifier

    def rows(part: ImageSet) -> np.ndarray:
        images = part.images[:, ::2, ::2, 0].reshape(len(part), -1).astype(np.float32)
        return (images - images.mean(axis=1, keepdims=True)) / images.std(axis=1, keepdims=True)

    score = RidgeClassifier(alpha=300).fit(rows(small.train), small.train.labels)
    accuracy = (score.predict(rows(small.test)) == small.test.labels).mean()
    assert 0.42 < accuracy < 0.8


def test_load_caches_and_resizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = faces._draw_split((1,) * 7, np.random.SeedSequence(0))
    tiny = Splits(train=part, test=part)
    calls: list[Splits] = []

    def build() -> Splits:
        calls.append(tiny)
        return tiny

    monkeypatch.setattr(faces, "build", build)
    dataset = faces.Faces(tmp_path)
    assert dataset.present()
    assert dataset.load().train.fingerprint == dataset.load().train.fingerprint == tiny.train.fingerprint
    assert len(calls) == 1
    assert dataset.load(24).train.images.shape == (7, 24, 24, 1)
