"""The engine on real (small) runs: the record, resuming, determinism, divergence, checkpoints."""

import csv
import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision

from benchmarks.plan.paths import Sources
from benchmarks.store.record import read_record
from benchmarks.store.runs import Store
from benchmarks.train import checkpoint, final_weights
from benchmarks.train.build import build_method, label_noise, load_pretrained
from benchmarks.train.context import RunContext
from benchmarks.train.evaluate import Evaluator
from benchmarks.train.run import execute
from benchmarks.train.trainer import Trainer
from common.errors import UserError
from datasets.base import ImageSet
from datasets.embedded.digits import Digits
from methods.core.weights import sha256


@pytest.fixture
def do(tmp_path):
    """`do(spec, "runs")` executes a run below tmp_path and returns its folder."""

    def run(spec, where="runs", expect=True):
        context = RunContext(runs=tmp_path / where, sources=Sources(tmp_path / "data"), provenance={"commit": "x"})
        folder = Store(context.runs).run(spec)
        folder.clear_for_run()
        folder.path.mkdir(parents=True, exist_ok=True)
        assert execute(spec, context) is expect, folder.failure.read_text()
        return folder

    return run


def results(folder):
    """What must not differ between two executions of a run."""
    record = read_record(folder.record)
    with np.load(folder.predictions) as arrays:
        stored = {name: arrays[name].copy() for name in arrays.files}
    return record.metrics, record.noise, record.relabelling, stored


def same(one, other):
    return one[:3] == other[:3] and all(np.array_equal(one[3][k], other[3][k], equal_nan=True) for k in one[3])


def test_a_run_leaves_a_whole_record(specs, do):
    (spec,) = specs("rul", epochs=2)
    folder = do(spec)
    record = read_record(folder.record)
    assert record.spec == spec and record.run_id == spec.run_id
    last = record.metrics["last"]
    assert last["epoch"] == 2 and 0 <= last["accuracy"] <= 1
    assert {"accuracy_at_10", "free_accuracy_at_30", "error_auroc", "flip_auroc", "free_flip_auroc"} <= set(last)
    assert record.metrics["best_on_test"]["accuracy"] >= last["accuracy"]
    assert record.metrics["best_on_validation"] is None
    assert record.noise["realised"] == pytest.approx(0.2, abs=1e-3)
    assert record.timing["images_per_second"] > 0 and record.timing["load"] >= 0
    assert {"commit", "precision", "threads", "data", "device"} <= set(record.provenance)
    with open(folder.history) as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    _, _, _, arrays = results(folder)
    assert arrays["test_logits"].shape == (len(arrays["test_labels"]), 10)
    flipped = arrays["train_given"] != arrays["train_clean"]
    assert np.array_equal(flipped, arrays["train_flipped"])
    assert (arrays["test_logits"].argmax(1) == arrays["test_labels"]).mean() == last["accuracy"]


def test_the_same_spec_gives_the_same_numbers(specs, do):
    (spec,) = specs("rul")
    assert same(results(do(spec, "a")), results(do(spec, "b")))


def test_every_method_sees_the_same_flipped_labels(specs, do):
    given = [results(do(spec))[3]["train_given"] for spec in specs("baseline", "dul", epochs=1)]
    assert np.array_equal(*given)


def test_relabelling_leaves_the_stored_given_labels_as_they_were(specs, do, tmp_path):
    """On a CPU tensors may share memory with what a record stores."""
    (spec,) = specs("scn", epochs=2, noise=(0.3,), sets=("scn.relabel.epoch=1", "scn.relabel.threshold=0"))
    arrays = results(do(spec))[3]
    sources = Sources(tmp_path / "data")
    train = sources.dataset(spec.dataset).load(spec.recipe.image_size).train
    expected = label_noise(spec, train, sources)
    assert np.array_equal(arrays["train_given"], expected.labels) and np.array_equal(
        arrays["train_flipped"], expected.mask
    )
    assert (arrays["train_labels_last"] != expected.labels).any(), "the run was meant to relabel"


