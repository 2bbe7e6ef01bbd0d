"""The GPU's path, without a GPU: every step from the images on the host to the arrays of a record.

What this cannot check, and only a GPU shows (docs/performance.md says the same): gradients (autograd wants the device),
kernels and so any value; memory and speed; SGD's fused step (no shapes are known for it); pinning and the overlap of
copies; CUDA graphs and torch.compile; several processes on a device; checkpoints and weights in files. All values are
0, so what the host decides by them (which epoch was best, which pair figure 2 shows) goes one way.
"""

import numpy as np
import pytest
import torch
from torch import nn

import datasets
import methods
from benchmarks.plan.recipe import RECIPES, load
from benchmarks.store.run_folder import RunFolder
from benchmarks.train import checkpoint, results
from benchmarks.train.build import assemble, build_method, recipe_pipeline
from benchmarks.train.step import loader as loader_module
from benchmarks.train.step.loader import Loader
from benchmarks.train.trainer import Trainer
from datasets.base import ImageSet, Splits
from datasets.noise import NoisyLabels
from methods.core import backbones
from methods.core.contract import trains
from tests.benchmarks.train.pretended_gpu import CUDA, Waits, pretended_gpu

TRAINABLE = [name for name in methods.METHODS if trains(methods.METHODS.load(name))]
# Settings that lead a step or a prediction another way; relabelling is on in all of them.
VARIANTS = (
    *((name, ()) for name in TRAINABLE),
    ("rul", ("rul.variant=released",)),
    ("mix_output", ("mix_output.space=probabilities",)),
    ("mc_dropout", ("mc_dropout.where=stages", "mc_dropout.measure=mutual_information")),
    ("mc_dropout", ("mc_dropout.measure=variation_ratio",)),
    ("scn", ("scn.relabel_group=all", "scn.loss_weights=sum")),
)
# Recipe settings that the way to the device, the optimizer or the precision hang on.
RECIPE_VARIANTS = (
    ("recipe.precision=float32",),
    ("recipe.precision=tf32",),
    ("recipe.precision=float16", "recipe.clip_value=0.1"),
    ("recipe.optimizer=sgd", "recipe.nesterov=true", "recipe.clip_value=0.1"),
    (
        "recipe.crop=8",
        "recipe.image_size=12",
        "recipe.test_view=ten_crop",
        'recipe.augment=[{"op": "crop", "size": 8}]',
    ),
    *((f"recipe.backbone={name}", "recipe.image_size=32") for name in backbones.BACKBONES),
)


@pytest.fixture
def watch(monkeypatch):
    with pretended_gpu(monkeypatch) as watch:
        yield watch


def split(count, classes, size=8, channels=1):
    names = tuple(f"class {number}" for number in range(classes))
    images = np.zeros((count, size, size, channels), np.uint8)
    soft = np.full((count, classes), 1 / classes, np.float32)
    return ImageSet.of(images, np.arange(count) % classes, names, soft)


def ready_for(spec, watch, classes=4, count=8, channels=1):
    """An assembled run on the pretended device, whose method is watched in every training step."""
    size = spec.recipe.image_size
    splits = Splits(
        split(count, classes, size, channels), split(7, classes, size, channels), split(5, classes, size, channels)
    )
    method = build_method(spec, splits.train)
    if spec.members:
        method.adopt([build_method(member, splits.train) for member in spec.members])
    ready = assemble(spec, method, splits, splits.train.labels, CUDA)
    step = ready.method.training_step

    def watched(batch, clock):
        with watch.step():
            return step(batch, clock)

    ready.method.training_step = watched
    return ready, splits


def relabelling(name, sets=()):
    return (*sets, f"{name}.relabel.enabled=true", f"{name}.relabel.epoch=1")


def run_all(spec, watch, tmp_path, monkeypatch, **data):
    """Train, evaluate and collect a run's arrays. Returns the assembled run, the arrays, and reads of each epoch."""
    ready, splits = ready_for(spec, watch, **data)
    trainer = Trainer(spec, ready, RunFolder(tmp_path))
    train_epoch, reads = trainer.train_epoch, []

    def counted(epoch, progress):
        before = watch.read
        row = train_epoch(epoch, progress)
        reads.append(watch.read - before)
        return row

    monkeypatch.setattr(trainer, "train_epoch", counted)
    monkeypatch.setattr(checkpoint, "save", lambda folder, state: None)  # there is nothing to be written
    fitted = trainer.run()
    noisy = NoisyLabels(splits.train.labels, np.zeros(len(splits.train), bool))
    return ready, results._arrays(ready, fitted, splits, noisy), reads


