"""A data set of your own: bright and dark squares.

python bench.py --plugin docs/examples/my_data.py --datasets squares --methods baseline,rul --recipe quick
"""

import numpy as np

import datasets


@datasets.register("squares", "a bright square in the upper or the lower half")
class Squares(datasets.Dataset):
    """Grey 16x16 images; this one is drawn, yours would be read from `self.folder`."""

    name = "squares"
    embedded = True  # needs nothing on disk
    class_names = ("upper", "lower")
    channels = 1

    def present(self):
        return True

    def load(self, image_size=None):
        side = image_size or 16
        splits = []
        for seed, count in ((0, 400), (1, 100)):
            rng = np.random.default_rng(seed)
            images = rng.integers(0, 80, (count, side, side, 1), dtype=np.uint8)
            labels = rng.integers(0, 2, count)
            for image, label in zip(images, labels, strict=True):
                row, column = (rng.integers(0, side // 4) + label * side // 2, rng.integers(0, side // 2))
                image[row : row + side // 4, column : column + side // 4] += 120
            splits.append(datasets.ImageSet.of(images, labels, self.class_names))
        return datasets.Splits(train=splits[0], test=splits[1])
