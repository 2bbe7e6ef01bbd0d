"""What a caption says of the machines that runs come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reports.build import build
from reports.runs.frame import load
from reports.tables.caption import CROPS, evidence
from tests.reports.conftest import RECIPE

Writer = Callable[..., Path]


@pytest.mark.parametrize(
    ("used", "sentence"),
    [
        (["bfloat16"] * 3, "Hardware: Test CPU. Precision: bfloat16. Code: 0123456789."),
        (["float32", "bfloat16", "bfloat16"], "Precision: bfloat16 (2 runs), float32 (1 run). Code: "),
        (["float32", None, None], "Precision: float32. Code: "),
        ([None] * 3, "Hardware: Test CPU. Code: 0123456789."),
    ],
)
def test_a_caption_says_what_the_runs_computed_in(
    tmp_path: Path, runs: Writer, used: Sequence[str | None], sentence: str
) -> None:
    for seed, precision in enumerate(used):
        path = runs(method="scn", seed=seed) / "record.json"
        record = json.loads(path.read_text())
        record["provenance"] |= {} if precision is None else {"precision": precision}
        path.write_text(json.dumps(record))
    (told,) = evidence(load([tmp_path / "runs"]).runs)
    assert sentence in told and told.count("Precision") == (used[0] is not None)
    build(["table1"], [tmp_path / "runs"], tmp_path / "out")
    assert told in (tmp_path / "out" / "table1.md").read_text().replace("\\", "")


@pytest.mark.parametrize("view", ["single", "ten_crop"])
def test_a_caption_says_where_the_best_epoch_may_be_below_the_last(tmp_path: Path, runs: Writer, view: str) -> None:
    runs(method="scn", recipe=RECIPE.model_copy(update={"test_view": view, "crop": 40}))
    build(["table1"], [tmp_path / "runs"], tmp_path / "out")
    assert (CROPS in (tmp_path / "out" / "table1.md").read_text()) is (view == "ten_crop")
