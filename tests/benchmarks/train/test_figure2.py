"""The figure-2 experiment: which pair, and both losses of its mixture against numpy."""

import numpy as np
import pytest
import torch

import methods
from benchmarks.plan.paths import Sources
from benchmarks.store.runs import Store
from benchmarks.train import figure2 as mixing
from benchmarks.train.build import recipe_pipeline
from benchmarks.train.context import RunContext
from benchmarks.train.evaluate import EvaluationSplit, Evaluator, Outputs
from benchmarks.train.run import execute
from benchmarks.train.step.loader import Loader
from benchmarks.train.step.precision import Precision

NAMES = {f"figure2_{name}" for name in ("weight", "loss_certain", "loss_uncertain", "own_weight", "index", "labels")}


def test_the_pair_is_chosen_by_rule():
    uncertainty = np.arange(400.0)[::-1].copy()  # row 399 is the most certain
    labels = np.repeat([0, 1], 200)
    correct = np.ones(400, dtype=bool)
    # 1 % of 400 right ones: rows 399 .. 396, middle 398; 1 % of the 200 of class 0: rows 0 and 1, middle 0.
    assert mixing.choose(uncertainty, correct, labels) == (398, 0)
    correct[390:] = False  # a wrong one is not certain, however sure of itself; an uncertain one may be wrong
    correct[:10] = False
    assert mixing.choose(uncertainty, correct, labels) == (388, 0)
    labels[:3] = 1  # the uncertain one has another label
    assert mixing.choose(uncertainty, correct, labels) == (388, 3)
    assert mixing.choose(uncertainty, np.zeros(400, dtype=bool), labels) is None
    assert mixing.choose(uncertainty, correct, np.zeros(400, dtype=int)) is None


def test_ties_are_broken_by_row():
    assert mixing.choose(np.zeros(4), np.ones(4, dtype=bool), np.array([0, 0, 1, 1])) == (0, 3)


def cross_entropy(z, label):
    return np.log(np.exp(z - z.max()).sum()) + z.max() - z[label]


@pytest.fixture
def trial(specs):
    """`trial("rul")`: a network with weights drawn at random, its predictions, and what is stored of the pair."""

    def make(name, **config):
        torch.manual_seed(0)
        method = methods.create(name, 3, "small", image_size=16, channels=1, **config)
        torch.nn.init.normal_(method.classifier.weight)
        pixels = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 1), dtype=np.uint8)
        split = EvaluationSplit(Loader(pixels, torch.device("cpu")), np.arange(60) % 3)
        pipeline = recipe_pipeline(specs("rul")[0].recipe.model_copy(update={"image_size": 16}), 1)
        precision = Precision(torch.device("cpu"), torch.float32)
        outputs = Evaluator(method, pipeline, precision, 0).predict(split.loader, "single")
        return method, pixels, outputs, mixing.figure2(method, pipeline, split, outputs), pipeline

    return make


@pytest.mark.parametrize(
    ("name", "config"), [("rul", {}), ("rul", {"variant": "released"}), ("dul_rul", {})], ids=["rul", "released", "dul"]
)
def test_losses_and_weight_are_the_formulas(trial, name, config):
    method, pixels, outputs, stored, pipeline = trial(name, **config)
    assert set(stored) == {*NAMES, "figure2_images"}
    index, labels = stored["figure2_index"], stored["figure2_labels"]
    assert np.array_equal(labels, index % 3) and labels[0] != labels[1]
    assert np.array_equal(stored["figure2_images"], pixels[index])
    assert outputs.uncertainty[index[0]] < outputs.uncertainty[index[1]]
    with torch.no_grad():
        images = pipeline.test(torch.from_numpy(pixels[index]).permute(0, 3, 1, 2))
        mu, log_sigma = (x.double().numpy() for x in method.embed(images))
    W, b = (x.detach().double().numpy() for x in method.classifier.parameters())
    assert stored["figure2_weight"].shape == (101,)
    for w, certain, uncertain in zip(
        stored["figure2_weight"], stored["figure2_loss_certain"], stored["figure2_loss_uncertain"], strict=True
    ):
        z = W @ (w * mu[1] + (1 - w) * mu[0]) + b
        assert (certain, uncertain) == pytest.approx([cross_entropy(z, label) for label in labels], rel=1e-4, abs=1e-5)
    sigma = np.exp(log_sigma)
    if config:
        sigma = sigma.mean(axis=1, keepdims=True)
    own = (sigma[1] / (sigma[0] + sigma[1])).mean()
    assert stored["figure2_own_weight"].shape == () and float(stored["figure2_own_weight"]) == pytest.approx(own, 1e-5)
    # At the ends one image is alone: its own cross-entropy, of the logits that the run stored.
    alone = [stored["figure2_loss_certain"][0], stored["figure2_loss_uncertain"][-1]]
    expected = [
        cross_entropy(outputs.logits[row].astype(float), label) for row, label in zip(index, labels, strict=True)
    ]
    assert alone == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", ["baseline", "dul", "loss_attention"])
def test_methods_that_mix_no_features_store_none(trial, name):
    assert trial(name)[3] == {}


def test_a_pair_that_does_not_exist_stores_none(trial):
    method, _, outputs, _, pipeline = trial("rul")
    split = EvaluationSplit(Loader(np.zeros((60, 16, 16, 1), np.uint8), torch.device("cpu")), np.zeros(60, dtype=int))
    assert mixing.figure2(method, pipeline, split, Outputs(outputs.logits, outputs.uncertainty, outputs.features)) == {}


def test_a_run_stores_it(specs, tmp_path):
    (spec,) = specs("rul", epochs=2)
    context = RunContext(runs=tmp_path / "runs", sources=Sources(tmp_path / "data"))
    assert execute(spec, context)
    with np.load(Store(context.runs).run(spec).predictions) as stored:
        assert set(stored.files) >= NAMES
        certain, uncertain = stored["figure2_index"]
        assert stored["test_logits"][certain].argmax() == stored["test_labels"][certain]
        assert stored["test_uncertainty"][certain] < stored["test_uncertainty"][uncertain]
        assert 0 < stored["figure2_own_weight"] < 1
        assert stored["figure2_labels"].tolist() == stored["test_labels"][[certain, uncertain]].tolist()
