"""Suites and recipes of one's own: the examples, and a recipe printed and read back."""

from __future__ import annotations

import csv

import pytest

from benchmarks.cli.verbs.listing import resolved_recipe
from benchmarks.plan import recipe, suite
from common.errors import UserError
from tests.conftest import CHECKOUT

EXAMPLES = CHECKOUT / "docs" / "examples"


@pytest.mark.parametrize("name", recipe.RECIPES.names())
@pytest.mark.parametrize("dataset", ["faces", "fer2013", "rafdb", "cifar10", "folder:mine"])
def test_a_recipe_that_is_printed_is_the_same_when_it_is_read(name, dataset, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(resolved_recipe(name, dataset), encoding="utf-8")
    given, read = recipe.load(name, dataset), recipe.load(str(file), "digits")
    assert read.name == "mine" and read.model_copy(update={"name": name}) == given


def test_the_examples_are_what_their_comments_say():
    ours = recipe.load("quick", "digits")
    own = recipe.load(str(EXAMPLES / "own_recipe.toml"), "digits")
    assert (own.name, own.optimizer, own.epochs, ours.epochs) == ("own_recipe", "sgd", 10, 20)
    assert own.backbone == ours.backbone
    arms = suite.load(str(EXAMPLES / "own_suite.toml")).arms
    assert [arm.name for arm in arms] == ["baseline", "rul", "rul, released code"]


def test_a_table_from_ones_own_suite_and_recipe(bench, tmp_path):
    call = ("--suite", str(EXAMPLES / "own_suite.toml"), "--recipe", str(EXAMPLES / "own_recipe.toml"))
    call += ("--seeds", "1", "--epochs", "1", "--noise", "0.3", "--jobs", "1")
    result = bench(*call)
    assert result.returncode == 0, result.stderr
    assert "3 runs done" in result.stdout
    with open(tmp_path / "reports/out/summary.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 and all("own_recipe" in str(row) for row in rows)
    assert (tmp_path / "reports/out/results.csv").exists()


WRONG = {
    "no such recipe": (["--recipe", "nope"], "unknown recipe 'nope'"),
    "no such file": (["--recipe", "nope.toml"], "nope.toml"),
    "no such data set": (["--recipe", "quick", "--datasets", "nope"], "unknown data set 'nope'"),
    "data sets alone": (["--datasets", "faces"], "only with --recipe"),
    "one of our names": (["--recipe", "{here}/quick.toml"], "quick"),
    "no toml": (["--recipe", "{here}/broken.toml"], "broken.toml"),
    "no title": (["--recipe", "{here}/untitled.toml"], "title"),
    "an unknown key": (["--recipe", "{here}/key.toml"], "epoch"),
    "a value out of range": (["--recipe", "{here}/range.toml"], "epochs"),
    "a limit of no data set": (["--recipe", "{here}/limit.toml"], "limits.fer2103"),
    "a limit of two lines": (["--recipe", "{here}/lines.toml"], "lines.toml': limits.fer2013"),
    "limits that are no table": (["--recipe", "{here}/limits.toml"], "limits: must be a table"),
    "extends itself": (["--recipe", "{here}/loop.toml"], "extends"),
}
FILES = {
    "quick": 'title = "a"\nextends = "compact"\n',
    "broken": "title = ",
    "untitled": 'extends = "quick"\n',
    "key": 'title = "a"\nextends = "quick"\n[default]\nepoch = 3\n',
    "range": 'title = "a"\nextends = "quick"\n[default]\nepochs = 0\n[faces]\nepochs = 0\n',
    "limit": 'title = "a"\nextends = "quick"\nlimits.fer2103 = "short"\n',
    "limits": 'title = "a"\nextends = "quick"\nlimits = "all"\n',
    "lines": 'title = "a"\nextends = "quick"\nlimits.fer2013 = "short\\nlong"\n',
    "loop": 'title = "a"\nextends = "{here}/loop.toml"\n',
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_of_list_say_so_in_one_line(case, tmp_path, capsys):
    from bench import main

    for name, text in FILES.items():
        (tmp_path / f"{name}.toml").write_text(text.replace("{here}", str(tmp_path)))
    arguments, message = WRONG[case]
    assert main(["list", *(text.format(here=tmp_path) for text in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_suite_of_a_wrong_kind_is_refused(tmp_path):
    with pytest.raises(UserError, match="arms"):
        (tmp_path / "empty.toml").write_text('title = "a"\ndatasets = ["digits"]\narms = []\n')
        suite.load(str(tmp_path / "empty.toml"))
