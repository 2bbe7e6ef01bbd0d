"""A cached copy outlives the code that made it: code that decodes otherwise must say so by `cache_version`."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.registry import DATASETS
from tests.datasets import miniatures as mini

PINNED = {  # data set -> its cache_version, and the fingerprint of its training images at 8 pixels
    "digits": (1, "2a75b4c665cc1b4a"),
    "faces": (1, "c90225e01fc2a8d7"),
    "rafdb": (1, "c0566f6d7711a4f6"),
}


@pytest.mark.parametrize("name", PINNED)
def test_what_is_decoded_is_what_the_version_stands_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNCERTAINTY_BENCH_CACHE", str(tmp_path / "cache"))
    if name == "rafdb":
        mini.rafdb_list(tmp_path / "rafdb")
    dataset = DATASETS.load(name)(tmp_path)
    found = (dataset.cache_version, dataset.load(8).train.fingerprint[:16])
    assert found == PINNED[name], (
        f"{name} is decoded otherwise than before: raise {name}'s cache_version, then pin anew"
    )
