"""Finished folds on data that have changed since: said of them as of whole runs, and never taken for a ranking."""

import dataclasses

import numpy as np
import pytest

from benchmarks.apply.suspects import collect, folded
from benchmarks.launch.todo import make_todo
from benchmarks.plan.paths import Sources
from benchmarks.store.record import write_record
from benchmarks.store.runs import Store
from benchmarks.train import folds
from benchmarks.train.build import label_noise
from benchmarks.train.context import RunContext
from benchmarks.train.run import execute
from common.errors import UserError
from datasets.embedded.digits import Digits


@pytest.fixture
def finished(specs, tmp_path):
    """(two finished folds of the digits with flipped labels, where they lie, where the data do)."""
    (spec,) = specs("baseline", epochs=1)
    runs, sources = folded([spec], 2), Sources(tmp_path)
    for run in runs:
        assert execute(run, RunContext(tmp_path / "runs", sources))
    return runs, Store(tmp_path / "runs"), sources


def swapped(images, labels):
    """Two images of one class in each other's place."""
    one, other = np.flatnonzero(labels == labels[0])[:2]
    images[[one, other]] = images[[other, one]]


def darker(images, labels):
    images[7] //= 2


def change(monkeypatch, how):
    """Have the digits load with other images, of the same labels and number."""
    load = Digits.load

    def changed(self, image_size=None):
        splits = load(self, image_size)
        images = np.array(splits.train.images)
        how(images, splits.train.labels)
        return dataclasses.replace(splits, train=splits.train.with_images(images))

    monkeypatch.setattr(Digits, "load", changed)


def loaded(sources, spec):
    return {(spec.dataset, spec.recipe.image_size): sources.dataset("digits").load(spec.recipe.image_size)}


@pytest.mark.parametrize("how", [swapped, darker])
def test_finished_folds_of_other_images_are_remarked_on(finished, monkeypatch, how):
    runs, store, sources = finished
    before = make_todo(runs, store, of_fold=folds.fingerprints(loaded(sources, runs[0]), sources))
    assert before.done == tuple(runs) and not before.remarks
    change(monkeypatch, how)
    after = make_todo(runs, store, of_fold=folds.fingerprints(loaded(sources, runs[0]), sources))
    (remark,) = after.remarks
    assert after.done == tuple(runs) and "2 finished runs" in remark and "other data of digits" in remark
    assert not make_todo(runs, store).remarks, "nobody has said what there is"


@pytest.mark.parametrize("how", [swapped, darker])
def test_no_ranking_is_made_of_folds_on_other_images(finished, monkeypatch, how):
    runs, store, sources = finished
    for changed in (False, True):
        if changed:
            change(monkeypatch, how)
        (splits,) = loaded(sources, runs[0]).values()
        noisy = label_noise(runs[0], splits.train, sources)
        if changed:
            with pytest.raises(UserError, match="made of other data than there is now; move it away"):
                collect(runs, store, splits.train, noisy.labels, noisy.mask)
        else:
            assert np.isfinite(collect(runs, store, splits.train, noisy.labels, noisy.mask).logits).all()


def test_folds_that_do_not_say_what_they_were_made_of_are_still_used(finished):
    runs, store, sources = finished
    for run in runs:
        record = store.run(run).finished()
        provenance = {**record.provenance, "data": {"classes": record.provenance["data"]["classes"]}}
        write_record(store.run(run).record, record.model_copy(update={"provenance": provenance}))
    data = loaded(sources, runs[0])
    (splits,) = data.values()
    noisy = label_noise(runs[0], splits.train, sources)
    assert not make_todo(runs, store, of_fold=folds.fingerprints(data, sources)).remarks
    assert np.isfinite(collect(runs, store, splits.train, noisy.labels, noisy.mask).logits).all()


def test_a_fold_is_looked_at_once_for_all_that_have_it(specs, monkeypatch, tmp_path):
    sources, asked = Sources(tmp_path), []
    leave_out = folds.leave_out
    monkeypatch.setattr(folds, "leave_out", lambda *given: asked.append(given[0]) or leave_out(*given))
    of = folds.fingerprints(loaded(sources, specs("baseline")[0]), sources)
    rul, baseline = (folded([spec], 3)[0] for spec in specs("rul", "baseline", sets=("recipe.lr=0.5",)))
    assert of(rul) == of(baseline) == of(rul) and len(asked) == 1
    assert of(folded(specs("rul"), 3)[1]) != of(rul) and len(asked) == 2
    assert of(folded(specs("rul", seeds=(1,)), 3)[0]) != of(rul) and len(asked) == 3


def test_tune_says_that_its_finished_runs_are_of_other_data(bench, monkeypatch):
    call = ("tune", "digits", "--recipe", "quick", "--epochs", "1", "--methods", "baseline", "--lr", "0.01,0.02")
    assert bench(*call, "--out", "page.md").returncode == 0
    again = bench(*call, "--out", "page.md")
    assert "2 finished already" in again.stdout and "other data" not in again.stdout
    change(monkeypatch, darker)
    again = bench(*call, "--out", "page.md")
    assert "2 finished runs" in again.stdout and "were made with other data of digits" in again.stdout
    assert "--force does them again" in again.stdout
    assert "2 runs to do" in bench(*call, "--out", "page.md", "--force", "--dry-run").stdout
