from __future__ import annotations

import html.parser
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks.apply import contact_sheet, find
from benchmarks.apply.predictions import threshold, write_csv
from benchmarks.apply.trained import Trained
from benchmarks.metrics.accuracy import accuracy_after_rejection
from benchmarks.plan.plugins import load_plugins
from common.errors import UserError
from common.text import printable
from methods.core.weights import sha256
from tests.benchmarks.apply.conftest import run_of, train
from tests.conftest import CHECKOUT


@pytest.mark.parametrize("method", ["rul", "baseline", "mc_dropout"])
def test_a_runs_own_test_images_give_its_stored_numbers(method, digits_runs, digit_images):
    trained = Trained.load(run_of(digits_runs, method))
    found = trained.predict_files([digit_images])
    assert len(found.files) == len(trained.test_labels) and not found.unreadable
    np.testing.assert_array_equal(found.classes, trained.test_logits.argmax(axis=1))
    np.testing.assert_allclose(found.outputs.logits, trained.test_logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.outputs.uncertainty, trained.test_uncertainty, rtol=1e-3, atol=1e-5)


def test_ten_crops_and_members_give_the_stored_numbers_too(tmp_path, digit_images):
    sets = ("recipe.crop=8", "recipe.test_view=ten_crop", "deep_ensemble.members=2")
    ensemble = train(tmp_path / "runs", ("deep_ensemble",), sets=sets)[-1]
    trained = Trained.load(ensemble)
    np.testing.assert_array_equal(trained.predict_files([digit_images]).classes, trained.test_logits.argmax(axis=1))


def test_the_table_ranks_rejects_and_lists_what_it_could_not_read(digits_runs, digit_images, tmp_path):
    images = tmp_path / "images"
    shutil.copytree(digit_images, images)
    (images / "00003.png").write_bytes(b"no image")
    trained = Trained.load(run_of(digits_runs, "rul"))
    found = trained.predict_files([images, images / "00000.png"])  # named twice, there once
    assert list(map(str, found.unreadable)) == [str(images / "00003.png")]
    found.to_csv(tmp_path / "out.csv", reject=10)
    table = pd.read_csv(tmp_path / "out.csv")
    assert len(table) == len(trained.test_labels)
    assert "cannot be decoded" in table.set_index("file").loc[str(images / "00003.png"), "problem"]
    good = table[table["problem"].isna()]
    assert list(good.sort_values("rank")["uncertainty"]) == sorted(good["uncertainty"], reverse=True)
    assert set(good["class"].astype(int)) <= set(range(10)) and good["probability"].between(0.1, 1).all()
    np.testing.assert_allclose(good["free_uncertainty"], 1 - good["probability"], atol=1e-6)
    rejected = good["rejected"].astype(str) == "True"
    uncertainty = good["uncertainty"].astype(np.float32)  # as it was before it was written
    assert uncertainty[rejected].min() > threshold(trained.test_uncertainty, 10) >= uncertainty[~rejected].max()
    assert abs(rejected.mean() - 0.1) < 0.01
    free = found.frame(reject=10, by="free")
    assert free.sort_values("rank")["free_uncertainty"].is_monotonic_decreasing


@pytest.mark.parametrize("reject", [None, 10])
def test_an_unreadable_file_changes_no_other_row(reject, digits_runs, digit_images, tmp_path):
    images = [digit_images / f"{row:05}.png" for row in range(4)]
    (tmp_path / "bad.png").write_bytes(b"no image")
    trained = Trained.load(run_of(digits_runs, "rul"))
    trained.predict_files(images).to_csv(tmp_path / "good.csv", reject)
    trained.predict_files([*images, tmp_path / "bad.png"]).to_csv(tmp_path / "bad.csv", reject)
    good, bad = ((tmp_path / name).read_text().splitlines() for name in ("good.csv", "bad.csv"))
    assert bad[0] == f"{good[0]},problem" and bad[1:5] == [f"{line}," for line in good[1:]]


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"two\nlines.png", b"\x1b[31mred.png"])
def test_any_name_is_printed_and_written(name, digits_runs, digit_images, tmp_path, capsys, monkeypatch):
    from bench import main

    monkeypatch.chdir(tmp_path)
    inside = tmp_path / os.fsdecode(name)
    inside.mkdir()
    shutil.copy(digit_images / "00000.png", inside / os.fsdecode(name))
    (inside / "bad.png").write_bytes(b"no image")
    call = ["predict", str(run_of(digits_runs, "rul")), str(inside), "--out", str(inside / "t.csv"), "--html", "s.html"]
    assert main(call) == 1
    printed = capsys.readouterr()
    assert (printed.out + printed.err).replace("\n", "").isprintable()
    table = pd.read_csv(inside / "t.csv")
    assert list(table["file"]) == [printable(str(inside / file)) for file in (os.fsdecode(name), "bad.png")]
    assert (tmp_path / "s.html").exists()


