from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.apply import picture
from benchmarks.apply.suspects import Suspects, cleanlab_issues, collect, folded, quality
from benchmarks.cli.verbs.suspects import folder_of, known_wrong
from benchmarks.plan import grid as plan
from benchmarks.plan.paths import Sources
from benchmarks.plan.spec import Noise, RunSpec
from benchmarks.plan.suite import Arm
from benchmarks.store.runs import Store
from benchmarks.train.build import label_noise
from benchmarks.train.context import RunContext
from benchmarks.train.folds import leave_out, parts
from benchmarks.train.run import execute
from common.errors import UserError
from datasets.base import ImageSet
from datasets.inspect.preview import font
from reports.runs.frame import load
from tests.benchmarks.apply.conftest import save


@pytest.fixture
def digits(specs, tmp_path):
    """(a run with 30 % noise, its splits, its labels)."""
    spec = specs("baseline", noise=(0.3,))[0]
    sources = Sources(tmp_path)
    splits = sources.dataset("digits").load(8)
    return spec, splits, label_noise(spec, splits.train, sources)


def test_a_fold_changes_no_id_that_there_was(specs):
    spec = specs("baseline")[0]
    old = spec.model_dump(mode="json")
    del old["fold"]
    assert RunSpec.model_validate(old).run_id == spec.run_id
    runs = folded([spec], 3)
    assert len({spec.run_id, *(run.run_id for run in runs)}) == 4
    assert [run.fold for run in runs] == [(0, 3), (1, 3), (2, 3)]
    assert "without part 2 of 3" in str(runs[1]) and not runs[0].is_whole and spec.is_whole


def test_every_image_is_left_out_once_and_labels_are_as_in_the_whole_run(digits):
    spec, splits, noisy = digits
    seen = np.zeros(len(splits.train), dtype=int)
    for run in folded([spec], 4):
        out = parts(run, noisy.labels) == run.fold[0]
        seen += out
        left, labels = leave_out(run, splits, noisy)
        assert len(left.train) + len(left.test) == len(splits.train) and left.validation is None
        np.testing.assert_array_equal(left.test.images, splits.train.images[out])
        np.testing.assert_array_equal(left.test.labels, splits.train.labels[out])
        np.testing.assert_array_equal(labels.labels, noisy.labels[~out])
        np.testing.assert_array_equal(labels.labels != left.train.labels, labels.mask)
        assert left.train.fingerprint != splits.train.fingerprint
        shares = np.bincount(noisy.labels[out], minlength=10) - np.bincount(noisy.labels, minlength=10) / 4
        assert np.abs(shares).max() <= 1
    assert (seen == 1).all()
    assert leave_out(spec, splits, noisy) == (splits, noisy)


def test_members_of_an_ensemble_leave_out_the_same_images(specs):
    runs = folded(specs("deep_ensemble", sets=("deep_ensemble.members=2",)), 2)
    ensembles = [run for run in runs if run.members]
    assert len(runs) == 6 and len(ensembles) == 2
    given = np.arange(100) % 10
    for run in ensembles:
        assert {member.fold for member in run.members} == {run.fold}
        assert {member.run_id for member in run.members} <= {other.run_id for other in runs}
        for member in run.members:
            np.testing.assert_array_equal(parts(member, given), parts(run, given))


def test_runs_of_folds_find_flipped_labels_and_no_report_takes_them_for_results(digits, tmp_path):
    spec, splits, noisy = digits
    runs = [run.model_copy() for run in folded([spec], 2)]
    store = Store(tmp_path / "runs")
    for run in runs:
        assert execute(run, RunContext(tmp_path / "runs", Sources(tmp_path)))
    found = collect(runs, store, splits.train, noisy.labels, noisy.mask)
    assert np.isfinite(found.logits).all() and np.isfinite(found.uncertainty).all()
    quality = {row["score"]: row for row in found.quality()}
    assert quality["one_minus_p_given"]["auroc"] > 0.9 > 0.6 > abs(quality["uncertainty"]["auroc"])
    assert len(load([tmp_path / "runs"]).runs) == 0
    frame = found.frame()
    assert list(frame["rank"]) == list(range(1, len(frame) + 1)) and sorted(frame["row"]) == list(range(len(frame)))
    assert frame["one_minus_p_given"].is_monotonic_decreasing
    assert frame["wrong"][:100].mean() > 0.9
    assert list(frame["given"]) == [splits.train.class_names[noisy.labels[row]] for row in frame["row"]]
    assert picture.draw(found).size == (1026, 1306)
    with pytest.raises(UserError, match="made of other data"):
        collect(runs, store, splits.train, noisy.labels[::-1].copy(), noisy.mask)
    store.run(runs[0]).predictions.write_bytes(b"PK")
    with pytest.raises(UserError, match=r"predictions.npz: damaged"):
        collect(runs, store, splits.train, noisy.labels, noisy.mask)


