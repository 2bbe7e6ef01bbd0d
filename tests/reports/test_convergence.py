"""Whether networks have converged, read from what runs wrote after each epoch."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reports.build import build
from reports.runs.frame import load
from reports.tables.claims_document import document


def curve(folder: Path, accuracies: Sequence[object]) -> None:
    rows = [f"{epoch},{2 / epoch},{value}" for epoch, value in enumerate(accuracies, start=1)]
    (folder / "history.csv").write_text("\n".join(["epoch,loss,test_accuracy", *rows]) + "\n")


def test_accuracy_by_fifths_and_who_still_rises(tmp_path: Path, runs: Callable[..., Path]) -> None:
    curve(runs(dataset="fer2013", seed=0), [0.1, 0.2, 0.3, 0.4, 0.5, 0.51, 0.52, 0.525, 0.53, 0.535])
    curve(runs(dataset="fer2013", seed=1), [0.1, 0.2, 0.3, 0.4, 0.5, 0.51, 0.52, 0.525, 0.53, 0.545])
    build(["convergence"], [tmp_path / "runs"], tmp_path / "out")
    text = (tmp_path / "out" / "convergence.md").read_text()
    (row,) = (line for line in text.splitlines() if line.startswith("| fer2013"))
    fifths = "| 20.00 ± 0.00 | 40.00 ± 0.00 | 51.00 ± 0.00 | 52.50 ± 0.00 | 54.00 ± 0.71 |"
    assert f"| 2 {fifths} 1.50 ± 0.71 | 1 of 2 |" in row, "exactly one point is not more than one"
    assert "in all 1 of 2" in text
    with open(tmp_path / "out" / "convergence.csv", newline="") as file:
        (record,) = csv.DictReader(file)
    assert float(record["last fifth mean"]) == pytest.approx(1.5) and record["still rising"] == "1"
    evidence = document(load([tmp_path / "runs"], [])).evidence
    assert "Still rising by more than 1 point in the last fifth of the epochs: 1 of 2 runs of recipe quick." in evidence


@pytest.mark.parametrize(
    "accuracies", [None, [0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, "", 0.5], [0.1, "nan", 0.3, 0.4, 0.5]]
)
def test_runs_whose_history_says_nothing_are_named(
    tmp_path: Path, runs: Callable[..., Path], accuracies: Sequence[object] | None
) -> None:
    folder = runs(seed=0)
    if accuracies is not None:
        curve(folder, accuracies)
    curve(runs(seed=1), [0.1, 0.2, 0.3, 0.4, 0.5])
    build(["convergence"], [tmp_path / "runs"], tmp_path / "out")
    text = (tmp_path / "out" / "convergence.md").read_text()
    assert (
        "faces, 10, rul: no test accuracy of five epochs or more, or none that can be read, in 1 of 2 run(s)." in text
    )
    assert "| 1 | 10.00 | 20.00 | 30.00 | 40.00 | 50.00 | 10.00 | 1 of 1 |" in text
