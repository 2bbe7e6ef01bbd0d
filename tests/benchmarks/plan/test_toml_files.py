"""Recipes and suites as people write them: each is one validated whole, or one line that says what is wrong."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import main
from benchmarks.plan import recipe as recipes
from benchmarks.plan import suite as suites
from benchmarks.plan.toml_folder import TomlFolder
from common.errors import UserError

DEFAULT = """
[default]
backbone = "small"
epochs = 2
batch_size = 8
optimizer = "adam"
lr = 0.1
weight_decay = 0.0
"""
RECIPE = 'title = "mine"' + DEFAULT
SUITE = """
title = "mine"
datasets = ["faces"]
[[arms]]
method = "rul"
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def one(content, name="mine.toml"):
        TomlFolder.read.cache_clear()
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return one


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte-order mark"])
def test_a_file_of_ones_own_is_called_by_its_path(write, mark):
    found = recipes.load(write(mark + RECIPE.encode()), "faces")
    assert (found.name, found.epochs) == ("mine", 2)
    assert suites.load(write(mark + SUITE.encode(), "grid.toml")).name == "grid"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title", ["mine.toml", "not valid TOML"]),
        (b"\xff\xfet\x00", ["mine.toml", "UTF-8"]),
        ("x = " + "[" * 100_000, ["mine.toml", "nested"]),
        ("x = " + "1" * 5000, ["mine.toml", "not valid TOML"]),
        (DEFAULT, ["mine.toml", "title"]),
        ('title = ""' + DEFAULT, ["title"]),
        ("title = 3" + DEFAULT, ["title"]),
        ('title = "a\\nb"' + DEFAULT, ["title", "one line"]),
        (RECIPE + "[facs]\nepochs = 3", ["[facs]", "faces"]),
        (RECIPE + "[faces]\nepoch = 3", ["faces.epoch", "did you mean 'faces.epochs'"]),
        ("epochs = 3\n" + RECIPE, ["epochs"]),
        ('extends = "mine.toml"\n' + RECIPE, ["extends itself", "mine.toml -> mine.toml"]),
        ('extends = "none"\n' + RECIPE, ["none", "paper"]),
        ("extends = 3\n" + RECIPE, ["extends"]),
        ('title = "mine"\ndefault = 3', ["default"]),
        ('title = "mine"\n[default]\nepochs = 3', ["backbone"]),
        (RECIPE.replace("0.1", "inf"), ["lr", "finite"]),
        (RECIPE.replace("0.1", "nan"), ["lr"]),
        (RECIPE.replace("0.1", "1e999"), ["lr"]),
        (RECIPE.replace("epochs = 2", "epochs = 1_000_000_000"), ["epochs", "10000"]),
        (RECIPE + "image_size = 100_000", ["image_size", "1024"]),
        (RECIPE + "crop = 4", ["crop"]),
        (RECIPE + 'name = "paper"', ["default.name"]),
        (RECIPE.replace("epochs = 2", "epochs = true"), ["epochs = True", "a number, not true"]),
        (RECIPE.replace("0.1", "true"), ["lr = True", "a number, not true"]),
        (RECIPE + "mean = [false]", ["mean.0 = False", "a number, not true"]),
        (RECIPE + "mean = [0.5, 0.5, 0.5]", ["'mine.toml' for 'faces': mean"]),
        (RECIPE + "[default.methods.rull]\nlr = 1", ["[default.methods.rull]", "did you mean '[default.methods.rul]'"]),
        (RECIPE + "[faces.methods.rull]\nlr = 1", ["[faces.methods.rull]", "[faces.methods.rul]"]),
        (RECIPE + "method = 3", ["default.method", "settings"]),
        (RECIPE + "[faces]\nmethod = []", ["faces.method", "settings"]),
        (RECIPE + "methods = 3", ["default.methods"]),
        (RECIPE + 'schedule = { kind = "step", start = 0, every = 0, factor = 1 }', ["schedule"]),
    ],
)
def test_what_is_wrong_with_a_recipe_is_one_line(write, text, words):
    name = write(text)
    with pytest.raises(UserError) as error:
        recipes.load(name, "faces")
    assert all(word in str(error.value) for word in words), error.value
    assert str(error.value).isprintable() and len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[[arms]]", "[[arm]]", ["mine.toml", "arms"]),
        ('method = "rul"', "", ["arms.0.method"]),
        ('method = "rul"', 'method = "a\\u001bb"', ["arms.0.method"]),
        ('["faces"]', "[]", ["datasets"]),
        ('["faces"]', '["faces"]\nnoise = [1.5]', ["noise.0"]),
        ('["faces"]', '["faces"]\nnoise = [nan]', ["noise.0"]),
        ('["faces"]', '["faces"]\nnoise = []', ["noise"]),
        ('["faces"]', '["faces"]\nseeds = [-1]', ["seeds.0"]),
        ('["faces"]', '["faces"]\nseeds = 3', ["seeds: must be a list"]),
        ('["faces"]', '["faces"]\nseeds = [99999999999999999999]', ["seeds.0"]),
        ('["faces"]', '["faces"]\nseeds = [true]', ["seeds.0", "a number, not true"]),
        ('["faces"]', '["faces"]\nnoise = [false]', ["noise.0", "a number, not true"]),
        ('["faces"]', '["faces"]\nseed = [1]', ["unknown key 'seed'", "seeds"]),
        ('title = "mine"', "", ["title"]),
    ],
)
def test_what_is_wrong_with_a_suite_is_one_line(write, old, new, words):
    name = write(SUITE.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        suites.load(name)
    assert all(word in str(error.value) for word in words), error.value
    assert str(error.value).isprintable()


def test_a_recipe_extends_the_file_beside_it(write, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    write(RECIPE, "sub/base.toml")
    write('extends = "base.toml"\ntitle = "mine"\n[default]\nepochs = 3', "sub/mine.toml")
    write('extends = "sub/mine.toml"\ntitle = "over"', "over.toml")
    monkeypatch.chdir("/")
    for name in ("sub/mine.toml", "over.toml"):
        assert recipes.load(str(tmp_path / name), "faces").epochs == 3
    write('extends = "sub/../circle.toml"\ntitle = "circle"', "circle.toml")
    with pytest.raises(UserError, match="extends itself"):
        recipes.load(str(tmp_path / "circle.toml"), "faces")


@pytest.mark.parametrize("called", ["../suites/table1", "/etc/passwd", "", ".", "paper.toml", "a\0b.toml", "."])
def test_a_name_is_a_name_and_a_path_ends_in_toml(tmp_path, monkeypatch, called):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError):
        recipes.load(called, "faces")


@pytest.mark.parametrize("name", ["paper", "quick"])
def test_a_file_of_ones_own_takes_no_name_of_the_suites(write, name):
    with pytest.raises(UserError, match=f"^recipe {name}.toml: '{name}' is one of ours"):
        recipes.load(write(RECIPE, f"{name}.toml"), "faces")


def test_a_bad_file_is_shown_by_list_and_stops_nothing(tmp_path, monkeypatch, capsys):
    (tmp_path / "bad.toml").write_text("[")
    (tmp_path / "good.toml").write_text('title = "a good one"')
    (tmp_path / "folder.toml").mkdir()
    monkeypatch.setattr("benchmarks.cli.verbs.listing.SUITES", TomlFolder("suite", tmp_path))
    assert main(["list"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "a good one" in text and "unreadable" in text and "a folder, not a file" in text


@given(
    st.one_of(
        st.binary(max_size=400),
        st.text(max_size=200),
        st.dictionaries(st.sampled_from(["title", "default", "extends", "faces", "x"]), st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
            max_leaves=8,
        )).map(lambda tree: "\n".join(f"{key} = {json.dumps(value)}" for key, value in tree.items())),
    )
)  # fmt: skip
@settings(max_examples=300, deadline=1000, suppress_health_check=list(HealthCheck))
def test_any_bytes_are_a_recipe_and_a_suite_or_one_error(tmp_path, content):
    path = tmp_path / "any.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="replace"))
    for read in (lambda: recipes.load(str(path), "faces"), lambda: suites.load(str(path))):
        TomlFolder.read.cache_clear()
        try:
            read()
        except UserError as error:
            assert str(error).isprintable() and len(str(error)) < 1000
