"""Drawn facial expressions whose true ambiguity is known: a learned uncertainty can be held against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datasets.base import Dataset, ImageSet, Splits
from datasets.cache.store import cached, key_of
from datasets.embedded.faces_sampling import EXPRESSIONS, sample

if TYPE_CHECKING:
    import numpy as np

# Images per class in EXPRESSIONS' order: those of RAF-DB's basic set (Li et al., CVPR 2017), 12,271 and 3,068.
TRAIN_COUNTS = (1290, 281, 717, 4772, 1982, 705, 2524)
TEST_COUNTS = (329, 74, 160, 1185, 478, 162, 680)
BLENDED = 0.3  # share of the images that show two expressions
SEED = 20211206


class Faces(Dataset):
    """Seven expressions, 48x48 grey, drawn (`faces_drawing.py`) with RAF-DB's class order and frequencies.

    Of each split exactly round(0.3 N) images blend the labelled expression with another one, uniformly chosen: their
    facial parameters are interpolated with a weight w, uniform in (0.5, 1], on the labelled one. `soft_labels` [N, 7]
    holds w and 1 - w (one-hot for the others), so the label is its arg max and an image of w near 0.5 is a coin toss.
    Identity, pose, light, focus and sensor noise vary from image to image. Content is fixed by a seed; train and test
    are drawn from separate streams of it.
    """

    name = "faces"
    embedded = True
    class_names = EXPRESSIONS
    channels = 1

    def present(self) -> bool:
        """Always: nothing is read."""
        return True

    def load(self, image_size: int | None = None) -> Splits:
        """12,271 train and 3,068 test images [N, 48, 48, 1] (or `image_size`); no validation split."""
        from datasets.images.resize import resize_splits

        key = key_of(self.cache_version, image_size)
        return cached(self.name, key, self.root, lambda: resize_splits(build(), image_size))


def build(train_counts: tuple[int, ...] = TRAIN_COUNTS, test_counts: tuple[int, ...] = TEST_COUNTS) -> Splits:
    """Draw both splits with these numbers of images per class."""
    import numpy as np

    train, test = np.random.SeedSequence(SEED).spawn(2)
    return Splits(train=_draw_split(train_counts, train), test=_draw_split(test_counts, test))


def _draw_split(counts: tuple[int, ...], seed: np.random.SeedSequence) -> ImageSet:
    import numpy as np

    from datasets.embedded.faces_drawing import draw

    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    soft = blend(labels, len(counts), rng)
    images = draw(sample(soft, rng), rng)
    return ImageSet.of(images[..., None], labels, EXPRESSIONS, soft)


def blend(labels: np.ndarray, num_classes: int, rng: np.random.Generator) -> np.ndarray:
    """Soft labels [N, num_classes] float32 of `labels` [N]: one-hot, but for the blended share."""
    import numpy as np

    count = len(labels)
    rows = rng.permutation(count)[: round(BLENDED * count)]
    others = (labels[rows] + rng.integers(1, num_classes, size=len(rows))) % num_classes
    weights = 1 - 0.499 * rng.random(len(rows))  # a hair above 0.5: the arg max is never a tie
    soft = np.zeros((count, num_classes), dtype=np.float32)
    soft[np.arange(count), labels] = 1
    soft[rows, labels[rows]] = weights
    soft[rows, others] = 1 - soft[rows, labels[rows]]
    return soft
