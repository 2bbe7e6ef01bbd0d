"""Plug-ins: the documented examples as they stand, and what a plug-in that breaks the contract is told."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import main
from benchmarks.plan import plugins
from benchmarks.plan.plugins import load_plugins
from common.errors import UserError
from datasets.registry import DATASETS

CHECKOUT = Path(__file__).resolve().parents[3]
EXAMPLES = CHECKOUT / "docs" / "examples"


def test_the_documented_plugins_run(bench, tmp_path):
    done = bench(
        *("--plugin", str(EXAMPLES / "my_method.py"), "--plugin", str(EXAMPLES / "my_data.py"), "--recipe", "quick"),
        *("--datasets", "squares", "--methods", "smoothing,rul", "--set", "smoothing.strength=0.2"),
        *("--set", "recipe.image_size=16", "--noise", "0.1", "--seeds", "1", "--epochs", "1"),
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "runs" / "squares").iterdir()) == ["rul", "smoothing"]
    assert "smoothing (smoothing.strength=0.2)" in done.stdout or "strength=0.2" in done.stdout


def test_the_documented_loop_runs():
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    script = str(EXAMPLES / "own_loop.py")
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "[64, 7]" in done.stdout


BROKEN = """
import torch, methods
@methods.register("broken_{name}", "breaks the contract")
class Broken(methods.Method):
    reference = "nobody"
    def __init__(self, backbone, num_classes, config):
        super().__init__(backbone, num_classes, config)
        self.classifier = torch.nn.Linear(backbone.feature_shape[0], num_classes)
    def training_step(self, batch, clock):
        logits = self.classifier(self.backbone(batch.images).mean((2, 3)))
        loss = torch.nn.functional.cross_entropy(logits, batch.labels)
        {step}
    def predict(self, images):
        f = self.backbone(images).mean((2, 3))
        {predict}
"""
GOOD_STEP = "return methods.Step(loss)"
GOOD_PREDICT = "return methods.Prediction(self.classifier(f), f[:, 0], f)"


@pytest.mark.parametrize(
    ("name", "step", "predict", "clause"),
    [
        ("return", "return loss", GOOD_PREDICT, "must return a Step"),
        ("sync", "return methods.Step(loss * loss.item())", GOOD_PREDICT, "read no value back"),
        ("shape", GOOD_STEP, "return methods.Prediction(self.classifier(f), f, f)", "uncertainty"),
    ],
)
def test_a_broken_plugin_is_told_the_clause_before_anything_runs(
    tmp_path, monkeypatch, capsys, name, step, predict, clause
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text(BROKEN.format(name=name, step=step, predict=predict))
    assert main(["--plugin", "broken.py", "--methods", f"broken_{name}"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "Broken" in line and clause in line
    assert not (tmp_path / "runs").exists()


DATASET = """
import datasets
@datasets.register("{name}", "none")
class Mine(datasets.Dataset):
    name = "{own}"
    class_names = {classes!r}
    def present(self):
        return {present}
    def load(self, image_size=None):
        ...
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "registers no method"),
        ("1 / 0", "ZeroDivisionError"),
        ("def", "SyntaxError"),
        ("raise ValueError('one\\ntwo\\n\\x1b[31mthree')", r"ValueError: one two \\x1b\[31mthree$"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("import no_such_module", "ModuleNotFoundError: .*no_such_module"),
        ("while True: pass", "still importing after 0.3 seconds .in line 1 of plugin.py."),
        ("import time; time.sleep(60)", "still importing after 0.3 seconds"),
        ("import datasets\ndatasets.register('../../x', '')(int)", "its name must not begin"),
        ("import datasets\ndatasets.register('a/b', '')(int)", "nor hold a slash"),
        ("import methods\nmethods.register('a\\nb', '')(int)", "no control characters"),
        ("import methods\nmethods.register('', '')(int)", "must be a name"),
        ("import methods\nmethods.register(3, '')(int)", "its name"),
        ("import datasets\ndatasets.register('none1', '')(int)", "'none1' .*a subclass of datasets.Dataset"),
        ("import datasets\ndatasets.register('none2', '')(lambda: 0)", "'none2' .*a subclass of datasets.Dataset"),
        (DATASET.format(name="none3", own="other", classes=("a", "b"), present="1"), "its `name` must be 'none3'"),
        (DATASET.format(name="none4", own="none4", classes=("a",), present="1"), "two or more"),
        (DATASET.format(name="none5", own="none5", classes=("a", "a"), present="1"), "two or more"),
        (DATASET.format(name="none6", own="none6", classes=3, present="1"), "a tuple of names"),
        (DATASET.format(name="none7", own="none7", classes=("a", "b"), present="1 / 0"), "raised ZeroDivisionError"),
        (
            DATASET.format(name="none8", own="none8", classes=("a", "b"), present="1").replace("load", "lod"),
            "define load",
        ),
        (
            BROKEN.format(name="x", step=GOOD_STEP, predict=GOOD_PREDICT).replace("broken_x", "rul"),
            "registered already",
        ),
    ],
)
def test_a_plugin_that_cannot_be_used_says_why(tmp_path, monkeypatch, text, words):
    monkeypatch.setattr(plugins, "IMPORT_SECONDS", 0.3 if "time" in text or "while" in text else 120)
    path = tmp_path / "plugin.py"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as error:
        load_plugins([path])
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("bad1", "{}['nope']", r"`load\(\)` raised KeyError: 'nope' .line 10 of plugin.py."),
        ("bad2", "open('/no/such')", r"raised FileNotFoundError: .*No such file.*line 10 of plugin.py"),
        ("bad3", "datasets.ImageSet.of(1, 2, 3)", "plugin.py, line 10.: images are int; wanted a NumPy array"),
        ("bad4", "pass", "must return datasets.Splits, not NoneType"),
    ],
)
def test_a_data_set_that_cannot_be_loaded_says_where(tmp_path, capsys, name, body, words):
    path = tmp_path / "plugin.py"
    path.write_text(
        DATASET.format(name=name, own=name, classes=("a", "b"), present="1").replace("        ...", f"        {body}")
    )
    assert main(["data", "check", name, "--plugin", str(path)]) == 2
    error = capsys.readouterr().err
    assert re.search(words, error) and error.count("\n") == 1


