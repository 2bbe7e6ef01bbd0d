"""Runs made of other runs: planned behind their members, started after them, made of their final weights."""

import hashlib
import json
import multiprocessing
import time

import numpy as np
import pytest

from benchmarks.launch import estimate
from benchmarks.launch.pool import LocalPool
from benchmarks.launch.run_queue import startable
from benchmarks.launch.todo import make_todo
from benchmarks.plan.paths import Sources
from benchmarks.plan.spec import RunSpec
from benchmarks.store.record import read_record
from benchmarks.store.runs import Store
from benchmarks.train.context import RunContext
from benchmarks.train.run import execute
from common.errors import UserError
from reports.runs.frame import load

TWO = ("deep_ensemble.members=2",)


@pytest.fixture
def context(tmp_path):
    return RunContext(runs=tmp_path / "runs", sources=Sources(tmp_path / "data"))


def arrays(context, spec):
    with np.load(Store(context.runs).run(spec).predictions) as file:
        return {name: file[name] for name in file.files}


def test_members_are_planned_before_the_ensemble(specs):
    first, second, ensemble = specs("deep_ensemble", sets=(*TWO, "baseline.pool_dropout=0.1", "recipe.lr=1e-3"))
    assert ensemble.members == (first, second)
    assert [run.method for run in (first, second)] == ["baseline"] * 2
    assert first.config["pool_dropout"] == 0.1 and first.recipe == ensemble.recipe and first.noise == ensemble.noise
    # The first is the plain run of the seed, settings and all: a table's baseline serves as a member.
    (plain,) = specs("baseline", sets=("baseline.pool_dropout=0.1", "recipe.lr=1e-3"))
    assert first == plain and first.noise_seed is None
    assert second.seed != ensemble.seed and second.noise_seed == ensemble.seed


def test_a_shared_member_is_planned_once_and_ensembles_share_none(specs, tmp_path):
    runs = specs("baseline", "deep_ensemble", seeds=(0, 1), sets=TWO)
    assert [run.method for run in runs] == ["baseline", "baseline", "deep_ensemble"] * 2
    assert len({member.run_id for run in runs for member in run.members}) == 4
    assert any("2 of the runs are members" in text for text in make_todo(runs, Store(tmp_path)).remarks)


def test_other_members_make_another_run_and_other_runs_keep_their_ids(specs):
    ensemble = specs("deep_ensemble", sets=TWO)[-1]
    other = specs("deep_ensemble", sets=(*TWO, "baseline.pool_dropout=0.1"))[-1]
    assert other.config == ensemble.config and other.run_id != ensemble.run_id
    assert RunSpec.model_validate_json(ensemble.model_dump_json()).run_id == ensemble.run_id
    (plain,) = specs("rul")
    recipe = {"source", "compile", "sampler", "protocol", "second_view"}
    new = {"overrides": True, "recipe": recipe, "members": True, "noise_seed": True, "fold": True}
    before = json.dumps(plain.model_dump(mode="json", exclude=new), sort_keys=True)
    assert plain.run_id == hashlib.sha256(before.encode()).hexdigest()[:8]


def test_settings_of_a_method_that_is_no_member_are_refused(specs):
    with pytest.raises(UserError, match=r"'rul' is not among the methods: baseline, deep_ensemble, recipe"):
        specs("deep_ensemble", sets=("rul.dropout=0.1",))


def test_an_ensemble_waits_for_its_members_alone(specs):
    first, second, ensemble = specs("deep_ensemble", sets=TWO)
    (free,) = specs("rul")
    assert startable([ensemble, second, free], []) == [second, free]
    assert startable([ensemble, free], [first]) == [free]
    assert startable([ensemble], [second]) == []
    assert startable([ensemble], [free]) == [ensemble]


def test_its_estimate_is_that_of_its_forward_passes(specs, context):
    runs = specs("deep_ensemble", epochs=50, sets=TWO)
    splits = {("digits", runs[0].recipe.image_size): context.sources.dataset("digits").load(8)}
    estimates = [*estimate.each([runs[0], runs[-1]], context, splits).values()]
    assert 0 < estimates[1] < estimates[0] / 5


