"""The plan's estimate of seconds: a few steps timed as the run will do them."""

import pytest
import torch

from benchmarks.launch import estimate
from benchmarks.plan.paths import Sources
from benchmarks.train.context import RunContext
from benchmarks.train.step.precision import Precision
from methods.baseline import Baseline


def estimated(runs, tmp_path):
    context = RunContext(runs=tmp_path / "runs", sources=Sources(tmp_path / "data"))
    splits = {("digits", runs[0].recipe.image_size): context.sources.dataset("digits").load(8)}
    return estimate.each(runs, context, splits)


def test_steps_are_timed_in_the_recipes_precision(specs, tmp_path, monkeypatch):
    """In float32, a run in bfloat16 looked two to three times as long as it is."""
    monkeypatch.setattr(Precision, "of", lambda recipe, device: Precision(device, getattr(torch, recipe.precision)))
    used = []
    step = Baseline.training_step

    def watched(self, batch, clock):
        used.append(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32)
        return step(self, batch, clock)

    monkeypatch.setattr(Baseline, "training_step", watched)
    for precision in ("float32", "bfloat16"):
        (run,) = specs("baseline", sets=(f"recipe.precision={precision}",))
        assert estimated([run], tmp_path)[run.run_id] > 0
    assert used == [torch.float32] * 2 + [torch.bfloat16] * 2


def test_a_finished_run_in_another_precision_says_nothing(specs, tmp_path, monkeypatch):
    whole, half = (specs("baseline", sets=(f"recipe.precision={name}",))[0] for name in ("float32", "bfloat16"))
    monkeypatch.setattr(estimate, "_measured", lambda context: {estimate._key(whole): 1e-3})
    monkeypatch.setattr(estimate, "_probe", lambda *_: 1e3)
    found = estimated([whole, half], tmp_path)
    assert found[whole.run_id] == pytest.approx(1e6 * found[half.run_id])