def test_files_in_folders_that_are_no_images_are_counted(digits_runs, digit_images, tmp_path, capsys, monkeypatch):
    from bench import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "mix").mkdir()
    shutil.copy(digit_images / "00000.png", tmp_path / "mix")
    for name in ("a.heic", "b.avif"):
        (tmp_path / "mix" / name).write_bytes(b"\0\0\0\x20ftyp")
    assert main(["predict", str(run_of(digits_runs, "rul")), "--reject", "10", "mix"]) == 0
    assert "note: images: left out: 2 files that are no images (e.g. mix/a.heic)" in capsys.readouterr().out


def test_the_threshold_is_that_of_the_benchmark():
    rng = np.random.default_rng(0)
    uncertainty, correct = rng.random(200), rng.random(200) < 0.7
    kept = uncertainty <= threshold(uncertainty, 10)
    assert correct[kept].mean() == accuracy_after_rejection(correct, uncertainty, 0.1)


def test_a_cell_is_no_formula(tmp_path):
    write_csv(tmp_path / "t.csv", pd.DataFrame({"file": ["=1+1", "-a.png", "b.png"], "uncertainty": [-1.5, 0.0, 1.0]}))
    assert (tmp_path / "t.csv").read_text().splitlines()[1:] == ["'=1+1,-1.5", "'-a.png,0.0", "b.png,1.0"]


def test_the_contact_sheet_is_one_page_with_escaped_names(digits_runs, digit_images, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for row in range(5):
        shutil.copy(digit_images / f"{row:05}.png", images / f"<script>{row}&.png")
    found = Trained.load(run_of(digits_runs, "rul")).predict_files([images])
    assert contact_sheet.write(tmp_path / "sheet.html", found, reject=50) == 5
    page = Page((tmp_path / "sheet.html").read_text())
    assert "script" not in page.tags and page.tags.count("figure") == 5
    sources = [value for tag, name, value in page.attributes if name in ("src", "href") and tag in ("img", "link")]
    assert all(value.startswith("data:") for value in sources)
    order = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert order == list(found.frame().sort_values("rank")["file"])
    with pytest.raises(UserError, match="ends in .html"):
        contact_sheet.write(tmp_path / "sheet.txt", found)


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]


def test_best_is_the_run_of_highest_accuracy(digits_runs):
    folder, text = find.best("rul", "digits", digits_runs)
    assert folder == run_of(digits_runs, "rul").resolve() and "its only run" in text
    run_id = folder.name.rpartition("-")[2]
    assert find.finished(run_id, digits_runs) == folder


def test_a_link_to_a_run_is_that_run_and_a_copy_keeps_its_names(digits_runs, tmp_path):
    run = run_of(digits_runs, "rul")
    (tmp_path / "link").symlink_to(run)
    assert find.finished(str(tmp_path / "link"), digits_runs) == run.resolve()
    assert Trained.load(tmp_path / "link").folder == run.resolve()
    moved = tmp_path / "runs" / run.relative_to(digits_runs)  # a link in its place, to storage of another name
    shutil.copytree(run, tmp_path / "storage")
    moved.parent.mkdir(parents=True)
    moved.symlink_to(tmp_path / "storage")
    assert Trained.load(find.finished(run.name.rpartition("-")[2], tmp_path / "runs")).spec == Trained.load(run).spec
    with pytest.raises(UserError, match=r"record of another run: digits/rul/.* keeps its last four names"):
        find.finished(str(tmp_path / "storage"), digits_runs)


