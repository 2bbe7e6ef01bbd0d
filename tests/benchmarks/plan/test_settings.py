"""A setting by its one name: as a table or dotted, from `--set`, a suite or a recipe, it is the same run."""

import copy

import pytest

from bench import main
from benchmarks.plan import grid as plan
from benchmarks.plan import recipe as recipes
from benchmarks.plan import suite as suites
from benchmarks.plan.spec import Noise
from benchmarks.plan.suite import Arm
from benchmarks.plan.toml_folder import TomlFolder
from common import dotted
from common.errors import UserError

RECIPE = """
title = "mine"
[default]
backbone = "small"
epochs = 9
batch_size = 16
optimizer = "adam"
lr = 0.001
weight_decay = 0.0
"""


def run(arm=None, sets=(), recipe=None, **given):
    """The one run of RUL on the digits."""
    sets = tuple(plan.parse_set(text) for text in sets)
    request = plan.Request((arm or Arm(method="rul"),), ("digits",), (Noise(),), (0,), recipe, sets=sets, **given)
    (spec,) = plan.resolve(request, request.sources("nowhere"))
    return spec


@pytest.fixture
def recipe(tmp_path):
    """`recipe("method.relabel.epoch = 3")`: the path of a recipe with these lines in it."""

    def write(lines, name="mine.toml"):
        TomlFolder.read.cache_clear()
        (tmp_path / name).write_text(RECIPE + lines)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(
    ("nested", "plain"),
    [
        (['rul.relabel={"epoch":3}'], ["rul.relabel.epoch=3"]),
        (
            ['rul.relabel={"epoch":3,"threshold":0.3}', "rul.relabel.enabled=true"],
            ["rul.relabel.enabled=true", "rul.relabel.threshold=0.3", "rul.relabel.epoch=3"],
        ),
        (['recipe.method={"relabel":{"epoch":3}}'], ['recipe.method={"relabel.epoch":3}']),
        (["rul.relabel={}"], []),
    ],
)
def test_a_table_is_its_dotted_settings(nested, plain):
    one, other = run(sets=nested), run(sets=plain)
    assert one == other and one.run_id == other.run_id
    assert not any(isinstance(value, dict) for key, value in one.overrides.items() if key != "recipe.method")


def test_a_suites_table_goes_with_a_dotted_setting():
    arm = Arm(method="rul", set={"relabel": {"enabled": True}})
    flat = Arm(method="rul", set={"relabel.enabled": True})
    assert arm == flat and run(arm, ["rul.relabel.epoch=3"]) == run(flat, ["rul.relabel.epoch=3"])
    both = run(arm, ["rul.relabel.epoch=3"]).config["relabel"]
    assert (both["enabled"], both["epoch"]) == (True, 3)
    assert run(arm, ["rul.relabel.enabled=false"]).overrides == {}  # the command line's value, which is the default


def test_a_recipes_table_means_the_dotted_form(recipe):
    plain = run(recipe=recipe('method = { "relabel.epoch" = 3 }'))
    one = run(recipe=recipe("method.relabel.epoch = 3"))
    assert one == plain and one.run_id == plain.run_id and one.recipe.method == {"relabel.epoch": 3}
    other = run(recipe=recipe("method.relabel.epoch = 3"), sets=["rul.relabel.enabled=true"])
    assert other.recipe == one.recipe and other.config["relabel"] == {**one.config["relabel"], "enabled": True}


def test_a_data_sets_table_goes_over_the_default_setting_by_setting(recipe):
    lines = 'method = { "relabel.epoch" = 6, "relabel.threshold" = 0.4 }\n[digits]\nmethod.relabel.epoch = 3'
    assert recipes.load(recipe(lines), "digits").method == {"relabel.epoch": 3, "relabel.threshold": 0.4}


def test_nothing_that_is_read_is_changed():
    tables = {"relabel": {"epoch": 3}}, {"relabel": {}}
    before = copy.deepcopy(tables)
    for table in tables:
        run(Arm(method="rul", set=table), ["rul.relabel.enabled=true"])
        dotted.nest({**table, "relabel.enabled": True})
    assert tables == before


@pytest.mark.parametrize(
    "verb", [["run", "--datasets", "digits", "--methods", "rul"], ["suspects", "digits", "--methods", "rul"]]
)
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ["--set", 'rul.relabel={"epoch":3}', "--set", "rul.relabel.epoch=7"],
            "--set rul.relabel.epoch is given twice",
        ),
        (
            ["--set", "rul.relabel.epoch=7", "--set", 'rul.relabel={"epoch":7}'],
            "--set rul.relabel.epoch is given twice",
        ),
        (["--set", "recipe.lr=0.1", "--set", "recipe.lr=0.2"], "--set recipe.lr is given twice"),
        (["--epochs", "1", "--set", "recipe.epochs=7"], "--epochs and --set recipe.epochs set the same"),
        (["--backbone", "small", "--set", "recipe.backbone=compact"], "--backbone and --set recipe.backbone set the"),
        (["--set", 'recipe.method={"relabel.epoch":1,"relabel":{"epoch":2}}'], "'relabel.epoch' is given twice"),
        (["--set", 'rul.relabel={"epoch":true}'], "rul.relabel.epoch = True: must be a number, not true or false"),
        (["--set", 'rul.relabel={"epch":2}'], "unknown setting 'rul.relabel.epch'"),
        (["--set", "rul.relabel=true", "--set", 'rul.relabel={"epoch":3}'], "'relabel' takes no value"),
    ],
)
def test_two_values_for_a_setting_are_one_line(tmp_path, monkeypatch, capsys, verb, flags, words):
    monkeypatch.chdir(tmp_path)
    assert main([*verb, *flags]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line and not list(tmp_path.iterdir())


def test_true_is_no_number_in_a_list_either():
    with pytest.raises(UserError, match=r"manifold_mixup.layers = \[0, True\]: must be a number"):
        run(Arm(method="manifold_mixup"), ["manifold_mixup.layers=[0,true]"])
    assert run(Arm(method="manifold_mixup"), ["manifold_mixup.layers=[0,1]"]).config["layers"] == [0, 1]


def test_a_recipe_or_suite_that_gives_a_setting_twice_names_its_place(recipe, tmp_path):
    file = recipe('[faces]\nmethod = { "relabel.epoch" = 1, relabel = { epoch = 2 } }')
    with pytest.raises(UserError, match=r"mine.toml': faces.method: setting 'relabel.epoch' is given twice"):
        recipes.load(file, "digits")
    (tmp_path / "grid.toml").write_text(
        'title = "t"\ndatasets = ["digits"]\n[[arms]]\nmethod = "rul"\n'
        'set = { relabel = { enabled = true }, "relabel.enabled" = false }\n'
    )
    with pytest.raises(UserError, match=r"grid.toml': arms.0.set: setting 'relabel.enabled' is given twice"):
        suites.load(str(tmp_path / "grid.toml"))
