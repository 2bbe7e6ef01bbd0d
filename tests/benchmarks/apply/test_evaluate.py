from __future__ import annotations

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from benchmarks.apply import other_data
from benchmarks.apply.corruptions import CORRUPTIONS
from benchmarks.apply.trained import Trained
from benchmarks.metrics.calibration import softmax
from common.errors import UserError
from datasets.base import ImageSet
from tests.benchmarks.apply.conftest import run_of, save


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_strength_changes_the_images_more_and_is_drawn_from_its_seed(name, channels):
    one = np.random.default_rng(0).integers(60, 200, (4, channels, 7, 7), dtype=np.uint8)
    images = torch.from_numpy(one).repeat_interleave(5, dim=2).repeat_interleave(5, dim=3)  # across JPEG's blocks of 8
    changes = []
    for value in CORRUPTIONS[name].values:
        worse = CORRUPTIONS[name].apply(images, value, torch.Generator().manual_seed(1))
        assert worse.shape == images.shape and worse.dtype == torch.uint8
        assert torch.equal(worse, CORRUPTIONS[name].apply(images, value, torch.Generator().manual_seed(1)))
        changes.append((worse.float() - images.float()).square().mean().item())
    assert changes == sorted(changes) and changes[0] > 0 and len(set(changes)) == 5


def test_corruptions_against_other_code():
    images = torch.randint(50, 200, (2, 1, 24, 24), dtype=torch.uint8)
    generator = torch.Generator().manual_seed(0)
    noisy = CORRUPTIONS["noise"].apply(torch.full((50, 1, 24, 24), 128, dtype=torch.uint8), 0.08, generator)
    assert noisy.float().std().item() == pytest.approx(0.08 * 255, rel=0.02)
    grey = images[0, 0].float()
    half = CORRUPTIONS["contrast"].apply(images[:1], 0.5, generator)[0, 0].float()
    assert (half - (0.5 * grey + 0.5 * grey.mean())).abs().max() <= 1
    buffer = io.BytesIO()
    Image.fromarray(images[0, 0].numpy()).save(buffer, "JPEG", quality=10)
    jpeg = CORRUPTIONS["jpeg"].apply(images[:1], 10, generator)[0, 0]
    assert torch.equal(jpeg, torch.from_numpy(np.array(Image.open(buffer))))


def test_noise_is_told_from_digits_as_scikit_learn_says(digits_runs):
    trained = Trained.load(run_of(digits_runs, "baseline"))
    images = np.random.default_rng(0).integers(0, 255, (90, 8, 8, 1), dtype=np.uint8)
    labels = np.zeros(90, dtype=np.int64)
    row = other_data.evaluate(trained, "noise", ImageSet.of(images, labels, ("0", "1")))
    outputs = trained.predict(images)
    free = 1 - softmax(np.concatenate([trained.test_logits, outputs.logits])).max(axis=1)
    out = np.arange(len(free)) >= len(trained.test_logits)
    assert row["free_auroc"] == pytest.approx(roc_auc_score(out, free), abs=1e-6)
    assert row["own_auroc"] == pytest.approx(row["free_auroc"], abs=1e-6)  # the baseline's own score is that one
    assert row["accuracy"] == (outputs.logits.argmax(axis=1) == 0).mean()
    assert other_data.evaluate(trained, "noise", ImageSet.of(images, labels, ("cat", "dog")))["accuracy"] is None


def test_images_of_other_channels_and_sides(digits_runs, tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (6, 12, 12, 3), dtype=np.uint8)
    for split in ("train", "test"):
        for name in ("a", "b"):
            save(tmp_path / "mine" / split / name, colours)
    trained = Trained.load(run_of(digits_runs, "rul"))
    test, _ = other_data.load(trained, f"folder:{tmp_path / 'mine'}", tmp_path)
    assert test.images.shape == (12, 8, 8, 1)
    shrunk = Image.fromarray(colours[0]).convert("L").resize((8, 8), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(test.images[0, :, :, 0], np.asarray(shrunk))
    assert other_data._channels(test.images, 3).shape == (12, 8, 8, 3)


def tree(folder, counts, shape, seed=0):
    """Images of one shape in class folders."""
    rng = np.random.default_rng(seed)
    for place, count in counts.items():
        save(folder / place, rng.integers(0, 255, (count, *shape), dtype=np.uint8))
    return f"folder:{folder}"


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 30, 1), (31, 12, 3), (1, 40, 3)])
@pytest.mark.parametrize("fit", ["stretch", "centre"])
def test_images_are_seen_as_predict_sees_them(shape, fit, digits_runs, tmp_path):
    name = tree(tmp_path / "mine", {"train/a": 1, "train/b": 1, "test/a": 3, "test/b": 4}, shape)
    trained = Trained.load(run_of(digits_runs, "rul"))
    trained = dataclasses.replace(trained, look=dataclasses.replace(trained.look, fit=fit))
    test, _ = other_data.load(trained, name, tmp_path)
    found = trained.predict_files([tmp_path / "mine/test"])
    np.testing.assert_array_equal(trained.predict(test.images).uncertainty, found.uncertainty())


