"""What holds for every registered data set."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datasets.contract import check_splits
from datasets.errors import DataError
from datasets.inspect.check import survey
from datasets.registry import DATASETS
from tests.datasets import miniatures as mini

MINIATURES = {
    "rafdb": mini.RAFDB["as sent"],
    "affectnet": mini.AFFECTNET["annotations"],
    "affectnet7": mini.AFFECTNET["tables"],
    "cifar10": mini.CIFAR10["batches"],
    "imagenet100": mini.IMAGENET100["a list"],
    "tiny_imagenet": mini.TINY["as downloaded"],
}
CHECKOUT = Path(__file__).parents[2]


def test_listing_data_sets_imports_neither_numpy_nor_pil_nor_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from datasets.registry import DATASETS; "
        "[DATASETS.load(name)(Path('nowhere')).present() for name in DATASETS]; "
        "sys.exit(str({'numpy', 'PIL', 'torch', 'sklearn'} & {*sys.modules} or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_that_is_not_there_says_so(tmp_path: Path, name: str) -> None:
    dataset = DATASETS.load(name)(tmp_path)
    assert DATASETS.load(name).name == name and dataset.identity() == name if name != "folder" else True
    if dataset.embedded:
        assert dataset.present()
        return
    assert not dataset.present() and dataset.source and dataset.layouts
    for act in (dataset.load, lambda: survey(dataset)):
        with pytest.raises(DataError, match=f"{name} is missing: looked in "):
            act()


@pytest.mark.parametrize("name", [*MINIATURES, "digits"])
def test_splits_are_sound(tmp_path: Path, name: str) -> None:
    if name in MINIATURES:
        MINIATURES[name](tmp_path)
    dataset = DATASETS.load(name)(tmp_path)
    splits = dataset.load(8)
    check_splits(splits, dataset.class_names)
    for split, part in splits.parts():
        assert part.images.shape == (len(part), 8, 8, dataset.channels) and part.images.dtype == np.uint8
        assert part.labels.dtype == np.int64 and part.labels.min() >= 0 and part.labels.max() < len(part.class_names)
        assert part.class_names == splits.train.class_names and len(part.fingerprint) == 32
        assert part.names is None or len(part.names) == len(part)
        assert len(dataset.official.get(split, part.class_names)) in (len(part.class_names), 200)
    found = survey(dataset)
    assert not found.broken and {s: len(p.labels) for s, p in found.parts.items()} == {
        s: len(p) for s, p in splits.parts()
    }