@pytest.mark.parametrize(("name", "sets"), VARIANTS)
@pytest.mark.parametrize("classes", [2, 4])
def test_a_run_of_every_method(specs, watch, tmp_path, monkeypatch, name, sets, classes):
    """Two batches of three images and a last one of two; labels are read back once an epoch, losses once."""
    (spec,) = specs(name, sets=(*relabelling(name, sets), "recipe.batch_size=3"))
    ready, arrays, reads = run_all(spec, watch, tmp_path, monkeypatch, classes=classes)
    assert reads == [2, 2], "losses and relabelling, at an epoch's end"
    assert torch.bfloat16 in watch.dtypes, "mixed precision"
    assert arrays["test_logits"].shape == (7, classes) and arrays["train_uncertainty"].shape == (8,)
    assert ("figure2_weight" in arrays) == (
        ready.method.mixing_experiment.__func__ is not methods.Method.mixing_experiment
    )


@pytest.mark.parametrize("sets", RECIPE_VARIANTS)
def test_a_run_under_every_kind_of_recipe(specs, watch, tmp_path, monkeypatch, sets):
    (spec,) = specs("rul", sets=(*relabelling("rul", sets), "recipe.batch_size=4"))
    ready, arrays, reads = run_all(spec, watch, tmp_path, monkeypatch)
    assert reads == [2, 2] and arrays["test_logits"].shape == (7, 4)
    wanted = {"float32": set(), "tf32": set(), "float16": {torch.float16}}.get(spec.recipe.precision, {torch.bfloat16})
    assert watch.dtypes - {torch.float32} == wanted, "figure 2 alone is always in full precision"
    assert ready.precision.name == {"auto": "bfloat16"}.get(spec.recipe.precision, spec.recipe.precision)


class AtOnce:
    """A thread that is done when it is started."""

    def __init__(self, target, daemon):
        self.start = target

    def join(self):
        pass


@pytest.mark.parametrize("colour", [1, 3])
def test_images_that_do_not_fit_are_streamed(specs, monkeypatch, tmp_path, colour):
    (spec,) = specs("rul", sets=("recipe.batch_size=3",))
    # The mode is no two threads': the gathering is done at once, into a queue that holds it all.
    monkeypatch.setattr(loader_module.threading, "Thread", AtOnce)
    monkeypatch.setattr(loader_module, "PREFETCH", 100)
    with pretended_gpu(monkeypatch, free=1000) as watch:
        ready, _ = ready_for(spec, watch, channels=colour)
        loader = ready.data.train
        assert not loader.resident and loader.images.device.type == "cpu"
        batches = list(loader.batches(torch.arange(8), 3))
        assert [tuple(images.shape) for images, _ in batches] == [
            (3, colour, 8, 8),
            (3, colour, 8, 8),
            (2, colour, 8, 8),
        ]
        assert {part.device.type for batch in batches for part in batch} == {"cuda"}
        assert ready.evaluator.predict(ready.data.test.loader, "single").logits.shape == (7, 4)


PIPELINES = [(recipe, name) for recipe in RECIPES.names() for name in datasets.DATASETS]


@pytest.mark.parametrize(("recipe_name", "dataset"), PIPELINES)
def test_the_pipelines_of_every_recipe_and_data_set(watch, recipe_name, dataset):
    """Training, test and ten crops of a whole batch and of a last one of one image."""
    recipe = load(recipe_name, dataset)
    channels = datasets.DATASETS.load(f"{dataset}:x" if dataset == "folder" else dataset).channels
    side, fed = recipe.image_size or 100, recipe.input_size(recipe.image_size or 100)
    loader = Loader(np.zeros((5, side, side, channels), np.uint8), CUDA)
    extra = [op for name in TRAINABLE for op in methods.METHODS.load(name).extra_augment]
    for pipeline in (recipe_pipeline(recipe, channels), recipe_pipeline(recipe, channels, extra)):
        generator = torch.Generator(CUDA).manual_seed(0)
        for raw, _ in loader.batches(torch.arange(5), 4):
            pipeline.test(raw)  # what has to be copied once is on the device from now on
            with watch.step():
                views = [pipeline.train(raw, generator), pipeline.test(raw)]
                views += [*pipeline.ten_crop(raw)] if recipe.crop else []
            for view in views:
                assert view.shape == (len(raw), channels, fed, fed) and view.device.type == "cuda"
                assert view.dtype == torch.float32