def test_the_ensemble_is_the_mean_of_its_members(specs, context):
    runs = specs("deep_ensemble", epochs=1, sets=TWO)
    assert all(execute(run, context) for run in runs)
    *members, own = (arrays(context, run) for run in runs)

    def softmax(z):
        e = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    mean = (softmax(members[0]["test_logits"]) + softmax(members[1]["test_logits"])) / 2
    np.testing.assert_allclose(softmax(own["test_logits"]), mean, atol=1e-5)
    np.testing.assert_allclose(own["test_uncertainty"], -(mean * np.log(mean)).sum(axis=1), atol=1e-5)
    assert not np.allclose(members[0]["test_logits"], members[1]["test_logits"], atol=0.1)
    # All of them were given one set of labels, so finding the flipped ones is defined.
    for name in ("train_given", "train_flipped"):
        assert all(np.array_equal(own[name], one[name]) for one in members)
    assert own["train_flipped"].any()

    folder = Store(context.runs).run(runs[-1])
    record = read_record(folder.record)
    assert record.spec == runs[-1] and record.spec.members == tuple(runs[:-1])
    assert record.metrics["last"]["accuracy"] == (mean.argmax(axis=1) == own["test_labels"]).mean()
    assert record.metrics["last"]["epoch"] == 1 and record.metrics["last"]["flip_auroc"] is not None
    assert record.metrics["best_on_test"] is None and record.metrics["best_on_validation"] is None
    assert record.timing["images_per_second"] is None and record.timing["seconds"] > 0
    assert record.relabelling == [] and folder.history.read_text().split() == ["epoch"]
    assert not folder.checkpoint.exists() and not folder.progress.exists()
    # A report counts the plain run and the ensemble; the other member is not one more seed of the baseline.
    assert set(load([context.runs]).runs["run_id"]) == {runs[0].run_id, runs[-1].run_id}


def test_a_member_that_is_not_there_is_named(specs, context):
    first, second, ensemble = specs("deep_ensemble", epochs=1, sets=TWO)
    store = Store(context.runs)
    folder = store.run(ensemble)

    def reason():
        assert not execute(ensemble, context) and not folder.record.exists()
        message = json.loads(folder.failure.read_text())["message"]
        assert "\n" not in message
        return message

    assert execute(first, context)
    assert f"its member {second} is not done (absent)" in reason()
    store.run(second).write_failure("training diverged", "")
    assert f"its member {second} is not done (failed: training diverged)" in reason()
    assert execute(second, context)
    weights = store.run(second).weights
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    assert "final weights" in reason() and str(second) in reason()
    weights.unlink()
    assert "final weights" in reason()
    weights.write_bytes(store.run(first).weights.read_bytes())  # another run's
    assert "final weights" in reason() and str(weights) in reason()
    weights.write_bytes(whole)
    folder.clear_for_run()
    assert execute(ensemble, context) and folder.done()


def test_the_pool_ends_members_first_whatever_the_order(specs, context, monkeypatch, tmp_path):
    """With more slots than it needs; processes that only note when they start and end."""
    runs = specs("deep_ensemble", sets=TWO)
    notes = tmp_path / "notes"

    def note(spec, context, after):
        for word in ("starts", "ends"):
            with open(notes, "a") as file:
                file.write(f"{spec.run_id} {word}\n")
            time.sleep(0.1)

    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr("benchmarks.launch.pool.multiprocessing.get_context", lambda kind: fork)
    monkeypatch.setattr("benchmarks.launch.pool.work", note)
    outcome = LocalPool(context, 3, ["cpu"]).run(runs[::-1], lambda running, outcome: None)
    lines = notes.read_text().split("\n")
    first, second, ensemble = (run.run_id for run in runs)
    assert lines.index(f"{ensemble} starts") > max(lines.index(f"{first} ends"), lines.index(f"{second} ends"))
    assert len(outcome.failed) == 3  # none left a record; the ensemble was started all the same, to say so itself
