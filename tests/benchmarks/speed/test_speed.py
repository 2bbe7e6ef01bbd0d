"""The measuring itself, and what of the engine's speed can be tested without a clock."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.launch.loop import Ours, Segment
from benchmarks.plan.paths import Sources
from benchmarks.speed import plain, to_accuracy
from benchmarks.speed.loops import Limit
from benchmarks.speed.measure import Effort, in_turn
from benchmarks.speed.plain import PlainEpochs, Samples, _transform
from benchmarks.store.heartbeat import Progress
from benchmarks.store.run_folder import RunFolder
from benchmarks.train.build import assemble, build_method
from benchmarks.train.context import RunContext
from benchmarks.train.trainer import Trainer
from datasets.augment import rows as augment_rows
from datasets.augment.operations import parse
from datasets.base import ImageSet, Splits
from datasets.embedded.digits import Digits
from tests.conftest import CHECKOUT

CPU = torch.device("cpu")


def efficiency(*arguments):
    command = [sys.executable, "-m", "benchmarks.speed", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300)


def test_the_command_measures_all_loops_and_gives_the_ratios(tmp_path):
    arguments = ("--dataset", "digits", "--method", "rul", "--batch", "64", "--device", "cpu", "--data", str(tmp_path))
    small = (
        "--repeats",
        "2",
        "--seconds",
        "0.05",
        "--methods",
        "baseline,rul",
        "--jobs",
        "1",
        "--threads",
        "1",
        "--finished",
        "50",
        "--stream",
        "2500",
    )
    result = efficiency(*arguments, *small, "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    rates, ratios = found["images_per_second"], found["ratios"]
    for row in (*rates.values(), *ratios.values()):
        assert 0 < row["min"] <= row["median"] <= row["max"]
    assert set(rates) == {"limit", "ours", "plain"} and set(ratios) == {"ours/limit", "ours/plain"}
    assert found["steps"]["baseline"]["relative_to_baseline"]["median"] == 1
    assert found["startup_seconds"] > 0.2 and found["peak_memory_mib"] > 100
    assert found["run"]["batch_size"] == 64 and found["machine"]["threads"] == 1
    assert set(found["finished_seconds"]) == {"skipping", "status", "status_again"}
    assert all(0 < seconds < 10 for seconds in found["finished_seconds"].values())
    streamed = found["streaming"]
    assert streamed["images_per_second"] > 0 and 50 < streamed["peak_memory_mib"] < 3000
    assert streamed["map_gib"] == 2500 * 8 * 8 / 2**30
    assert not [path for path in tmp_path.rglob("*") if path.name == "images.npy"]
    assert list(found["jobs"]) == ["1"] and found["peak_device_memory_mib"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "ruul"), "did you mean 'rul'"),
        (("--repeats", "0"), "--repeats"),
        (("--to-accuracy", "60", "--recipe", "quick"), "between 0 and 1"),
        (("--no-loops", "--methods", "none", "--stream", str(10**12)), "GB free"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments, words):
    result = efficiency("--dataset", "digits", *arguments)
    assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_limit_and_ours_train_as_many_images_as_they_say(specs, tmp_path):
    (spec,) = specs("rul")
    splits = Digits(tmp_path).load(8)
    limit, ours = Limit(spec, splits, CPU), Ours(spec, splits, CPU, RunFolder(tmp_path))
    for loop, method in ((limit, limit.method), (ours, ours.trainer.method)):
        before = method.classifier.weight.clone()
        assert loop.run(3).images == 3 * spec.recipe.batch_size
        assert not torch.equal(method.classifier.weight, before)
    steps = -(-len(splits.train) // spec.recipe.batch_size)
    assert ours.run(steps + 1).images == len(splits.train) + spec.recipe.batch_size, "an epoch, and a part of the next"
    assert ours.checkpoint() > 0 and (tmp_path / "checkpoint.pt").exists()
    assert ours.evaluate(100)["single"].images == 100


def test_loops_take_turns():
    calls = []

    def loop(name):
        def run(steps):
            calls.append(name)
            return Segment(10 * steps, 0.1 * steps)

        return run

    rates = in_turn({"a": loop("a"), "b": loop("b")}, 10, Effort(repeats=3, seconds=1.0), lambda: calls.append("|"))
    assert "".join(calls) == "aabb" + "ab|" * 3
    assert rates == {"a": [pytest.approx(100)] * 3, "b": [pytest.approx(100)] * 3}


def test_the_yardstick_decodes_what_it_was_given(specs):
    pixels = np.full((3, 64, 64, 3), 100, np.uint8)
    images = ImageSet.of(pixels, np.arange(3), ("a", "b", "c"))
    augment = parse([{"op": "crop", "size": 60}, {"op": "flip_or_noise", "p": 0.0}])
    recipe = specs("baseline")[0].recipe.model_copy(update={"augment": augment, "mean": (0.0,), "std": (1.0,)})
    image, label, index = Samples(images, _transform(recipe, 3))[2]
    assert image.shape == (3, 60, 60) and (label, index) == (2, 2)
    assert torch.allclose(image, torch.full_like(image, 100 / 255), atol=0.02), "a JPEG of one grey"


class ReadsBack(TorchDispatchMode):
    """Counts what makes a device wait for the host or the host for a device."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        self.count += name in ("_local_scalar_dense", "nonzero", "masked_select", "unique_consecutive", "item")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["baseline", "rul", "scn", "conf"])