SPLITS = """
import dataclasses, numpy, datasets
@datasets.register("{name}", "none")
class Mine(datasets.Dataset):
    name = "{name}"
    class_names = ("ant", "bee", "cow")
    def present(self):
        return True
    def load(self, image_size=None):
        side = image_size or 8
        images, labels = numpy.zeros((6, side, side, 3), numpy.uint8), numpy.arange(6) % 3
        of, names, soft, notes = datasets.ImageSet.of, self.class_names, None, ()
        test = validation = of(images, labels, names)
        {change}
        train = of(images, labels, names, soft)
        {then}
        return datasets.Splits(train, test, validation, notes)
"""
WRONG = {  # what somebody's data set does -> what is said of it
    "labels = labels / 2": r", line 15\): labels are float64; wanted whole numbers from 0 to 2$",
    "labels = [names[n] for n in labels]": "labels are <U3; wanted whole numbers from 0 to 2$",
    "labels = labels + 1": r"\): train labels are numbers from 1 to 3; wanted whole numbers from 0 to 2$",
    "labels = labels - 1": "train labels are numbers from -1 to 1; wanted",
    "labels = labels[:5]": r"train labels are \[5\]; wanted \[6\], one for each image",
    "labels = labels[:, None]": r"train labels are \[6, 1\]; wanted \[6\]",
    "labels = numpy.eye(3)[labels].astype(int)": r"train labels are \[6, 3\]; wanted \[6\]",
    "images = images / 255": r"train images are float64 \[6, 8, 8, 3\]; wanted uint8 \(0 to 255\) \[N, S, S, 1 or 3\]$",
    "images = images.astype(numpy.int16)": "train images are int16",
    "images = images[..., 0]": r"train images are uint8 \[6, 8, 8\]; wanted",
    "images = images.transpose(0, 3, 1, 2)": r"train images are uint8 \[6, 3, 8, 8\]; wanted",
    "images = images[..., [0, 1, 2, 0]]": r"train images are uint8 \[6, 8, 8, 4\]; wanted",
    "images = images[:, :7]": r"train images are uint8 \[6, 7, 8, 3\]; wanted",
    "images = list(images)": "images are list; wanted a NumPy array",
    "images, labels = images[:0], []": "train has no images",
    "names = ('ant', 'cow', 'bee')": "train has the classes .'ant', 'cow', 'bee'.; wanted .'ant', 'bee', 'cow'",
    "soft = numpy.ones((6, 2)) / 2": r"train soft labels are float32 \[6, 2\]; wanted \[6, 3\]",
    "soft = numpy.ones((6, 3))": "train soft labels of row 0 are 1, 1, 1; wanted .* sum to 1",
    "soft = numpy.eye(3)[labels]; soft[4, 0] = numpy.inf": "train soft labels of row 4 are inf, 1, 0; wanted",
    "soft = numpy.eye(3)[labels]; soft[2, 0] = numpy.nan": "train soft labels of row 2 are nan, 0, 1; wanted",
    "test = None": "test is None; wanted an ImageSet$",
    "test = (images, labels)": "test is tuple; wanted an ImageSet$",
    "validation = of(images[:0], labels[:0], names)": "validation has no images",
    "test = of(images[:, :4, :4], labels, names)": r"test images are .* wanted .* \[N, 8, 8, 3\] as train's",
    "test = of(images[..., :1], labels, names)": r"test images are uint8 \[6, 8, 8, 1\]; wanted .* as train's",
    "test = of(images, labels, ('a', 'b', 'c'))": "test has the classes",
    "train = dataclasses.replace(train, labels=labels / 2)": "train labels are float64; wanted",
    "train = dataclasses.replace(train, names=numpy.array(['a']))": "train has 1 names for 6 images",
    "train = dataclasses.replace(train, human_labels={'me': labels + 1})": "train human labels 'me' are numbers from 1",
    "notes = 'drawn'": "notes are 'drawn'; wanted a tuple",
}