def test_the_command_line(bench, digits_runs, digit_images, tmp_path):
    run = run_of(digits_runs, "rul").name.rpartition("-")[2]
    where = ("--runs", str(digits_runs), "--reject", "10", "--html", "sheet.html")
    result = bench("predict", run, str(digit_images), *where)
    assert result.returncode == 0, result.stderr
    assert "images/s" in result.stdout and "rejected" in result.stdout
    assert (tmp_path / "predictions.csv").exists() and (tmp_path / "sheet.html").exists()
    result = bench("predict", "--best", "rul", "--dataset", "digits", str(digit_images), "--out", "b.csv", *where[:2])
    assert result.returncode == 0 and "on its own test split" in result.stdout
    assert (tmp_path / "b.csv").read_text().count("\n") == len(list(digit_images.iterdir())) + 1
    (digit_images / "bad.png").write_bytes(b"")
    try:
        result = bench("predict", run, str(digit_images), *where[:2])
    finally:
        (digit_images / "bad.png").unlink()
    assert result.returncode == 1 and "bad.png: cannot be decoded (the file is empty)" in result.stderr
    assert "bad.png" not in (tmp_path / "predictions.csv.aside-1").read_text()


WRONG = {
    "no run": (["predict", "nope", "{images}"], "no such folder, and no id"),
    "no such id": (["predict", "00000000", "{images}"], "none of this id"),
    "a folder of no run": (["predict", "{images}", "{images}"], "no run's folder"),
    "no images": (["predict", "{run}"], "IMAGES are missing"),
    "no such image": (["predict", "{run}", "nope.png"], "nope.png: no such file or folder"),
    "an empty folder": (["predict", "{run}", "{empty}"], "no image in this folder"),
    "no image at all": (["predict", "{run}", "{run}/record.json"], "none of 1 files can be read"),
    "reject 0": (["predict", "{run}", "{images}", "--reject", "0"], "--reject 0: expected a share in per cent"),
    "reject nan": (["predict", "{run}", "{images}", "--reject", "nan"], "--reject nan: expected"),
    "reject text": (["predict", "{run}", "{images}", "--reject", "x"], "--reject"),
    "another score": (["predict", "{run}", "{images}", "--by", "luck"], "--by"),
    "no such method": (["predict", "--best", "ruhl", "{images}"], "(did you mean 'rul'?)"),
    "no such data": (["predict", "--best", "rul", "--dataset", "x", "{images}"], "unknown data set"),
    "data without best": (["predict", "{run}", "{images}", "--dataset", "digits"], "only with --best"),
    "a user that is not": (["predict", "{run}", "~nouser/x.png"], "~nouser/x.png: no such file or folder"),
    "a run of such": (["predict", "~nouser/run", "{images}"], "no such folder, and no id"),
    "a link to itself": (["predict", "{run}", "loop"], "loop: no such file or folder"),
    "a long name": (["predict", "{run}", "x" * 300], "no such file or folder"),
    "a plug-in that leads to itself": (["predict", "{run}", "{images}", "--plugin", "loop"], "back to itself"),
    "a device as table": (["predict", "{run}", "{images}", "--out", "/dev/null"], "/dev/null: is a device"),
    "a pipe as page": (["predict", "{run}", "{images}", "--html", "pipe.html"], "pipe.html: is a pipe"),
    "nowhere to write": (["predict", "{run}", "{images}", "--out", "/proc/x.csv"], "/proc/x.csv: cannot be written"),
    "a page that is the table": (["predict", "{run}", "{images}", "--out=x.html", "--html=./x.html"], "table's file"),
    "best of nothing": (["predict", "--best", "rul", "{images}", "--runs", "{empty}"], "no finished runs"),
    "a folder as table": (["predict", "{run}", "{images}", "--out", "{empty}"], "is a folder"),
    "no page": (["predict", "{run}", "{images}", "--html", "{empty}/x.txt"], "ends in .html"),
    "a device": (["predict", "{run}", "{images}", "--device", "tpu"], "--device tpu: not on this machine"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_say_so_in_one_line(case, digits_runs, digit_images, tmp_path, capsys, monkeypatch):
    from bench import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe.html")
    arguments, message = WRONG[case]
    known = {"run": run_of(digits_runs, "rul"), "images": digit_images, "empty": tmp_path / "empty"}
    code = main(["predict", "--runs", str(digits_runs), *(text.format(**known) for text in arguments[1:])])
    error = capsys.readouterr().err
    assert code == 2 and message in error and error.count("\n") == 1
    assert not list(tmp_path.glob("*.csv"))


def test_damaged_runs_are_refused(digits_runs, digit_images, tmp_path):
    original = run_of(digits_runs, "rul")
    copy = tmp_path / original.relative_to(digits_runs)

    def fresh():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(original, copy)

    fresh()
    (copy / "weights.safetensors").unlink()
    with pytest.raises(UserError, match=r"weights.safetensors: missing, damaged"):
        Trained.load(copy)
    fresh()
    stored = (copy / "predictions.npz").read_bytes()
    (copy / "predictions.npz").write_bytes(stored[: len(stored) // 2])
    with pytest.raises(UserError, match=r"predictions.npz: cannot be read"):
        Trained.load(copy)
    fresh()
    (copy / "record.json").write_text("{")
    with pytest.raises(UserError, match="its record cannot be read"):
        Trained.load(copy)
    fresh()
    (copy / "record.json").unlink()
    (copy / "progress.json").write_text(json.dumps({"epoch": 1, "epochs": 2}))
    with pytest.raises(UserError, match="not finished"):
        Trained.load(copy)


def write(path, content):
    path.write_text(json.dumps(content))


STRANGE = {
    "data as a list": lambda record: record["provenance"].update(data=[1]),
    "data as text": lambda record: record["provenance"].update(data="x"),
    **{
        f"classes {value!r:.20}": lambda record, value=value: record["provenance"]["data"].update(classes=value)
        for value in (None, 5, "0123456789", [{}] * 10, [["a"]] * 10, ["a"] * 10, [*range(10)], ["", *"123456789"], [])
    },
}


@pytest.mark.parametrize("case", [*STRANGE, "another number", "logits of another number"])
def test_a_record_with_strange_classes_is_refused_in_one_line(case, digits_runs, tmp_path):
    original = run_of(digits_runs, "rul")
    copy = tmp_path / original.relative_to(digits_runs)
    shutil.copytree(original, copy)
    record = json.loads((copy / "record.json").read_text())
    if case == "logits of another number":
        with np.load(copy / "predictions.npz") as stored:
            arrays = dict(stored)
        arrays["test_logits"] = np.zeros((len(arrays["test_labels"]), 12), np.float32)
        np.savez(copy / "predictions.npz", **arrays)
    else:
        STRANGE.get(case, lambda record: record["provenance"]["data"]["classes"].pop())(record)
    write(copy / "record.json", record)
    with pytest.raises(UserError, match="list of class names|are of 1[02] classes|cannot be read") as error:
        Trained.load(copy)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("metrics", [{}, {"last": None}, {"last": {}}, {"last": {"accuracy": None}}])
def test_best_passes_over_a_record_without_an_accuracy(metrics, digits_runs, tmp_path):
    for method in ("rul", "baseline"):
        original = run_of(digits_runs, method)
        shutil.copytree(original, tmp_path / original.relative_to(digits_runs))
    record = tmp_path / run_of(digits_runs, "rul").relative_to(digits_runs) / "record.json"
    write(record, {**json.loads(record.read_text()), "metrics": metrics})
    with pytest.raises(UserError, match=r"unknown method with finished runs 'rul'.*valid: baseline"):
        find.best("rul", None, tmp_path)
    assert find.best("baseline", None, tmp_path)[0].parts[-3] == "baseline"


@pytest.mark.parametrize("name", ["my_method.py", "renamed.py"])
def test_a_plug_in_that_has_changed_is_named(name, tmp_path, caplog):
    plugin = tmp_path / name
    shutil.copy(CHECKOUT / "docs/examples/my_method.py", plugin)
    load_plugins([plugin])
    (run,) = train(tmp_path / "runs", ("smoothing",))
    record = json.loads((run / "record.json").read_text())
    for digest, warned in ((sha256(plugin), 0), ("0" * 64, 1)):
        record["provenance"]["plugins"] = {"my_method.py": digest}
        write(run / "record.json", record)
        caplog.clear()
        Trained.load(run, plugins=[plugin])
        assert len(caplog.messages) == warned
    assert f"the plug-in {name} changed since this run was trained" in caplog.text


def test_a_released_record_says_that_it_has_no_weights():
    run = next((CHECKOUT / "reports/released").glob("*/baseline/noise-*/seed-*"))
    with pytest.raises(UserError, match="released records have none"):
        Trained.load(run)


def test_the_three_lines_of_the_documentation(digits_runs, digit_images, tmp_path):
    text = (CHECKOUT / "docs/apply.md").read_text()
    lines = text.split("```python\n")[1].split("```")[0]
    run = run_of(digits_runs, "rul")
    lines = lines.replace("runs/fer2013/rul/noise-0.00/seed-0-5f2c9a1e", str(run)).replace("photos", str(digit_images))
    script = f"{lines}\nprint(table.shape)"
    result = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "(360, 7)" in result.stdout.replace(f"({len(list(digit_images.iterdir()))}, 7)", "(360, 7)")