@pytest.mark.parametrize("view", ["single", "ten_crop"])
@pytest.mark.parametrize("name", methods.METHODS)
def test_predictions_in_both_views(specs, watch, name, view):
    """Methods made of others' networks, too; the last batch of ten crops is a small one."""
    ready, _ = ready_for(specs(name, sets=("recipe.image_size=12", "recipe.crop=8"))[-1], watch)
    loader = Loader(np.zeros((53, 12, 12, 1), np.uint8), CUDA)
    outputs = ready.evaluator.predict(loader, view)
    assert outputs.logits.shape == (53, 4) and outputs.uncertainty.shape == (53,)
    assert watch.read == 3, "logits, uncertainty and features, each once"


# What a training step must not do, each in words and as an addition to a loss that is all right.
WRONG = {
    "a value read": lambda method, logits, batch: logits.sum().item(),
    "a value as a number": lambda method, logits, batch: float(logits.detach().sum()),
    "a constant of the device read": lambda method, logits, batch: int(torch.tensor(3, device=logits.device)),
    "a branch on a value": lambda method, logits, batch: 1 if logits.max() > 3 else 0,
    "values as a list": lambda method, logits, batch: sum(batch.labels.tolist()),
    "a shape that depends on values": lambda method, logits, batch: logits[batch.labels > 1].sum(),
    "rows where something holds": lambda method, logits, batch: (batch.labels > 1).nonzero().sum(),
    "a tensor of the host": lambda method, logits, batch: (logits * torch.ones(len(logits), 1)).sum(),
    "a scalar of the host": lambda method, logits, batch: (logits * torch.tensor(0.5)).sum(),
    "rows by an index of the host": lambda method, logits, batch: logits[torch.arange(2)].sum(),
    "a copy to the device": lambda method, logits, batch: (logits * torch.ones(len(logits), 1).to(logits.device)).sum(),
    "a list on the device": lambda method, logits, batch: logits[torch.tensor([0, 1], device=logits.device)].sum(),
    "a copy to the host": lambda method, logits, batch: logits.cpu().sum() * 0,
    "an array": lambda method, logits, batch: logits.detach().cpu().numpy().sum(),
    "a tensor that is no buffer": lambda method, logits, batch: (logits * method.forgotten).sum(),
    "a generator of the host": lambda method, logits, batch: torch.rand(
        2, device=logits.device, generator=torch.Generator()
    ).sum(),
}


class Trial(methods.Method):
    """Cross-entropy, and whatever `extra` adds to it."""

    reference = "a test"

    def __init__(self, extra):
        super().__init__(backbones.create("small", 1, 8), 4, methods.MethodConfig())
        self.classifier = nn.Linear(self.backbone.feature_shape[0], 4)
        self.forgotten = torch.ones(4)  # no buffer: it stays where it was made
        self.extra = extra

    def training_step(self, batch, clock):
        logits = self.classifier(self.backbone(batch.images).mean(dim=(2, 3)))
        loss = nn.functional.cross_entropy(logits, batch.labels)
        return methods.Step(loss if self.extra is None else loss + self.extra(self, logits, batch))

    def predict(self, images):
        raise NotImplementedError


def one_step(watch, extra):
    """A training step of `Trial` on the device, as those of the registered methods above."""
    method = Trial(extra).to(CUDA)
    batch = methods.Batch(torch.zeros(3, 1, 8, 8, device=CUDA), torch.zeros(3, dtype=torch.long, device=CUDA), None)
    with watch.step():
        return method.training_step(batch, methods.Clock(0, 0, 1, 1))


def test_a_right_step_passes(watch):
    assert one_step(watch, None).loss.device.type == "cuda"
    assert one_step(watch, lambda method, logits, batch: logits.sum() * 0.5).loss.device.type == "cuda"


@pytest.mark.parametrize("fault", WRONG)
def test_a_step_that_waits_or_leaves_the_device_fails(watch, fault):
    with pytest.raises(Waits):
        one_step(watch, WRONG[fault])
