"""scikit-learn's digits: 1,797 real 8x8 scans, the smallest data set on which everything can be tried."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec

from datasets.base import Dataset, ImageSet, Splits
from datasets.cache.store import cached, key_of

TEST_SIZE = 500
SPLIT_SEED = 0


class Digits(Dataset):
    """The UCI optical digits' test part as scikit-learn ships it, 8x8 grey, pixel values 0..16 scaled to 0..255.

    There is no official split: 1,297 train and 500 test rows, class shares kept, drawn once with seed 0.
    """

    name = "digits"
    embedded = True
    class_names = tuple("0123456789")
    channels = 1

    def present(self) -> bool:
        """Always, where scikit-learn is installed."""
        return find_spec("sklearn") is not None

    def load(self, image_size: int | None = None) -> Splits:
        """1,297 train and 500 test images [N, 8, 8, 1] (or `image_size`); no validation split, no soft labels."""
        from datasets.images.resize import resize_splits

        key = key_of(self.cache_version, version("scikit-learn"), image_size)
        return cached(self.name, key, self.root, lambda: resize_splits(self._build(), image_size))

    def _build(self) -> Splits:
        import numpy as np
        from sklearn.datasets import load_digits  # a second of import that a cached load is spared

        from datasets.images.resize import stratified_split

        data = load_digits()
        images = np.rint(data.images * (255 / 16)).astype(np.uint8)[..., None]
        train, test = stratified_split(data.target, TEST_SIZE, SPLIT_SEED)
        train_set, test_set = (ImageSet.of(images[rows], data.target[rows], self.class_names) for rows in (train, test))
        return Splits(train=train_set, test=test_set)
