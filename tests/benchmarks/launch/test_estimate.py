"""The plan's estimate of seconds: a few steps timed as the run will do them."""

import json

import pytest
import torch

from benchmarks.launch import estimate
from benchmarks.plan.paths import Sources
from benchmarks.store.provenance import collect
from benchmarks.store.runs import Store
from benchmarks.train.context import RunContext
from benchmarks.train.run import execute
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


@pytest.mark.parametrize("speed", [-3, 0, 5e-324, 1e-320, 1e-9, 1e300, None, 250.0])
def test_a_speed_that_no_run_can_have_had_is_passed_over(specs, tmp_path, monkeypatch, speed):
    """A shared folder's records are anybody's: `images_per_second` of -3 made the plan's time negative, 1e-320 none."""
    (run,) = specs("baseline", epochs=1)
    context = RunContext(tmp_path / "runs", Sources(tmp_path / "data"), provenance=collect())
    assert execute(run, context)
    path = Store(tmp_path / "runs").run(run).record
    record = json.loads(path.read_text())
    record["timing"]["images_per_second"] = speed
    path.write_text(json.dumps(record))
    monkeypatch.setattr(estimate, "_probe", lambda *_: 1e3)
    splits = {("digits", run.recipe.image_size): context.sources.dataset("digits").load(8)}
    images = 1297 + 500 / 3  # trained on, and looked at
    expected = pytest.approx(images / (speed if speed == 250 else 1e3))
    assert estimate.each([run], context, splits) == {run.run_id: expected}
    assert estimate.each_elsewhere([run], context, splits, gpu=False, unknown=7.0) == {run.run_id: expected}