def test_what_relabelling_did_is_in_the_record(specs, do):
    """Counted here from the stored labels: right ones before and after, and of the changed and the wrong ones."""
    relabels, never = specs(
        "scn", "baseline", epochs=2, noise=(0.3,), sets=("scn.relabel.epoch=1", "scn.relabel.threshold=0")
    )
    metrics, _, _, arrays = results(do(relabels))
    last, rows = (
        metrics["last"],
        list(zip(*(arrays[f"train_{k}"] for k in ("given", "clean", "labels_last")), strict=True)),
    )
    assert last["label_accuracy_before"] == pytest.approx(sum(g == c for g, c, _ in rows) / len(rows))
    assert last["label_accuracy"] == pytest.approx(sum(c == now for _, c, now in rows) / len(rows))
    changed, wrong = [row for row in rows if row[0] != row[2]], [row for row in rows if row[0] != row[1]]
    assert last["relabel_precision"] == pytest.approx(sum(c == now for _, c, now in changed) / len(changed))
    assert last["relabel_recall"] == pytest.approx(sum(c == now for _, c, now in wrong) / len(wrong))
    last = results(do(never))[0]["last"]
    assert last["label_accuracy"] == last["label_accuracy_before"] == pytest.approx(0.7, abs=1e-3)
    assert last["relabel_precision"] is None and last["relabel_recall"] is None


def test_rows_have_their_files_names_where_they_are_files(specs, do, monkeypatch):
    """Printable ones: what a file's name does to a terminal, a report must not do."""
    (spec,) = specs("baseline", epochs=1)
    assert not [name for name in results(do(spec, "none"))[3] if name.endswith("_files")]
    load = Digits.load

    def named(self, image_size=None):
        splits = load(self, image_size)
        names = np.array([f"one/{row}.png" for row in range(len(splits.train))], dtype=np.str_)
        names[1] = "a\nb\x1b[2J\udcff.png"
        few = np.array([f"two/{row}.png" for row in range(len(splits.test))], dtype=np.str_)
        return replace(splits, train=replace(splits.train, names=names), test=replace(splits.test, names=few))

    monkeypatch.setattr(Digits, "load", named)
    arrays = results(do(spec))[3]
    train, test = arrays["train_files"], arrays["test_files"]
    assert train.dtype.kind == test.dtype.kind == "U" and "validation_files" not in arrays
    assert train[0] == "one/0.png" and train[1] == r"a\nb\x1b[2J\udcff.png"
    assert train.shape == arrays["train_given"].shape and test.tolist() == [
        f"two/{row}.png" for row in range(len(test))
    ]


def test_a_run_stores_what_finds_wrong_labels_for_free(specs, do):
    (spec,) = specs("baseline", epochs=2)
    arrays = results(do(spec))[3]
    given, other = arrays["train_p_given"], arrays["train_p_other"]
    assert given.shape == other.shape == arrays["train_given"].shape
    assert (given >= 0).all() and (given + other <= 1 + 1e-6).all()
    # 1 - max softmax, stored from the same pass, is one of the two.
    np.testing.assert_allclose(1 - np.maximum(given, other), arrays["train_free_uncertainty"], atol=1e-6)


