"""Findings in words, from generated records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reports.build import build
from tests.reports.conftest import RUL, fill_table1, last_metrics

Writer = Callable[..., Path]


def text(tmp_path: Path) -> str:
    build(["findings"], [tmp_path / "runs"], tmp_path / "out")
    return (tmp_path / "out" / "findings.md").read_text(encoding="utf-8")


def section(whole: str, title: str) -> str:
    return whole.split(f"## {title}\n")[1].split("\n## ")[0]


def test_no_runs(tmp_path: Path) -> None:
    assert section(text(tmp_path), "Table 1, FER2013").endswith("- **not tested**: There is nothing to compare.\n")


def test_a_significant_best_holds(tmp_path: Path, runs: Writer) -> None:
    fill_table1(runs)
    found = section(text(tmp_path), "Table 1, faces")
    for noise in (10, 20, 30):
        assert f"- **holds**: Paper: rul is best at {noise} % noise. It is, significantly" in found


@pytest.mark.parametrize(
    ("scn", "seeds", "wanted"),
    [
        ((0.90, 0.91, 0.925), 3, "**does not hold**: Paper: rul is best at 10 % noise. It is lower (rul 80.00, scn"),
        ((0.90, 0.91, 0.925), 1, "**open**: Paper: rul is best at 10 % noise. It is lower, on one seed"),
        ((0.70, 0.95, 0.80), 3, "**open**: Paper: rul is best at 10 % noise. It is not told apart from the best"),
        ((0.60, 0.95, 0.70), 3, "**open**: Paper: rul is best at 10 % noise. It has the highest mean"),
    ],
)
def test_what_does_not_hold_and_what_is_open(
    tmp_path: Path, runs: Writer, scn: tuple[float, ...], seeds: int, wanted: str
) -> None:
    for seed in range(seeds):
        runs(method="rul", seed=seed, accuracy=0.8 + 0.001 * (seed - 1) * (seeds > 1), overrides=RUL)
        runs(method="scn", seed=seed, accuracy=scn[seed])
    found = section(text(tmp_path), "Table 1, faces")
    assert wanted in found and "at 20 % noise. No finished runs to compare" in found
    assert "cells have fewer runs than planned" in found


def test_the_free_score_is_told(tmp_path: Path, runs: Writer) -> None:
    for seed in range(3):
        metrics = {"last": last_metrics(0.7 + 0.01 * seed, uncertain=0.01, free=0.03 + 0.001 * seed)}
        runs(method="rul", noise=0.0, seed=seed, metrics=metrics)
    wanted = "- **does not hold**: Rejecting by rul's own uncertainty beats 1 − max softmax significantly in 0 of 3"
    assert wanted in section(text(tmp_path), "Table 2, faces")


def test_hostile_names_stay_text(tmp_path: Path, runs: Writer) -> None:
    runs(dataset="<script>", method="scn")
    assert "<script>" not in text(tmp_path)
