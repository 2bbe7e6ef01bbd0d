"""Generated records: real files, no training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.metrics.ranking import auroc
from benchmarks.plan import recipe as recipes
from benchmarks.plan.recipe import Recipe
from benchmarks.plan.spec import Noise, RunSpec
from benchmarks.plan.toml_folder import TomlFolder
from benchmarks.store.record import Record
from benchmarks.store.runs import Store

RECIPE = Recipe(name="quick", backbone="small", epochs=8, batch_size=64, optimizer="adam", lr=1e-3, weight_decay=0)
OWN = RECIPE.model_copy(update={"name": "mine"})  # a user's: it speaks of its setting
PAPER = RECIPE.model_copy(update={"name": "paper"})  # see `paper_recipe`


@pytest.fixture
def recipe_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`recipe_file("mine", 'verdicts = "none"')`: the only recipe at hand, with the values of RECIPE and this head."""

    def one(name: str, *head: str) -> None:
        folder = tmp_path / "recipes"
        folder.mkdir()
        values = RECIPE.model_dump(exclude={"name", "source"}, exclude_none=True, exclude_defaults=True)
        lines = [
            'title = "test"',
            *head,
            "[default]",
            *(f"{key} = {json.dumps(value)}" for key, value in values.items()),
        ]
        (folder / f"{name}.toml").write_text("\n".join(lines), encoding="utf-8")
        monkeypatch.setattr(recipes, "RECIPES", TomlFolder("recipe", folder))

    return one


@pytest.fixture
def paper_recipe(recipe_file: Callable[..., None]) -> None:
    """A recipe file `paper` with the values that the records of PAPER were made with."""
    recipe_file("paper", 'verdicts = "reproduction"')


def last_metrics(accuracy: float | None, uncertain: float = 0.02, free: float = 0.03) -> dict[str, float | None]:
    """The keys that benchmarks/metrics.py gives, with accuracies that rise with the rejection."""
    values: dict[str, float | None] = {"epoch": 7, "accuracy": accuracy}
    for step, rate in enumerate((10, 20, 30), start=1):
        values[f"accuracy_at_{rate}"] = None if accuracy is None else accuracy + uncertain * step
        values[f"free_accuracy_at_{rate}"] = None if accuracy is None else accuracy + free * step
    names = ("error_auroc", "flip_auroc", "ambiguity_spearman")
    values |= {f"{kind}{name}": 0.75 for kind in ("", "free_") for name in names}
    return values


TIMING = {"seconds": 12.5, "evaluation_seconds": 2.5, "images_per_second": 900.0}


def write(
    root: Path,
    method: str = "rul",
    dataset: str = "faces",
    noise: float = 0.1,
    seed: int = 0,
    accuracy: float | None = 0.8,
    overrides: dict[str, Any] | None = None,
    recipe: Recipe = RECIPE,
    metrics: dict[str, Any] | None = None,
    kind: str = "symmetric",
    commit: str = "0123456789abcdef",
    seconds: float = 10.0,
    load: float | None = None,
    **spec: Any,
) -> Path:
    """Write one finished run below `root`; returns its folder. noise: the share of wrong labels."""
    overrides = overrides or {}
    labels = Noise(kind=kind, ratio=0 if ":" in kind else noise)
    run = RunSpec(
        dataset=dataset, method=method, noise=labels, seed=seed, recipe=recipe,
        overrides=overrides, **{"config": overrides, **spec},
    )  # fmt: skip
    oracle = last_metrics(None if accuracy is None else accuracy + 0.01)
    oracle = {
        name: oracle[name] for name in ("epoch", "accuracy", "accuracy_at_10", "accuracy_at_20", "accuracy_at_30")
    }
    record = Record(
        run_id=run.run_id,
        spec=run,
        metrics=metrics or {"last": last_metrics(accuracy), "best_on_test": oracle, "best_on_validation": None},
        noise={"requested": noise, "realised": noise, "flipped": round(1000 * noise)},
        relabelling=[],
        timing={**TIMING, "train_seconds": seconds, "load": load},
        provenance={"commit": commit, "dirty": False, "processor": "Test CPU", "device": "cpu", "parameters": 1000},
    )
    folder = Store(root).run(run)
    folder.write_record(record)
    return folder.path


def save(folder: Path, **arrays: Any) -> None:
    """Store a run's predictions, and in its record what they give of the test set."""
    np.savez(folder / "predictions.npz", **arrays)
    content = json.loads((folder / "record.json").read_text())
    correct = arrays["test_logits"].argmax(axis=1) == arrays["test_labels"]
    if np.isfinite(arrays["test_logits"]).all():
        found = {"accuracy": float(correct.mean()), "error_auroc": auroc(arrays["test_uncertainty"], ~correct)}
        last = content["metrics"]["last"]
        last |= {name: value for name, value in found.items() if last[name] is not None}
        if best := content["metrics"].get("best_on_test"):
            best["accuracy"] = max(best["accuracy"] or 0, found["accuracy"] or 0)
    (folder / "record.json").write_text(json.dumps(content))


@pytest.fixture
def runs(tmp_path: Path) -> Callable[..., Path]:
    """`runs(method=..., seed=...)` writes a record below `tmp_path / "runs"`."""

    def one(**values: Any) -> Path:
        return write(tmp_path / "runs", **values)

    return one


RUL = {"relabel.enabled": True}
BASE = {"baseline": 0.78, "scn": 0.80, "dul": 0.83, "rul": 0.86}


def fill_table1(one: Callable[..., Path], dataset: str = "faces", **values: Any) -> None:
    """All 45 runs of Table 1 on one data set; accuracies differ by seed, arms by a point or more."""
    arms = [
        *((method, accuracy, RUL if method == "rul" else {}) for method, accuracy in BASE.items()),
        ("rul", 0.85, {}),
    ]
    for noise in (0.1, 0.2, 0.3):
        for rank, (method, accuracy, own) in enumerate(arms):
            for seed in (0, 1, 2):
                value = round(accuracy - 0.2 * (noise - 0.1) + 0.001 * seed + 0.0002 * rank * seed * seed, 6)
                one(dataset=dataset, method=method, noise=noise, seed=seed, accuracy=value, overrides=own, **values)