# dul draws noise in its step, scn relabels, conf moves a buffer: each must survive the interruption.
@pytest.mark.parametrize("name", ["dul", "scn", "conf"])
def test_resuming_gives_the_undisturbed_record(specs, do, monkeypatch, name):
    (spec,) = specs(name, epochs=4, sets=(f"{name}.relabel.enabled=true", f"{name}.relabel.epoch=1"))
    undisturbed = results(do(spec, "undisturbed"))
    original = Trainer.train_epoch

    def interrupted(trainer, epoch, progress):
        if epoch == 2 and trainer.folder.path.parts[-5] == "disturbed":
            original(trainer, epoch, progress)  # the epoch in progress is lost
            raise KeyboardInterrupt
        return original(trainer, epoch, progress)

    monkeypatch.setattr(Trainer, "train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        do(spec, "disturbed")
    monkeypatch.undo()
    assert same(results(do(spec, "disturbed")), undisturbed)
    assert undisturbed[2], "the run was meant to relabel"


def test_a_truncated_checkpoint_falls_back_to_the_one_before(specs, do, monkeypatch, caplog):
    (spec,) = specs("baseline", epochs=3)
    undisturbed = results(do(spec, "undisturbed"))
    monkeypatch.setattr(final_weights, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        do(spec, "disturbed")
    monkeypatch.undo()
    path = next((do.__closure__[0].cell_contents / "disturbed").glob("*/*/*/*/checkpoint.pt"))
    path.write_bytes(path.read_bytes()[:1000])
    with caplog.at_level(logging.INFO):
        assert same(results(do(spec, "disturbed")), undisturbed)
    assert "falling back" in caplog.text and "going on after epoch 2" in caplog.text


def test_final_weights_are_whole_and_of_their_run(specs, do, tmp_path):
    (spec,) = specs("rul", epochs=1)
    folder = do(spec)
    assert not folder.checkpoint.exists(), "the training state goes once the record is there"
    found = final_weights.load(folder.weights, spec.run_id)
    splits = Digits(tmp_path).load(None)
    build_method(spec, splits.train).load_state_dict(found)  # strictly
    assert final_weights.load(folder.weights, "00000000") is None
    folder.weights.write_bytes(folder.weights.read_bytes()[:-100])
    assert final_weights.load(folder.weights, spec.run_id) is None


def test_a_checkpoint_that_would_run_code_is_not_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = tmp_path / "checkpoint.pt"
    torch.save({"run_id": "x", "optimizer": Evil()}, path)
    assert checkpoint.load(path, "x", 5) is None
    assert not (tmp_path / "ran").exists()


def test_the_best_epochs_are_seen_in_the_recipes_own_view_once_at_the_end(specs, do, monkeypatch):
    augment = 'recipe.augment=[{"op": "crop", "size": 8, "padding": 1}]'
    # A seed whose best epoch is not its last.
    (spec,) = specs("rul", epochs=5, seeds=(3,), sets=("recipe.crop=8", "recipe.test_view=ten_crop", augment))
    seen, at_best = [], {}
    predict = Evaluator.predict

    def counted(evaluator, loader, view):
        seen.append(view)
        return predict(evaluator, loader, view)

    evaluate = Trainer._evaluate

    def at_once(trainer, row):
        """What the ten crops of a new best gave in its own epoch."""
        evaluate(trainer, row)
        if trainer.state.best.rows["best_on_test"]["epoch"] == row["epoch"]:
            test = trainer.data.test
            at_best.update(test.metrics(predict(trainer.evaluator, test.loader, "ten_crop")))

    monkeypatch.setattr(Trainer, "_evaluate", at_once)
    monkeypatch.setattr(Evaluator, "predict", counted)
    record = read_record(do(spec).record)
    best = record.metrics["best_on_test"]
    assert {key: best[key] for key in at_best} == at_best and best["epoch"] < 5
    assert seen.count("ten_crop") == 2, "the best epoch and the last"
    assert record.metrics["last"]["accuracy"] != best["accuracy"]


def test_divergence_ends_the_run_with_its_reason(specs, do):
    (spec,) = specs("baseline", sets=("recipe.lr=1e30",))
    folder = do(spec, expect=False)
    failure = json.loads(folder.failure.read_text())
    assert "diverged" in failure["message"] and "epoch 1 of 2" in failure["message"]
    assert folder.status().state == "failed" and not folder.record.exists()


def test_divergence_in_the_last_step_has_its_reason_too(specs, do, monkeypatch):
    """The loss is a number to the end; what its last step leaves is none."""
    (spec,) = specs("baseline", epochs=1)
    train_epoch = Trainer.train_epoch

    def ends_badly(trainer, epoch, progress):
        row = train_epoch(trainer, epoch, progress)
        torch.nn.init.constant_(trainer.method.classifier.weight, float("nan"))
        return row

    monkeypatch.setattr(Trainer, "train_epoch", ends_badly)
    folder = do(spec, expect=False)
    message = json.loads(folder.failure.read_text())["message"]
    assert "predictions are not numbers in epoch 1 of 1: training diverged" in message and not folder.record.exists()


def test_the_weights_that_a_spec_names_are_loaded_and_no_others(specs, tmp_path):
    (spec,) = specs("baseline", sets=("recipe.backbone=resnet18", "recipe.pretrained=msceleb"))
    assert spec.weights is None, "there is no file yet"
    torch.manual_seed(3)
    file = tmp_path / "data" / "weights" / "resnet18_msceleb.pth"
    file.parent.mkdir(parents=True)
    published = torchvision.models.resnet18()
    torch.save({"state_dict": {f"module.{key}": value for key, value in published.state_dict().items()}}, file)
    (spec,) = specs("baseline", sets=("recipe.backbone=resnet18", "recipe.pretrained=msceleb"))
    assert spec.weights == sha256(file)
    train = ImageSet.of(np.zeros((4, 32, 32, 3), np.uint8), np.arange(4), ("a", "b", "c", "d"))
    method = build_method(spec, train)
    assert not torch.equal(method.backbone.stages.layer4[1].conv2.weight, published.layer4[1].conv2.weight)
    load_pretrained(method, spec, file)
    assert torch.equal(method.backbone.stages.layer4[1].conv2.weight, published.layer4[1].conv2.weight)
    other = tmp_path / "other.pth"
    torch.save(torchvision.models.resnet18().state_dict(), other)
    for wrong in (other, None):
        with pytest.raises(UserError, match="not the one of this run"):
            load_pretrained(method, spec, wrong)