def made(count=300, classes=4, seed=0) -> Suspects:
    rng = np.random.default_rng(seed)
    clean = rng.integers(0, classes, count)
    wrong = rng.random(count) < 0.2
    given = np.where(wrong, (clean + 1) % classes, clean)
    logits = (3 * np.eye(classes)[clean] + rng.normal(size=(count, classes))).astype(np.float32)
    images = np.zeros((count, 2, 2, 3), dtype=np.uint8)
    train = ImageSet.of(images, given, tuple("abcd"))
    return Suspects("baseline", train, given, wrong, logits, rng.random(count).astype(np.float32))


def test_scores_are_what_they_say():
    found = made()
    p, rows = found.probabilities, np.arange(300)
    p_given = p[rows, found.given]
    best_other = np.array([max(p[row, k] for k in range(4) if k != found.given[row]) for row in rows])
    np.testing.assert_allclose(found.scores["one_minus_p_given"], 1 - p_given)
    np.testing.assert_allclose(found.scores["margin"], best_other - p_given)
    row = found.quality()[0]
    assert row["auroc"] == pytest.approx(roc_auc_score(found.wrong, 1 - p_given))
    assert row["precision_at_20"] == found.wrong[np.argsort(p_given)[:60]].mean()


def test_precision_counts_ties_in_expectation():
    score, wrong = np.array([3.0, 2.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False, True])
    found = quality("own", score, wrong)
    assert found["precision_at_10"] == found["precision_at_20"] == 1  # of five images at least one is looked at
    assert found["precision_at_30"] == pytest.approx((1 + 1 / 3) / 2)
    assert quality("own", np.zeros(5), wrong)["precision_at_30"] == pytest.approx(wrong.mean())


def test_cleanlab_agrees():
    rank = pytest.importorskip("cleanlab.rank")
    found = made()
    quality = rank.get_self_confidence_for_each_label(found.given, found.probabilities)
    np.testing.assert_allclose(1 - quality, found.scores["one_minus_p_given"], atol=1e-6)
    margin = rank.get_normalized_margin_for_each_label(found.given, found.probabilities)
    np.testing.assert_allclose(1 - 2 * margin, found.scores["margin"], atol=1e-6)
    issues = cleanlab_issues(found)
    assert found.wrong[issues].mean() > 0.8 and issues.sum() > 30
    top = found.scores["one_minus_p_given"] >= np.sort(found.scores["one_minus_p_given"])[-issues.sum()]
    assert (issues & top).sum() / issues.sum() > 0.9


def test_the_command_line_goes_on_where_it_stopped(bench, tmp_path):
    call = ("data", "suspects", "digits", "--noise", "0.3", "--epochs", "1", "--folds", "2", "--jobs", "1")
    result = bench(*call)
    assert result.returncode == 0, result.stderr
    assert "Finding wrong labels: digits, 30.0%" in result.stdout
    table = pd.read_csv(tmp_path / "suspects/digits/baseline.csv")
    assert len(table) == 1297 and {"given", "suggested", "margin", "wrong"} <= set(table)
    assert (tmp_path / "suspects/digits/baseline.png").exists()
    assert len(pd.read_csv(tmp_path / "suspects/digits/finding-wrong-labels.csv")) == 4
    again = bench(*call)
    assert "0 runs to do, 2 finished already" in again.stdout and again.returncode == 0
    status = bench("status")
    assert "without part" in status.stdout or "2 done" in status.stdout