def a_plugin(folder: Path, name: str, change: str = "pass", then: str = "pass") -> str:
    (folder / "plugin.py").write_text(SPLITS.format(name=name, change=change, then=then))
    return str(folder / "plugin.py")


@pytest.mark.parametrize(("number", "change"), [*enumerate(WRONG)])
def test_a_data_set_of_wrong_arrays_is_refused_before_any_run(tmp_path, monkeypatch, capsys, number, change):
    monkeypatch.chdir(tmp_path)
    later = change.startswith("train =")
    file = a_plugin(tmp_path, f"wrong{number}", "pass" if later else change, change if later else "pass")
    assert main(["data", "check", f"wrong{number}", "--plugin", file]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(f"data set 'wrong{number}' .plugin.py.*{WRONG[change]}", line)


def test_a_run_on_wrong_arrays_ends_before_it_begins(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = a_plugin(tmp_path, "wide", "images = images[:, :8]")
    assert main(["--plugin", file, "--datasets", "wide", "--methods", "baseline", "--set", "recipe.image_size=16"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "train images are uint8 [6, 8, 16, 3]; wanted uint8 (0 to 255) [N, S, S, 1 or 3]" in line
    assert not list(tmp_path.glob("runs/*"))


def test_images_of_another_size_than_asked_for_are_noted(tmp_path):
    every = "images = images[:, :8, :8]; test = validation = of(images, labels, names)"
    load_plugins([Path(a_plugin(tmp_path, "small", every))])
    found = DATASETS.load("small")(tmp_path)
    assert found.load(16).notes == ("images are 8 pixels a side, not the 16 that were asked for",)
    assert found.load(8).notes == found.load(None).notes == ()


RIGHT = (
    "labels = labels.tolist()",
    "labels = labels.astype(numpy.uint8)",
    "names = list(names)",
    "validation = None",
    "images = numpy.asfortranarray(images)",
    "soft = numpy.full((6, 3), numpy.nan); soft[1] = 0.33",
)


@pytest.mark.parametrize(("number", "change"), [*enumerate(RIGHT)])
def test_a_data_set_of_right_arrays_passes(tmp_path, number, change):
    assert main(["data", "check", f"right{number}", "--plugin", a_plugin(tmp_path, f"right{number}", change)]) == 0
