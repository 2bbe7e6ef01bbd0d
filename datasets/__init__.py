"""Floor 1: data sets, label noise, the cache of decoded images, augmentation. Torch-free but for `datasets.augment`."""

from datasets.base import Dataset, ImageSet, Splits
from datasets.errors import DataError
from datasets.registry import DATASETS, register

__all__ = ["DATASETS", "DataError", "Dataset", "ImageSet", "Splits", "register"]