def test_labels_that_somebody_has_corrected(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (6, 8, 8, 1), dtype=np.uint8)
    for split in ("train", "test"):
        for name in ("a", "b"):
            save(tmp_path / "mine" / split / name, images)
    name = f"folder:{tmp_path / 'mine'}"
    request = plan.Request((Arm(method="baseline"),), (name,), (Noise(),), (0,), recipe="quick")
    sources = request.sources(tmp_path)
    spec = plan.resolve(request, sources)[0]
    splits = sources.dataset(spec.dataset).load(8)
    lines = [f"{file} {int(file.startswith('b'))}" for file in splits.train.names]
    lines[2] = "a/00002.png 1"
    (tmp_path / "clean.txt").write_text("\n".join(lines))
    wrong = known_wrong(tmp_path / "clean.txt", splits, spec, sources)
    assert list(np.flatnonzero(wrong)) == [2]
    assert known_wrong(None, splits, spec, sources) is None
    lines[2] = "a/00002.png 0"
    (tmp_path / "clean.txt").write_text("\n".join(lines))
    with pytest.raises(UserError, match="nothing to find"):
        known_wrong(tmp_path / "clean.txt", splits, spec, sources)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("digits", "digits"),
        ("folder:mine", "folder-mine"),
        ("folder:/a/b/ck+", "ck+"),
        ("folder:/a/b/ck+/", "ck+"),
        ("folder:./x/../y//", "y"),
        ("folder:.", "{here}"),
        ("folder:./", "{here}"),
        ("folder:..", "{above}"),
        ("folder:x/.", "x"),
        ("folder:/", "folder"),
    ],
)
def test_results_lie_in_a_folder_of_the_data_sets_name(name, folder, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert folder_of(name) == folder.format(here="here", above=tmp_path.name)


def test_what_is_not_judged_is_said(bench, tmp_path):
    for name in ("a", "b"):
        save(tmp_path / "flat" / name, np.random.default_rng(0).integers(0, 255, (10, 8, 8, 1), dtype=np.uint8))
    result = bench("data", "suspects", "folder:flat/", "--recipe", "quick", "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "judged are the 16 training images, not the 4 of the test split" in result.stdout
    result = bench("data", "suspects", "folder:flat", "--recipe", "quick", "--folds", "9", "--dry-run")
    assert result.returncode == 2 and "16 training images are too few for 9 folds" in result.stderr


@pytest.mark.parametrize("name", ["café", "Überraschung", "ñandú", "łoś", "µ"])
def test_letters_beyond_ascii_are_drawn(name):
    missing = font(picture.FONT).getmask("\ue000")  # no font has this one
    assert all(bytes(font(picture.FONT).getmask(letter)) != bytes(missing) for letter in name)


WRONG = {
    "no name": ([], "the following arguments are required: NAME"),
    "no such data": (["nope"], "unknown data set 'nope'"),
    "one fold": (["digits", "--folds", "1"], "must be a whole number from 2 to 20"),
    "folds in words": (["digits", "--folds", "three"], "--folds"),
    "noise out of range": (["digits", "--noise", "1.5"], "--noise 1.5"),
    "two kinds": (["digits", "--noise", "0.1,0.3"], "one kind of noise at a time"),
    "no human labels": (["digits", "--noise", "human:worse"], "without human labels"),
    "no method": (["digits", "--methods", "ruhl"], "(did you mean 'rul'?)"),
    "no list": (["digits", "--clean", "nope.txt"], "--clean nope.txt: no such file"),
    "both": (["digits", "--clean", "nope.txt", "--noise", "0.3"], "--clean: with --noise"),
    "no names": (["digits", "--clean", "{file}"], "are not files"),
    "no recipe": (["digits", "--recipe", "nope"], "unknown recipe"),
    "a folder without its kind": (["."], "is written folder:."),
    "nowhere to write": (["digits", "--out", "/proc/x"], "/proc/x/baseline.csv: cannot be written"),
    "wait": (["digits", "--wait"], "--wait: only with --slurm"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_say_so_in_one_line(case, tmp_path, capsys, monkeypatch):
    from bench import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("a.png 1\n")
    arguments, message = WRONG[case]
    assert main(["data", "suspects", *(text.format(file="list.txt") for text in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "runs").exists()
