"""Each method by a protocol of its own: methods are compared, runs of other values are never averaged as seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reports.build import build
from reports.runs.frame import load
from reports.runs.groups import seed_groups
from reports.runs.select import SETUP, largest
from reports.tables.brief import briefs
from reports.tables.claims_document import document
from tests.reports.conftest import RECIPE, write

OWN = RECIPE.model_copy(update={"protocol": "own"})
SHORT = OWN.model_copy(update={"epochs": 1})
OTHER = OWN.model_copy(update={"backbone": "resnet18"})
Writer = Callable[..., Path]


@pytest.fixture
def filled(tmp_path: Path) -> Sequence[Path]:
    """RUL by one set of values and SCN by another, two seeds each, and runs of RUL by values that are neither."""
    root = tmp_path / "runs"
    for seed in (0, 1):
        write(root, method="rul", dataset="fer2013", seed=seed, accuracy=0.70, recipe=OWN)
        write(root, method="scn", dataset="fer2013", seed=seed, accuracy=0.60, recipe=SHORT)
    write(root, method="rul", dataset="fer2013", seed=2, accuracy=0.20, recipe=SHORT)
    write(root, method="rul", dataset="fer2013", seed=3, accuracy=0.40, recipe=OTHER)
    write(root, method="rul", dataset="fer2013", noise=0.2, accuracy=0.30, recipe=SHORT)
    return [root]


def test_runs_of_other_values_are_no_seeds_of_one_another(filled: Sequence[Path]) -> None:
    loaded = load(filled)
    found = [
        (group.keys[2], sorted(set(group.runs["epochs"])), sorted(set(group.runs["backbone"])), len(group.runs))
        for group in seed_groups(loaded)
        if group.keys[1] == "10"
    ]
    assert sorted(found) == [
        ("rul", [1], ["small"], 1),
        ("rul", [8], ["resnet18"], 1),
        ("rul", [8], ["small"], 2),
        ("scn", [1], ["small"], 2),
    ]
    heads = [group.heads[2] for group in seed_groups(loaded) if group.keys[1] == "10"]
    assert len(set(heads)) == 4 and "scn" in heads and any("1 epoch," in head for head in heads)
    assert len(largest(loaded.runs, SETUP)) == 7, "methods that differ on purpose stand in one column"


def test_tables_take_one_set_of_values_a_method_and_say_so(filled: Sequence[Path], tmp_path: Path) -> None:
    build(["table1", "summary"], filled, tmp_path / "out")
    text = (tmp_path / "out" / "table1.md").read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith("| 10 | rul, no relabelling |"))
    assert "70.00 ± 0.00" in row and "| 2 of 3 |" in row
    (row,) = (line for line in text.splitlines() if line.startswith("| 20 | rul, no relabelling |"))
    assert "missing" in row, "the values are the arm's, under every noise"
    (row,) = (line for line in text.splitlines() if line.startswith("| 10 | scn |"))
    assert "60.00 ± 0.00" in row
    assert "rul, no relabelling: finished runs with other defaults or" in text and "other values of the recipe" in text
    summary = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert "± 28" not in summary and "| 20.00 |" in summary and "| 40.00 |" in summary
    numbers = [row[3] for brief in briefs(load(filled)) for row in brief.rows]
    assert sorted(numbers) == ["20.00", "30.00", "40.00", "60.00 ± 0.00", "70.00 ± 0.00"]


def test_claims_compare_each_method_by_one_set_of_values(filled: Sequence[Path]) -> None:
    loaded = load(filled)
    found = document(loaded)
    used = {run_id for entry in found.entries for part in entry.parts for run_id in part.run_ids}
    runs = loaded.runs[loaded.runs["run_id"].isin(used)]
    assert set(zip(runs["method"], runs["epochs"], runs["backbone"], strict=True)) == {
        ("rul", 8, "small"),
        ("scn", 1, "small"),
    }
    (rest,) = (text for text in found.evidence if "finished runs in no comparison here" in text)
    assert rest.startswith("3 finished runs") and "1 epoch, backbone small" in rest and "backbone resnet18" in rest
