"""Fast paths: none changes results beyond rounding without being asked for, and each gives way where it cannot run."""

import logging
import statistics
import subprocess

import pytest
import torch

from benchmarks.plan.paths import Sources
from benchmarks.plan.recipe import Recipe
from benchmarks.plan.spec import RunSpec
from benchmarks.store.record import read_record
from benchmarks.store.runs import Store
from benchmarks.train.context import RunContext
from benchmarks.train.run import execute
from benchmarks.train.step import precision
from benchmarks.train.step.compile import compile_backbone
from benchmarks.train.step.precision import Precision
from methods.core import backbones

CPU = torch.device("cpu")
FLOAT32 = Precision(CPU, torch.float32)


def test_a_fast_path_is_part_of_the_identity_when_it_is_asked_for_and_only_then(specs):
    recipe = Recipe(name="x", backbone="small", epochs=1, batch_size=2, optimizer="adam", lr=0.1, weight_decay=0)
    pinned = RunSpec(protocol=1, dataset="digits", method="rul", seed=0, recipe=recipe)
    assert pinned.run_id == "9c642465", "ids from before there were fast paths hold"
    (usual,) = specs("rul")
    fast = [specs("rul", sets=(setting,))[0] for setting in ("recipe.compile=true", "recipe.precision=bfloat16")]
    assert len({usual.run_id, *(spec.run_id for spec in fast)}) == 3
    assert specs("rul", sets=("recipe.compile=false",))[0].run_id == usual.run_id


def test_compiled_and_mixed_precision_runs_are_as_accurate(specs, tmp_path):
    """Three seeds of RUL on the digits: the means differ by less than the noise of their difference allows for."""
    settings = {"eager": (), "compiled": ("recipe.compile=true",), "mixed": ("recipe.precision=bfloat16",)}
    found = {}
    for name, setting in settings.items():
        accuracies = []
        for spec in specs("rul", epochs=4, seeds=range(3), noise=(0.0,), sets=("recipe.batch_size=128", *setting)):
            context = RunContext(runs=tmp_path / name, sources=Sources(tmp_path / "data"), threads=1)
            folder = Store(context.runs).run(spec)
            assert execute(spec, context), folder.failure.read_text()
            record = read_record(folder.record)
            assert record.provenance["compiled"] is (name == "compiled")
            assert record.provenance["precision"] == Precision.of(spec.recipe, CPU).name
            accuracies.append(record.metrics["last"]["accuracy"])
        found[name] = accuracies
    eager = found["eager"]
    assert statistics.mean(eager) > 0.9, eager
    for name in ("compiled", "mixed"):
        differences = [a - b for a, b in zip(found[name], eager, strict=True)]
        # Four standard errors of a difference of two means of three; a run's own spread is at least half a per cent.
        noise = 4 * max(statistics.stdev(eager), 0.005) * (2 / 3) ** 0.5
        assert abs(statistics.mean(differences)) < noise, (name, found)


def test_compiling_leaves_the_network_and_the_random_numbers_as_they_were():
    backbone = backbones.create("small", channels=1, image_size=8)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    state = torch.get_rng_state()
    assert compile_backbone(backbone, (4, 1, 8, 8), FLOAT32)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert all(p.grad is None for p in backbone.parameters())
    images = torch.randn(4, 1, 8, 8).contiguous(memory_format=torch.channels_last)
    twin = backbones.create("small", channels=1, image_size=8)
    twin.load_state_dict(before)
    assert torch.allclose(backbone(images), twin(images), atol=1e-5)
    assert torch.equal(backbone(images[:3]), twin(images[:3])), "another size: eager, the very same"


def test_where_compilation_fails_training_is_eager(monkeypatch, caplog):
    def broken(*_, **__):
        def call(_):
            raise RuntimeError("no compiler\nsecond line")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    backbone = backbones.create("small", channels=1, image_size=8)
    statistics_before = [buffer.clone() for buffer in backbone.buffers()]
    with caplog.at_level(logging.WARNING):
        assert not compile_backbone(backbone, (4, 1, 8, 8), FLOAT32)
    assert "no compiler" in caplog.text and "second line" not in caplog.text
    assert all(torch.equal(a, b) for a, b in zip(backbone.buffers(), statistics_before, strict=True))
    assert backbone(torch.randn(4, 1, 8, 8)).shape == (4, *backbone.feature_shape)


@pytest.fixture
def processor(monkeypatch):
    """`processor({"AVX512_CORE_BF16"})`: bfloat16 works with these instruction sets, with others it dies of SIGILL."""
    monkeypatch.delenv(precision.ISA_VARIABLE, raising=False)
    precision._cpu_runs_bfloat16.cache_clear()
    monkeypatch.setattr(precision, "_cpu_has_bfloat16", lambda: True)

    def works_with(values):
        def run(command, env, **_):
            return subprocess.CompletedProcess(command, 0 if env.get(precision.ISA_VARIABLE) in values else -4)

        monkeypatch.setattr(subprocess, "run", run)

    yield works_with
    precision._cpu_runs_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("values", "used", "variable"),
    [
        ({None}, "bfloat16", None),
        ({"AVX512_CORE_BF16"}, "bfloat16", "AVX512_CORE_BF16"),
        (set(), "float32", None),
    ],
)
def test_a_cpu_that_dies_of_bfloat16_gets_float32(specs, processor, monkeypatch, caplog, values, used, variable):
    import os

    processor(values)
    (spec,) = specs("rul", sets=("recipe.precision=bfloat16",))
    with caplog.at_level(logging.WARNING):
        assert Precision.of(spec.recipe, CPU).name == used
    assert os.environ.get(precision.ISA_VARIABLE) == variable
    monkeypatch.delenv(precision.ISA_VARIABLE, raising=False)
    assert ("float32 is used" in caplog.text) is (used == "float32")


def test_bfloat16_that_a_cpu_would_emulate_gives_way_to_float32(specs, monkeypatch, caplog):
    """An emulated product takes eight times a float32 product's time: slower, and no more exact."""
    monkeypatch.setattr(precision, "_cpu_has_bfloat16", lambda: False)
    (spec,) = specs("rul", sets=("recipe.precision=bfloat16",))
    with caplog.at_level(logging.WARNING):
        assert Precision.of(spec.recipe, CPU) == FLOAT32
    assert "an eighth of the speed; float32 is used" in caplog.text


def test_each_gpu_of_a_machine_has_the_precision_of_its_own(specs, monkeypatch):
    current = []
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: current.append(device.index))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: current[-1] == 1)
    (spec,) = specs("rul")
    assert [Precision.of(spec.recipe, torch.device("cuda", n)).name for n in (0, 1)] == ["float16", "bfloat16"]


def test_tf32_is_float32_where_there_is_none(specs, caplog):
    (spec,) = specs("rul", sets=("recipe.precision=tf32",))
    with caplog.at_level(logging.WARNING):
        assert Precision.of(spec.recipe, CPU) == FLOAT32
    assert "tf32" in caplog.text