def test_a_broken_training_image_of_the_other_set_does_no_harm(digits_runs, tmp_path):
    name = tree(tmp_path / "mine", {"train/a": 2, "train/b": 2, "test/a": 3, "test/b": 1}, (9, 9, 1))
    (tmp_path / "mine/train/a/00000.png").write_bytes(b"no image")
    trained = Trained.load(run_of(digits_runs, "rul"))
    assert len(other_data.load(trained, name, tmp_path)[0]) == 4
    (tmp_path / "mine/test/a/00001.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"test/a/00001.png: "):
        other_data.load(trained, name, tmp_path)


NOTES = {
    "classes alone": ({"0": 6, "1": 6}, ["the 2 images of its test split", "no test/, so 2 of 12 images"]),
    "other names": ({"train/a": 2, "train/0": 2, "test/a": 1}, ["no accuracy, since a are not among", "(0, 1, 2"]),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_was_scored_is_said(case, digits_runs, tmp_path, capsys, monkeypatch):
    from bench import main

    monkeypatch.chdir(tmp_path)
    counts, words = NOTES[case]
    name = tree(tmp_path / "caf\udce9", counts, (9, 9, 1))
    assert main(["evaluate", "--on", name, str(run_of(digits_runs, "rul")), "--out", "e\x1b"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in words)
    assert ("no accuracy" in printed) is (case == "other names")
    assert "caf\\udce9" in printed and "e\\x1b" in printed and printed.replace("\n", "").isprintable()
    assert "caf\\udce9" in (tmp_path / "e\x1b/other-data.csv").read_text(encoding="utf-8")


def test_own_images_are_those_of_the_run(digits_runs, tmp_path):
    trained = Trained.load(run_of(digits_runs, "rul"))
    assert len(other_data.own_test(trained, "digits", tmp_path)) == len(trained.test_labels)
    with pytest.raises(UserError, match="are not those that the run"):
        other_data.own_test(trained, "faces", tmp_path)


def test_the_command_line(digits_runs, tmp_path, capsys, monkeypatch):
    from bench import main

    monkeypatch.chdir(tmp_path)
    run = str(run_of(digits_runs, "rul"))
    assert main(["evaluate", run, "--on", "faces", "--corrupted", "--out", "e"]) == 0
    printed = capsys.readouterr().out
    assert "faces" in printed and "contrast" in printed
    table = pd.read_csv(tmp_path / "e/corrupted.csv")
    assert len(table) == 24 and set(table["corruption"]) == set(CORRUPTIONS)
    clean = table[table["strength"] == 0]
    trained = Trained.load(run)
    accuracy = (trained.test_logits.argmax(axis=1) == trained.test_labels).mean()
    np.testing.assert_allclose(clean["accuracy"], accuracy)
    assert table["error_auroc"].notna().all()
    other = pd.read_csv(tmp_path / "e/other-data.csv")
    assert list(other["dataset"]) == ["faces"] and other["own_auroc"].between(0, 1).all()
    assert Image.open(tmp_path / "e/corrupted.png").size[0] > 1000
    assert main(["evaluate", run, "--on", "digits", "--out", "e"]) == 0  # of another data set: the first one's is kept
    assert list(pd.read_csv(tmp_path / "e/other-data.csv.aside-1")["dataset"]) == ["faces"]


WRONG = {
    "no run": (["--on", "faces"], "RUN is missing"),
    "on nothing": (["{run}"], "evaluate: on what?"),
    "no such run": (["00000000", "--corrupted"], "none of this id"),
    "no such data": (["{run}", "--on", "nope"], "unknown data set 'nope'"),
    "data that is not there": (["{run}", "--on", "rafdb"], "rafdb is missing"),
    "a folder that is not there": (["{run}", "--on", "folder:nope"], "folder is missing"),
    "names nothing": (["{run}", "--on", ","], "names nothing"),
    "two runs": (["{run}", "{run}", "--corrupted"], "one run at a time"),
    "another data set of its own": (["{run}", "--corrupted", "--own", "faces"], "are not those that the run"),
    "best of nothing": (["--best", "scn", "--corrupted"], "unknown method with finished runs"),
    "own data unused": (["{run}", "--on", "faces", "--own", "digits"], "--own: only with --corrupted"),
    "a folder without its kind": (["{run}", "--on", "{run}"], "is written folder:"),
    "own folder without its kind": (["{run}", "--corrupted", "--own", "{run}"], "is written folder:"),
    "nowhere to write": (["{run}", "--on", "digits", "--out", "/proc/x"], "/proc/x/other-data.csv: cannot be written"),
    "a device": (["{run}", "--corrupted", "--device", "cuda:9"], "--device cuda:9"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_say_so_in_one_line(case, digits_runs, tmp_path, capsys, monkeypatch):
    from bench import main

    monkeypatch.chdir(tmp_path)
    arguments, message = WRONG[case]
    run = run_of(digits_runs, "rul")
    assert main(["evaluate", *(text.format(run=run) for text in arguments), "--runs", str(digits_runs)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "evaluation").exists()