def test_an_epoch_reads_nothing_back_within_its_steps(specs, tmp_path, monkeypatch, name):
    """As many values are read back in an epoch of nine steps as in one of three: those at its end."""
    monkeypatch.setattr(augment_rows, "row_by_row", lambda images: False)  # as on a device
    sets = (f"{name}.relabel.enabled=true", f"{name}.relabel.epoch=1", "recipe.clip_value=0.1")
    (spec,) = specs(name, sets=(*sets, 'recipe.augment=[{"op": "flip_or_noise"}, {"op": "erase"}]'))
    splits = Digits(tmp_path).load(8)
    ready = assemble(spec, build_method(spec, splits.train), splits, splits.train.labels, CPU)
    trainer = Trainer(spec, ready, RunFolder(tmp_path))
    progress = Progress(tmp_path / "progress.json", 1, 9, 9)
    counts = []
    for steps in (3, 9):
        trainer.kept, trainer.steps = steps * spec.recipe.batch_size, steps
        with ReadsBack() as mode:
            trainer.train_epoch(0, progress)
        counts.append(mode.count)
    assert counts[0] == counts[1]
    with ReadsBack() as mode:
        torch.ones(3).sum().item()
    assert mode.count == 1, "it does count"


def test_a_race_ends_each_loop_where_it_passes_the_level():
    """Epochs in turn, an epoch's whole seconds, nothing interpolated, and no seconds for what never passes."""
    order = []

    def loop(name, *accuracies):
        coming = iter(accuracies)

        def epoch():
            order.append(name)
            return Segment(100, 2.0 if name == "a" else 5.0, next(coming))

        return epoch

    loops = {"a": loop("a", 0.3, 0.6), "b": loop("b", 0.5, 0.59, 0.7), "c": loop("c", 0.1, 0.2, 0.3)}
    found = to_accuracy.race(loops, 0.6, 3)
    assert "".join(order) == "abcabcbc"
    passed = {name: (one["seconds"], one["epochs"]) for name, one in found.items()}
    assert passed == {"a": (4.0, 2), "b": (15.0, 3), "c": (None, None)}
    assert [row["accuracy"] for row in found["c"]["history"]] == [0.1, 0.2, 0.3]
    about = {"split": "test", "level": 0.6, "most_epochs": 3, "loops": found, "ours/plain": None}
    text = "\n".join(to_accuracy.table(about))
    assert "never" in text and "no ratio" in text and "no validation split" in text


