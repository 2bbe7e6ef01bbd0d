"""What a run goes on from: sound, its own, and of the same data and code."""

import logging
import random

import pytest
import torch

from benchmarks.launch.todo import make_todo
from benchmarks.plan.paths import Sources
from benchmarks.store.record import read_record
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store
from benchmarks.train import checkpoint, final_weights
from benchmarks.train.context import RunContext
from benchmarks.train.run import execute
from benchmarks.train.trainer import Code, Trainer

ROWS = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
VALUES = {
    "run_id": "0123abcd",
    "data": ["a", "b"],
    "plugins": {},
    "commits": ["c"],
    "epoch": 2,
    "history": ROWS,
    "best": {"best_on_test": {"epoch": 1, "selection_accuracy": 0.5}},
    "best_weights": {},
    "method": {"weight": torch.arange(5000.0)},
    "optimizer": {"state": {0: torch.ones(5000)}},
    "scaler": {},
    "labels": torch.arange(1000),
}
STATE = checkpoint.Checkpoint(**VALUES)


def load(folder):
    return checkpoint.load(folder.checkpoint, "0123abcd", 5)


def test_a_checkpoint_is_read_as_it_was_written(tmp_path):
    folder = RunFolder(tmp_path)
    checkpoint.save(folder, STATE)
    found = load(folder)
    assert found.history == ROWS and torch.equal(found.labels, VALUES["labels"])
    assert checkpoint.load(folder.checkpoint, "ffffffff", 5) is None, "another run's"


def test_a_flipped_bit_anywhere_is_found(tmp_path):
    folder = RunFolder(tmp_path)
    checkpoint.save(folder, STATE)
    whole = folder.checkpoint.read_bytes()
    draw = random.Random(0)
    for _ in range(60):
        place, bit = draw.randrange(len(whole)), 1 << draw.randrange(8)
        folder.checkpoint.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        found = load(folder)
        if found is not None:  # a byte between the archive's parts, which nobody reads
            assert torch.equal(found.method["weight"], VALUES["method"]["weight"])
            assert torch.equal(found.optimizer["state"][0], torch.ones(5000)) and found.history == ROWS


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 10**9},
        {"epoch": -3},
        {"epoch": 0, "history": []},
        {"epoch": 1},
        {"history": "none"},
        {"labels": [1, 2]},
        {"method": 5},
        {"extra": 1},
        {"data": None},
    ],
)
def test_a_checkpoint_that_cannot_be_is_none(tmp_path, change, caplog):
    folder = RunFolder(tmp_path)
    torch.save({**VALUES, **change}, folder.checkpoint)
    assert load(folder) is None and "cannot be used" in caplog.text


def test_a_flipped_bit_in_final_weights_is_found(tmp_path):
    folder = RunFolder(tmp_path)
    final_weights.save(folder, "0123abcd", torch.nn.Linear(40, 40))
    whole = folder.weights.read_bytes()
    assert final_weights.load(folder.weights, "0123abcd") is not None
    draw = random.Random(0)
    for _ in range(60):
        place, bit = draw.randrange(len(whole)), 1 << draw.randrange(8)
        folder.weights.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        assert final_weights.load(folder.weights, "0123abcd") is None


@pytest.fixture
def interrupted(specs, tmp_path, monkeypatch):
    """A run that has been stopped after the second of three epochs."""
    (spec,) = specs("baseline", epochs=3)
    train_epoch = Trainer.train_epoch

    def stops(trainer, epoch, progress):
        if epoch == 2:
            raise KeyboardInterrupt
        return train_epoch(trainer, epoch, progress)

    monkeypatch.setattr(Trainer, "train_epoch", stops)
    with pytest.raises(KeyboardInterrupt):
        execute(spec, context(tmp_path))
    monkeypatch.undo()
    return spec


def context(tmp_path, threads=1, **made):
    provenance = {"commit": "first", "plugins": {"mine.py": "1"}, **made}
    return RunContext(
        runs=tmp_path / "runs", sources=Sources(tmp_path / "data"), threads=threads, provenance=provenance
    )


