"""`--log tensorboard`, against the real package."""

from __future__ import annotations

import csv
import sys

import pytest

from benchmarks.plan.paths import Sources
from benchmarks.store.runs import Store
from benchmarks.train import curves
from benchmarks.train.context import RunContext
from benchmarks.train.run import execute
from benchmarks.train.trainer import Trainer
from common.errors import UserError

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def scalars(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_the_events_are_the_history_once_each_over_a_stop(specs, tmp_path, monkeypatch):
    spec = specs("rul", epochs=3)[0]
    context = RunContext(tmp_path / "runs", Sources(tmp_path), log="tensorboard")
    folder = Store(context.runs).run(spec)
    own = Trainer._evaluate

    def stops(self, row):
        own(self, row)
        if row["epoch"] == 2:
            raise RuntimeError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_evaluate", stops)
        assert not execute(spec, context)
    assert [step for step, _ in scalars(folder.path / curves.FOLDER)["loss"]] == [1]
    assert execute(spec, context)
    found = scalars(folder.path / curves.FOLDER)
    with open(folder.history, newline="") as file:
        history = list(csv.DictReader(file))
    for tag in ("loss", "test_accuracy", "lr_factor"):
        assert [step for step, _ in found[tag]] == [1, 2, 3]
        assert [value for _, value in found[tag]] == pytest.approx([float(row[tag]) for row in history], rel=1e-6)


def test_without_the_flag_nothing_is_written(specs, tmp_path):
    spec = specs("baseline", epochs=1)[0]
    context = RunContext(tmp_path / "runs", Sources(tmp_path))
    assert execute(spec, context)
    assert not list((tmp_path / "runs").rglob("events.*"))


def test_without_tensorboard(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match="pip install tensorboard"):
        curves.check()


def test_another_logger_is_refused(capsys):
    from bench import main

    assert main(["--log", "wandb"]) == 2
    error = capsys.readouterr().err
    assert "--log" in error and error.count("\n") == 1
