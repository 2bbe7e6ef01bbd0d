"""Records hold what a run can have; what they cannot hold is bad for that run alone, and named."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from benchmarks.store.record import BadRecord, read_record
from reports.build import build
from reports.runs.frame import load
from tests.reports.conftest import save, write
from tests.reports.test_uncertainty import arrays


def change(path: Path, place: str, value: Any) -> None:
    content = json.loads(path.read_text())
    *parents, name = place.split(".")
    reduce(dict.__getitem__, parents, content)[name] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("metrics.last.accuracy", 17.5, "last.accuracy 17.5: must be a number from 0 to 1"),
        ("metrics.last.accuracy", -0.1, "must be a number from 0 to 1"),
        ("metrics.last.accuracy", True, "last.accuracy True"),
        ("metrics.last.error_auroc", "0.5", "last.error_auroc '0.5'"),
        ("metrics.last.ambiguity_spearman", -1.5, "must be a number from -1 to 1"),
        ("metrics.best_on_test.accuracy", 0.5, "best_on_test.accuracy 0.5 is below that of the last epoch, 0.8"),
        ("metrics", {"best_on_test": {"accuracy": 0.5}}, "no numbers of the last epoch"),
        ("metrics", {"last": [0.5]}, "groups of numbers by name"),
        ("noise.realised", "x", "noise: realised: "),
        ("provenance.threads", "four", "provenance: threads: "),
        ("provenance.data", "x", "provenance: data: "),
        ("provenance.data", {"classes": -5}, "provenance: data.classes: "),
        ("provenance.data", {"notes": [1]}, "provenance: data.notes.0: "),
        ("provenance.plugins", "x", "provenance: plugins: "),
    ],
)
def test_an_impossible_record_is_bad_for_its_run_alone(tmp_path: Path, place: str, value: Any, reason: str) -> None:
    good, bad = (write(tmp_path / "runs", seed=seed) for seed in (0, 1))
    change(bad / "record.json", place, value)
    with pytest.raises(BadRecord) as raised:
        read_record(bad / "record.json")
    assert reason in str(raised.value) and "\n" not in str(raised.value)
    loaded = load([tmp_path / "runs"])
    assert list(loaded.runs["folder"]) == [good] and [one.folder for one in loaded.unreadable] == [bad]
    build(["summary", "table1"], [tmp_path / "runs"], tmp_path / "out")


def test_what_a_run_writes_is_read_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path) / "record.json"
    known = {"threads": 2, "data": {"classes": ["a", "b"], "notes": [], "sizes": [1, 2]}, "plugins": {}, "own": [1]}
    change(path, "provenance", known)
    change(path, "metrics.last.ambiguity_spearman", -0.2)
    record = read_record(path)
    assert record.provenance == known and record.metrics["last"]["ambiguity_spearman"] == -0.2  # type: ignore[index]


def test_predictions_of_another_run_are_not_taken_for_a_runs_own(tmp_path: Path) -> None:
    mine, other = (write(tmp_path / "runs", method=method) for method in ("rul", "dul"))
    save(mine, **arrays(0))
    save(other, **arrays(1))
    (mine / "predictions.npz").write_bytes((other / "predictions.npz").read_bytes())
    build(["uncertainty"], [tmp_path / "runs"], tmp_path / "out")
    text = (tmp_path / "out" / "uncertainty.md").read_text()
    assert "| faces | 10 | rul | own | 0 of 1 |" in text and "| faces | 10 | dul | own | 1 |" in text
