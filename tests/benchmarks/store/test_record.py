"""Records hold what a run can have; what they cannot hold is bad for that run alone, and named."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plan.recipe import Recipe
from benchmarks.store.record import BadRecord, read_record
from reports.build import build
from reports.runs.frame import load
from tests.reports.conftest import RECIPE, save, write
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
        ("noise.realised", -5.0, "noise: realised: must be greater than or equal to 0"),
        ("noise.realised", 1e300, "noise: realised: must be less than or equal to 1"),
        ("noise.requested", 1.5, "noise: requested: "),
        ("timing.images_per_second", 1e-320, "timing: images_per_second 9.99989e-321: must be a number from 1e-06"),
        ("timing.images_per_second", -3, "timing: images_per_second -3: "),
        ("timing.images_per_second", 0, "timing: images_per_second 0: "),
        ("timing.seconds", -1e300, "timing: seconds -1e+300: must be a number from 0 to 1e+12, or null"),
        ("timing.train_seconds", 1e300, "timing: train_seconds 1e+300: "),
        ("provenance.precision", ["bfloat16"], "provenance: precision: "),
        ("provenance.threads", -1, "provenance: threads: "),
        ("provenance.parameters", 10**400, "provenance: parameters: "),
        ("provenance.machines", 3, "provenance: machines: "),
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


@pytest.mark.parametrize("timing", [{"seconds": 0.0, "images_per_second": None}, {"images_per_second": 0.01}, {}])
def test_times_that_a_run_can_have_are_read(tmp_path: Path, timing: dict[str, float | None]) -> None:
    path = write(tmp_path) / "record.json"
    change(path, "timing", timing)
    assert read_record(path).timing == timing


SINGLE, CROPS = RECIPE, RECIPE.model_copy(update={"test_view": "ten_crop", "crop": 10})


@pytest.mark.parametrize(
    ("recipe", "machines", "best", "read"),
    [
        (SINGLE, [{"device": "cpu"}], 0.60, False),
        (SINGLE, [{"device": "cpu"}], 0.799, False),
        (SINGLE, [{"device": "cpu"}, {"device": "H200"}], 0.60, True),  # ended on another machine than it was chosen on
        (CROPS, [{"device": "cpu"}], 0.60, True),  # chosen in a single view, measured in ten crops
    ],
)
def test_the_best_epoch_may_be_below_the_last_only_where_it_was_measured_otherwise(
    tmp_path: Path, recipe: Recipe, machines: list[dict[str, str]], best: float, read: bool
) -> None:
    path = write(tmp_path / "runs", recipe=recipe) / "record.json"
    change(path, "provenance.machines", machines)
    change(path, "metrics.best_on_test.accuracy", best)
    if not read:
        with pytest.raises(BadRecord, match="is below that of the last epoch"):
            read_record(path)
        return
    assert read_record(path).metrics["best_on_test"]["accuracy"] == best  # type: ignore[index]
    build(["summary", "convergence", "site"], [tmp_path / "runs"], tmp_path / "out")
    assert f"{100 * best:.2f}" in (tmp_path / "out" / "summary.md").read_text()


def test_predictions_of_another_run_are_not_taken_for_a_runs_own(tmp_path: Path) -> None:
    mine, other = (write(tmp_path / "runs", method=method) for method in ("rul", "dul"))
    save(mine, **arrays(0))
    save(other, **arrays(1))
    (mine / "predictions.npz").write_bytes((other / "predictions.npz").read_bytes())
    build(["uncertainty"], [tmp_path / "runs"], tmp_path / "out")
    text = (tmp_path / "out" / "uncertainty.md").read_text()
    assert "| faces | 10 | rul | own | 0 of 1 |" in text and "| faces | 10 | dul | own | 1 |" in text
