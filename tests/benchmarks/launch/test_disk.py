"""The plan's estimate of what runs leave on the disk."""

import re
import shutil
from collections import namedtuple

import pytest

from benchmarks.launch import disk
from benchmarks.plan.paths import Sources
from benchmarks.store.runs import Store
from benchmarks.train.context import RunContext
from benchmarks.train.run import execute
from datasets.embedded.digits import Digits

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("method", ["baseline", "rul"])
def test_the_estimate_is_near_what_a_run_leaves(specs, tmp_path, method):
    (spec,) = specs(method, epochs=1)
    assert execute(spec, RunContext(runs=tmp_path / "runs", sources=Sources(tmp_path / "data")))
    folder = Store(tmp_path / "runs").run(spec)
    kept, passing = disk._bytes(spec, Digits(tmp_path).load(spec.recipe.image_size))
    left = sum(path.stat().st_size for path in folder.path.iterdir())
    assert 0.5 * left < kept < 4 * left, "predictions are compressed, so the estimate is on the safe side"
    assert passing > kept / 4


def test_too_little_room_is_one_line(specs, tmp_path, monkeypatch):
    (spec,) = specs("rul")
    splits = {("digits", spec.recipe.image_size): Digits(tmp_path).load(spec.recipe.image_size)}
    runs = tmp_path / "not" / "there" / "yet"
    assert disk.warning([spec], splits, runs, 2) == ""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, 1000))
    warning = disk.warning([spec] * 3, splits, runs, 2)
    needed, free = re.fullmatch(r"these runs may need ([\d.]+) MB, and ([\d.]+) MB are free under .*", warning).groups()
    assert float(needed) > 0.5 and float(free) == 0.0
    assert disk._text(2.5e9) == "2.5 GB"