def test_a_run_under_another_commit_goes_on_and_says_both(interrupted, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert execute(interrupted, context(tmp_path, commit="second"))
    assert "going on after epoch 2" in caplog.text
    record = read_record(Store(tmp_path / "runs").run(interrupted).record)
    assert record.provenance["commits"] == ["first", "second"]
    assert len(record.provenance["machines"]) == 1 and "not bit for bit" not in caplog.text


@pytest.mark.parametrize(("threads", "made"), [(2, {}), (1, {"processor": "another"})])
def test_a_run_that_goes_on_where_numbers_are_rounded_otherwise_says_so(interrupted, tmp_path, caplog, threads, made):
    assert execute(interrupted, context(tmp_path, threads, **made))
    assert "not bit for bit an undisturbed run" in caplog.text
    first, second = read_record(Store(tmp_path / "runs").run(interrupted).record).provenance["machines"]
    assert first == {"device": "cpu", "threads": 1, "processor": None} and second == {
        **first,
        "threads": threads,
        **made,
    }


def test_a_checkpoint_of_before_there_were_machines_is_read(tmp_path):
    torch.save(VALUES, tmp_path / "checkpoint.pt")
    assert load(RunFolder(tmp_path)).machines == [{}]


@pytest.mark.parametrize("what", ["data", "plug-in"])
def test_a_run_on_other_data_or_with_another_plug_in_starts_over(interrupted, tmp_path, caplog, monkeypatch, what):
    made = {"plugins": {"mine.py": "2"}} if what == "plug-in" else {}
    if what == "data":
        code = Code(("other train", "other test"), {"mine.py": "1"}, "first")
        monkeypatch.setattr("benchmarks.train.run._code", lambda *_: code)
    with caplog.at_level(logging.INFO):
        assert execute(interrupted, context(tmp_path, **made))
    assert f"the {what} is not the one of the checkpoint any more: the run starts over" in caplog.text
    assert "going on" not in caplog.text
    record = read_record(Store(tmp_path / "runs").run(interrupted).record)
    assert record.provenance["commits"] == ["first"], "one piece, whatever was there before"


def test_a_finished_run_on_other_data_is_named_and_not_done_again(interrupted, tmp_path):
    assert execute(interrupted, context(tmp_path))
    store = Store(tmp_path / "runs")
    data = read_record(store.run(interrupted).record).provenance["data"]
    key = (interrupted.dataset, interrupted.recipe.image_size)
    same = ({key: (data["train"], data["test"])}, {"mine.py": "1"})
    assert not make_todo([interrupted], store, here=same).remarks
    for here, text in (
        (({key: ("changed", data["test"])}, {}), "other data of digits"),
        (({}, {"mine.py": "2"}), "another plug-in mine.py"),
    ):
        plan = make_todo([interrupted], store, here=here)
        assert plan.done == (interrupted,) and not plan.todo
        (remark,) = plan.remarks
        assert text in remark and "--force" in remark
    assert make_todo([interrupted], store, force=True).todo == (interrupted,)


@pytest.mark.parametrize(
    ("now", "goes_on"),
    [
        ({"mine.py": "1", "other.py": "2"}, True),  # one more, which the run does not know
        ({"renamed.py": "1"}, True),
        ({"renamed.py": "2"}, False),  # and edited
        ({"other.py": "1", "mine.py": "2"}, True),
        ({"mine.py": "2", "other.py": "3"}, False),
        ({}, False),
    ],
)
def test_plug_ins_are_told_by_what_they_hold(interrupted, tmp_path, caplog, now, goes_on):
    with caplog.at_level(logging.INFO):
        assert execute(interrupted, context(tmp_path, plugins=now))
    assert ("going on after epoch 2" in caplog.text) is goes_on
    assert ("the plug-in is not the one of the checkpoint" in caplog.text) is not goes_on


@pytest.mark.parametrize(
    ("now", "remarked"),
    [
        ({"mine.py": "1", "other.py": "2"}, False),
        ({"renamed.py": "1"}, False),
        ({"renamed.py": "2"}, True),
        ({"renamed.py": "1", "mine.py": "2"}, False),
        ({}, False),
    ],
)
def test_a_finished_run_of_a_plug_in_that_was_edited_and_renamed_is_named(interrupted, tmp_path, now, remarked):
    assert execute(interrupted, context(tmp_path))
    remarks = make_todo([interrupted], Store(tmp_path / "runs"), here=({}, now)).remarks
    assert [("another plug-in mine.py" in remark) for remark in remarks] == [True] * remarked
