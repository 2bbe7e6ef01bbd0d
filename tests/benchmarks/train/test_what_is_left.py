"""What a run leaves can be read, whatever it computed and wherever its code lies: record, predictions, failure."""

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.plan import grid as plan
from benchmarks.plan.paths import Sources
from benchmarks.plan.plugins import load_plugins
from benchmarks.plan.spec import Noise
from benchmarks.plan.suite import Arm
from benchmarks.store.record import read_record
from benchmarks.store.runs import Store
from benchmarks.train.context import RunContext
from benchmarks.train.evaluate import Evaluator, Outputs
from benchmarks.train.run import execute
from methods.core.base import Prediction
from methods.registry import METHODS
from reports.build import build
from reports.runs.predictions import read_predictions


def done(spec, runs, **context):
    """The folder of a run that was tried, and whether it is done."""
    folder = Store(runs).run(spec)
    folder.path.mkdir(parents=True)
    ended = execute(spec, RunContext(runs=runs, sources=Sources(runs.parent / "data"), **context))
    return folder, ended


def test_a_best_epoch_that_ten_crops_see_below_the_last_is_recorded(specs, tmp_path, monkeypatch):
    augment = 'recipe.augment=[{"op": "crop", "size": 8, "padding": 1}]'
    # A seed whose best epoch is not its last, so that its weights are looked at again.
    (spec,) = specs("rul", epochs=5, seeds=(3,), sets=("recipe.crop=8", "recipe.test_view=ten_crop", augment))
    predict, seen = Evaluator.predict, []

    def worse_at_the_best(evaluator, loader, view):
        found = predict(evaluator, loader, view)
        seen.append(view)
        return Outputs(-found.logits, found.uncertainty, found.features) if seen.count("ten_crop") == 2 else found

    monkeypatch.setattr(Evaluator, "predict", worse_at_the_best)
    folder, ended = done(spec, tmp_path / "runs")
    assert ended, folder.failure.read_text()
    metrics = read_record(folder.record).metrics
    assert metrics["best_on_test"]["epoch"] < 5
    assert metrics["best_on_test"]["accuracy"] < metrics["last"]["accuracy"] - 0.1
    build(["summary", "convergence", "site"], [tmp_path / "runs"], tmp_path / "out")


@pytest.fixture
def scaled(monkeypatch):
    """`scaled(1e6)`: the baseline's features are so many times as large."""

    def by(factor):
        cls = METHODS.load("baseline")
        predict = cls.predict

        def larger(method, images):
            found = predict(method, images)
            return Prediction(found.logits, found.uncertainty, factor * found.features)

        monkeypatch.setattr(cls, "predict", larger)

    return by


@pytest.mark.parametrize(("factor", "dtype"), [(1.0, np.float16), (1e6, np.float32)])
def test_features_beyond_half_precision_are_kept(specs, tmp_path, scaled, factor, dtype):
    scaled(factor)
    (spec,) = specs("baseline", epochs=1)
    folder, ended = done(spec, tmp_path / "runs")
    assert ended, folder.failure.read_text()
    features = read_predictions(folder.path)["test_features"]
    assert features.dtype == dtype and features.max() > factor / 100


def test_features_whose_squares_no_float32_holds_are_drawn(specs, tmp_path, scaled):
    scaled(1e25)
    (spec,) = specs("baseline", epochs=1)
    folder, ended = done(spec, tmp_path / "runs")
    assert ended, folder.failure.read_text()
    build(["figures"], [tmp_path / "runs"], tmp_path / "out")
    assert list((tmp_path / "out" / "figures").glob("tsne-*.png"))


def test_features_that_are_no_numbers_end_the_run_in_its_first_epoch(specs, tmp_path, scaled):
    scaled(float("inf"))
    (spec,) = specs("baseline", epochs=2)
    folder, ended = done(spec, tmp_path / "runs")
    assert not ended and not folder.checkpoint.exists()
    assert "the features are not finite numbers" in json.loads(folder.failure.read_text())["message"]


FAILING = '''
import torch

import methods


@methods.register("failing", "raises in its first epoch")
class Failing(methods.Method):
    """A linear layer."""

    Config = methods.MethodConfig
    reference = "none"

    def __init__(self, backbone, num_classes, config):
        super().__init__(backbone, num_classes, config)
        self.classifier = torch.nn.Linear(backbone.feature_shape[0], num_classes)

    def training_step(self, batch, clock):
        if clock.epochs == 2:
            raise RuntimeError(f"raised in {__file__}\\x1b[2J")
        logits = self.classifier(self.backbone(batch.images).mean(dim=(2, 3)))
        return methods.Step(torch.nn.functional.cross_entropy(logits, batch.labels))

    def predict(self, images):
        features = self.backbone(images).mean(dim=(2, 3))
        logits = self.classifier(features)
        return methods.Prediction(logits, logits.softmax(1).amax(1), features)
'''


@pytest.fixture
def unlogged():
    """xdist cannot send a log that holds a name which is no UTF-8."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_a_failure_below_a_path_that_is_no_utf8_has_its_reason(tmp_path, unlogged):
    plugin = Path(os.fsdecode(bytes(tmp_path) + b"/p\xff/failing.py"))
    plugin.parent.mkdir()
    plugin.write_text(FAILING)
    load_plugins([plugin])
    request = plan.Request(arms=(Arm(method="failing"),), datasets=("digits",), noise=(Noise(),), seeds=(0,), epochs=2)
    (spec,) = plan.resolve(request, request.sources(tmp_path / "data"))
    folder, ended = done(spec, tmp_path / "runs", plugins=(plugin,))
    assert not ended
    status, failure = folder.status(), json.loads(folder.failure.read_text())
    assert status.state == "failed" and "/p\\udcff/failing.py\\x1b[2J" in status.detail
    assert "line" in failure["traceback"] and "/p\\udcff/failing.py" in failure["traceback"]
    assert failure["traceback"].count("\n") > 3 and "\x1b" not in failure["traceback"]