def test_the_engines_set_up_counts_as_its_first_epochs(specs, tmp_path, monkeypatch):
    """Compiling happens there: without it a compiled engine would look faster than it is."""
    clock = [0.0]

    class SlowToSetUp:
        def __init__(self, *_):
            clock[0] += 7.0

        def epoch(self):
            return Segment(1, 2.0, 0.4 if clock[0] == 7.0 else 0.7)

    class Usual:
        first = {"images": 1, "seconds": 5.0, "accuracy": 0.7}

        def __init__(self, *_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def ready(self):
            clock[0] = 8.0  # the engine's second epoch passes

    monkeypatch.setattr(to_accuracy, "Ours", SlowToSetUp)
    monkeypatch.setattr(to_accuracy, "Worker", Usual)
    monkeypatch.setattr(to_accuracy.time, "perf_counter", lambda: clock[0])
    (spec,) = specs("baseline", epochs=3)
    found = to_accuracy.to_accuracy(spec, Digits(tmp_path).load(8), RunContext(tmp_path, Sources(tmp_path)), 0.6, None)
    assert found["loops"]["ours"]["seconds"] == 7.0 + 2.0 + 2.0 and found["loops"]["plain"]["seconds"] == 5.0
    assert found["ours/plain"] == pytest.approx(11 / 5)


def test_the_validation_split_decides_where_there_is_one():
    train, test, validation = (
        ImageSet.of(np.full((2, 8, 8, 1), n, np.uint8), np.arange(2), ("a", "b")) for n in (1, 2, 3)
    )
    assert to_accuracy.measured_on(Splits(train, test, validation)) == ("validation", Splits(train, validation))
    assert to_accuracy.measured_on(Splits(train, test)) == ("test", Splits(train, test))


def test_both_loops_run_the_schedule_from_its_start_and_look_at_the_test_split(specs, tmp_path, monkeypatch):
    """Same initial weights, same learning rates epoch by epoch, and the accuracy of the weights as they are then."""
    monkeypatch.setattr(plain, "WORKERS", 0)  # in this process
    monkeypatch.setattr(plain, "DataLoader", lambda *a, persistent_workers, **kw: torch.utils.data.DataLoader(*a, **kw))
    sets = (
        "recipe.batch_size=256",
        'recipe.schedule={"kind": "exponential", "gamma": 0.5}',
        "recipe.classifier_lr=3",
    )
    (spec,) = specs("rul", epochs=2, sets=sets)
    splits = Digits(tmp_path).load(8)
    usual = PlainEpochs(spec, splits, CPU)
    ours = Ours(spec, splits, CPU, RunFolder(tmp_path))
    for name, value in ours.trainer.method.state_dict().items():
        assert torch.equal(value, usual.method.state_dict()[name])
    for epoch in range(2):
        segments = ours.epoch(), usual.run(1)
        rates = [
            [group["lr"] for group in one.param_groups] for one in (ours.trainer.stepper.optimizer, usual.optimizer)
        ]
        assert rates[0] == rates[1] == [spec.recipe.lr * 0.5**epoch, 3 * spec.recipe.lr * 0.5**epoch]
        assert [segment.images for segment in segments] == [len(splits.train), len(splits.train) // 256 * 256]
        assert all(0 < segment.accuracy < 1 for segment in segments)
    logits = ours.trainer.evaluator.predict(ours.trainer.data.test.loader, "single").logits
    assert segments[0].accuracy == (logits.argmax(axis=1) == splits.test.labels).mean()
    usual.method.eval()
    with torch.no_grad():
        logits = usual.method.predict(
            ours.trainer.pipeline.test(torch.from_numpy(splits.test.images).permute(0, 3, 1, 2))
        ).logits
    assert segments[1].accuracy == pytest.approx((logits.argmax(dim=1).numpy() == splits.test.labels).mean())
