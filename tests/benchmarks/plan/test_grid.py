"""A run's identity, and how a request becomes runs."""

import dataclasses
import json
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import pytest

from benchmarks.cli.values import parse_noise, parse_seeds
from benchmarks.launch.todo import make_todo
from benchmarks.plan import grid as plan
from benchmarks.plan import recipe, suite
from benchmarks.plan.paths import Sources
from benchmarks.plan.recipe import RECIPES
from benchmarks.plan.spec import Noise, RunSpec
from benchmarks.plan.suite import SUITES, Arm
from benchmarks.store.runs import Store
from benchmarks.train.step.optim import lr_factor
from common.errors import UserError
from datasets.registry import DATASETS
from methods.core.base import Clock


def test_the_id_is_a_function_of_what_decides_the_numbers(specs):
    (one,) = specs("rul")
    assert one.run_id == specs("rul")[0].run_id
    changed = [
        specs("dul")[0],
        specs("rul", epochs=3)[0],
        specs("rul", seeds=(1,))[0],
        specs("rul", noise=(0.3,))[0],
        specs("rul", sets=("rul.dropout=0.3",))[0],
        specs("rul", sets=("recipe.lr=0.5",))[0],
    ]
    assert len({one.run_id, *(spec.run_id for spec in changed)}) == 7


def test_naming_a_default_does_not_change_the_id(specs):
    default = specs("rul")[0]
    named = specs("rul", sets=(f"rul.dropout={default.config['dropout']}",))[0]
    assert named.run_id == default.run_id
    assert named.overrides == default.overrides == {}  # and it is no other arm


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("recipe.nesterov=false", True),
        ("recipe.lr=0.002", True),
        ("recipe.lr=2e-3", True),
        ('recipe.schedule={"kind": "cosine", "warmup": 0.05}', True),
        ("recipe.lr=0.003", False),
        ("recipe.nesterov=true", False),
    ],
)
@pytest.mark.parametrize("method", ["rul", "deep_ensemble"])
def test_naming_what_the_recipe_says_anyway_makes_no_other_arm(specs, method, text, same):
    plain, named = specs(method), specs(method, sets=(text,))
    for one, other in zip(plain, named, strict=True):
        assert (one.run_id == other.run_id) is (one.overrides == other.overrides) is same
    assert same or {key for spec in named for key in spec.overrides} == {text.partition("=")[0]}


@pytest.mark.parametrize("text", ["recipe.epochs=3", "recipe.backbone=compact"])
def test_a_setting_that_has_a_flag_is_the_flag(tmp_path, text):
    flag = dict([text.removeprefix("recipe.").split("=")])
    flag = {key: int(value) if value.isdigit() else value for key, value in flag.items()}
    arms, noise = (Arm(method="deep_ensemble"),), (Noise(),)
    by_flag = plan.Request(arms, ("digits",), noise, (0,), **flag)
    by_set = plan.Request(arms, ("digits",), noise, (0,), sets=(plan.parse_set(text),))
    one, other = (plan.resolve(asked, asked.sources(tmp_path)) for asked in (by_flag, by_set))
    assert one == other and [spec.run_id for spec in one] == [spec.run_id for spec in other]


@pytest.mark.parametrize(
    ("setting", "zeros"),
    [
        ("recipe.weight_decay", ("0", "0.0", "-0.0", "-0", "-.0")),
        ('recipe.schedule={"kind": "cosine", "warmup": X}', ("0", "-0.0")),
        ("rul.dropout", ("0", "-0.0")),
        ('recipe.method={"dropout": X}', ("0.0", "-0.0")),
    ],
)
def test_minus_zero_is_zero(specs, setting, zeros):
    texts = [setting.replace("X", zero) if "X" in setting else f"{setting}={zero}" for zero in zeros]
    assert len({specs("rul", sets=(text,))[0].run_id for text in texts}) == 1


def test_a_changed_default_changes_the_id(specs):
    (spec,) = specs("rul")
    other = {**spec.model_dump(), "config": {**spec.config, "dropout": 0.41}}
    assert RunSpec.model_validate(other).run_id != spec.run_id


def test_the_id_survives_json_and_another_process(specs):
    (spec,) = specs("conf")
    text = spec.model_dump_json()
    assert RunSpec.model_validate_json(text).run_id == spec.run_id
    code = "import sys; from benchmarks.plan.spec import RunSpec as R; print(R.model_validate_json(sys.argv[1]).run_id)"
    found = subprocess.run([sys.executable, "-c", code, text], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == spec.run_id


def test_the_folder_is_readable_and_stays_inside(specs):
    (spec,) = specs("rul", noise=(0.3,))
    assert str(spec.folder) == f"digits/rul/noise-0.30/seed-0-{spec.run_id}"
    strange = spec.model_copy(update={"dataset": "folder:../../x", "noise": Noise(kind="file:/a/b", ratio=0)})
    assert ".." not in strange.folder.parts and len(strange.folder.parts) == 4


def test_suites_and_recipes_in_the_repository_are_valid():
    assert "table1" in SUITES.names()
    for name in SUITES.names():
        loaded = suite.load(name)
        assert loaded.stand_in is None or DATASETS.load(loaded.stand_in).embedded
    for name in RECIPES.names():
        tables = RECIPES.read(name)
        for dataset in [*DATASETS, *(key for key in tables if isinstance(tables[key], dict))]:
            assert recipe.load(name, dataset).name == name


def test_each_method_may_have_its_own_protocol():
    common, own = (recipe.load("paper", "rafdb", method) for method in (None, "scn"))
    assert (common.protocol, own.protocol) == ("common", "own")
    assert (own.lr, own.classifier_lr, own.method["margin"]) == (1e-3, 1.0, 0.07) and common.lr == 2e-4
    assert recipe.load("paper", "rafdb", "baseline").model_copy(update={"protocol": "common"}) == common
    eac = recipe.load("paper", "rafdb", "eac")
    assert ([op.op for op in eac.augment], [op.op for op in eac.second_view]) == (["noise", "erase"], ["erase"])
    schedule = recipe.load("paper", "cifar10", "conf").schedule
    at = [lr_factor(schedule, Clock(epoch, 0, 200, 10)) for epoch in (0, 59, 60, 119, 120, 160)]
    assert at == pytest.approx([1, 1, 0.2, 0.2, 0.04, 0.008])


@pytest.mark.parametrize(("recipe_name", "real"), [(None, "paper"), (None, "compact"), ("quick", "paper")])
def test_the_recipe_of_real_data_is_the_machines_unless_named(tmp_path, recipe_name, real):
    request = plan.Request((Arm(method="rul"),), ("cifar10", "digits"), (Noise(),), (0,), recipe_name, real_recipe=real)
    with_data = {"cifar10": "cifar10", "digits": "digits", "symmetric": "symmetric"}
    specs = plan.resolve(request, Sources(tmp_path, {}, with_data))
    assert [spec.recipe.name for spec in specs] == [recipe_name or real, "quick"]


def test_protocols_are_part_of_a_runs_identity(tmp_path):
    request = plan.Request((Arm(method="scn"),), ("digits",), (Noise(),), (0,))
    one, other = (
        plan.resolve(asked, asked.sources(tmp_path))[0]
        for asked in (request, dataclasses.replace(request, own_protocols=True))
    )
    assert one.run_id != other.run_id and other.recipe.protocol == "own"


def test_a_stand_in_has_seeds_of_its_own(tmp_path):
    table = suite.load("table1")
    assert plan.from_suite(table, tmp_path).seeds == (0,) and table.seeds_of("fer2013") == (0, 1, 2)
    assert plan.from_suite(table, tmp_path, datasets=("fer2013",)).seeds == (0, 1, 2)


def test_the_paper_recipe_is_the_papers():
    published = tomllib.loads((RECIPES.folder.parents[2] / "reports" / "paper" / "numbers.toml").read_text())[
        "protocol"
    ]
    rafdb = recipe.load("paper", "rafdb")
    assert (rafdb.epochs, rafdb.batch_size, rafdb.image_size) == (
        published["epochs"],
        published["batch_size"],
        published["image_size"],
    )
    assert (rafdb.lr, rafdb.lr * rafdb.classifier_lr, rafdb.weight_decay) == (2e-4, pytest.approx(2e-3), 1e-4)
    assert rafdb.schedule.gamma == 0.9 and rafdb.pretrained == "msceleb"
    fer = recipe.load("paper", "fer2013")
    assert (fer.epochs, fer.batch_size, fer.optimizer, fer.lr, fer.clip_value) == (250, 128, "sgd", 0.01, 0.1)
    assert fer.test_view == "ten_crop" and fer.crop == 44 and fer.pretrained == "none"


def test_table1_falls_back_to_its_stand_in(tmp_path):
    request = plan.from_suite(suite.load("table1"), tmp_path)
    assert request.datasets == ("faces",)
    assert request.seeds == (0,) and [noise.ratio for noise in request.noise] == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"datasets": ("digits", "diggits")}, ["unknown data set 'diggits' (did you mean 'digits'?)"]),
        ({"datasets": ("rafdb",), "stand_in": "facess"}, ["unknown data set 'facess' (did you mean 'faces'?)"]),
        ({"datasets": ("rafdb",)}, ["none of rafdb is present under"]),
        ({"datasets": ("digits:x",)}, ["data set 'digits:x': takes no argument"]),
        ({"arms": (Arm(method="rull"),)}, ["unknown method 'rull' (did you mean 'rul'?)"]),
        ({"arms": (Arm(method="rul", set={"vriant": 1}),)}, ["rul.vriant", "rul.variant"]),
        ({"arms": (Arm(method="rul", set={"dropout": 2}),)}, ["rul.dropout = 2"]),
        ({"noise_kind": "symetric"}, ["symetric"]),
    ],
)
def test_what_is_wrong_with_a_suites_names_names_the_suite(tmp_path, change, words):
    values = {"title": "t", "datasets": ("digits",), "arms": (Arm(method="rul"),), **change}
    with pytest.raises(UserError, match="^suite 'mine': ") as error:
        plan.from_suite(suite.Suite(name="mine", **values), tmp_path)
    assert all(word in str(error.value) for word in words) and str(error.value).isprintable()


def test_a_suites_known_data_sets_may_be_absent(tmp_path):
    own = suite.Suite(name="own", title="t", datasets=("digits", "rafdb"), arms=(Arm(method="rul"),))
    assert plan.from_suite(own, tmp_path).datasets == ("digits",)


@pytest.mark.parametrize("key", ["nonsense", "nonsense.epoch"])
def test_a_recipe_sets_only_what_some_method_has(specs, key):
    specs("baseline", sets=('recipe.method={"kl_weight": 0.5}',))  # another method's
    with pytest.raises(UserError, match=f"recipe 'quick': unknown method setting '{key}'.*kl_weight"):
        specs("baseline", sets=(f'recipe.method={{"{key}": true}}',))


def test_seeds_are_outermost_so_a_table_fills_evenly(specs):
    order = [(spec.seed, spec.method) for spec in specs("rul", "dul", seeds=(0, 1))]
    assert order == [(0, "rul"), (0, "dul"), (1, "rul"), (1, "dul")]


def test_finished_runs_are_skipped_and_forced_ones_are_not(specs, tmp_path, monkeypatch):
    first, second = specs("rul", "dul")
    record = SimpleNamespace(provenance={})
    finished = "benchmarks.store.run_folder.RunFolder.finished"
    monkeypatch.setattr(finished, lambda folder: record if first.run_id in folder.path.name else None)
    store = Store(tmp_path)
    split = make_todo([first, second], store)
    assert split.done == (first,) and split.todo == (second,)
    assert make_todo([first, second], store, force=True).todo == (first, second)


def test_relabelling_that_can_never_begin_is_remarked(specs, tmp_path):
    runs = specs("scn", epochs=1)
    assert any("scn: relabelling never begins" in remark for remark in make_todo(runs, Store(tmp_path)).remarks)


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (("rul.vriant=released",), ["rul.vriant", "rul.variant"]),
        (("rul.dropout=2",), ["rul.dropout", "2"]),
        (("rul",), ["METHOD.KEY=VALUE"]),
        (("rul.relabel=true", "rul.relabel.epoch=1"), ["'relabel'", "relabel.epoch=VALUE"]),
        (("rul.dropout.rate=1", "rul.dropout=0.1"), ["'dropout'", "dropout.rate"]),
        (("conf.budget=0.1",), ["conf", "rul"]),
        (("recipe.lr=-1",), ["lr", "-1"]),
        (("rul.relabel.epoch=true",), ["rul.relabel.epoch = True", "a number, not true"]),
        (('recipe.method={"relabel.epoch": true}',), ["rul.relabel.epoch = True", "a number, not true"]),
        (("recipe.batch_size=true",), ["batch_size = True", "a number, not true"]),
        (("recipe.learning_rate=1",), ["learning_rate"]),
    ],
)
def test_bad_settings_name_the_item_in_one_line(specs, sets, words):
    with pytest.raises(UserError) as caught:
        specs("rul", sets=sets)
    assert all(word in str(caught.value) for word in words) and "\n" not in str(caught.value)


def test_seeds_and_noise_as_users_write_them():
    assert parse_seeds("3") == (0, 1, 2) and parse_seeds("0,5") == (0, 5) and parse_seeds("7,") == (7,)
    assert [noise.ratio for noise in parse_noise("0, 0.3")] == [0.0, 0.3]
    for bad in ("0", "-1", "a", "1,b", "", ","):
        with pytest.raises(UserError, match="--seeds"):
            parse_seeds(bad)
    for bad in ("1", "-0.1", "x", "nan"):
        with pytest.raises(UserError, match="--noise"):
            parse_noise(bad)
    with pytest.raises(UserError, match="names nothing"):
        parse_noise(",")


def test_no_noise_is_one_noise_whatever_it_is_called(tmp_path):
    assert {*parse_noise("0,-0,asymmetric:0,asymmetric:-0.0,symmetric:0")} == {Noise()}
    assert str(*parse_noise("asymmetric:-0")) == "0.00"  # no minus
    assert [noise.kind for noise in parse_noise("human:worse,asymmetric:0.2")] == ["human:worse", "asymmetric"]
    arms = (Arm(method="baseline"),)
    own = suite.Suite(name="own", title="t", datasets=("digits",), noise_kind="asymmetric", noise=(0, 0.4), arms=arms)
    request = plan.from_suite(own, tmp_path, recipe="quick")
    assert [str(noise) for noise in request.noise] == ["0.00", "asymmetric-0.40"]


@pytest.mark.parametrize(
    ("ratio", "said", "folder"), [(0.3, "0.30", "0.30"), (0.125, "0.125", "0.12"), (0.001, "0.001", "0.00")]
)
def test_a_noise_is_said_in_full_and_its_folder_keeps_its_name(specs, ratio, said, folder):
    (spec,) = specs("rul", noise=(ratio,))
    assert f"noise {said} seed" in str(spec) and spec.folder.parts[2] == f"noise-{folder}"
    human = spec.model_copy(update={"noise": Noise(kind="human:worse")})
    assert "noise human:worse seed" in str(human) and human.folder.parts[2] == "noise-human-worse-0.00"


def test_values_of_set_are_json_or_strings():
    assert plan.parse_set("rul.relabel.enabled=true") == ("rul", "relabel.enabled", True)
    assert plan.parse_set("rul.variant=released") == ("rul", "variant", "released")
    assert plan.parse_set("dul.kl_weight=0.5")[2] == json.loads("0.5")


def test_an_identity_holds_no_path_and_finds_its_way_back(tmp_path):
    from PIL import Image

    def tree(root):
        for split, shade in (("train", 0), ("test", 9)):
            for number, name in enumerate(("cat", "dog")):
                (root / split / name).mkdir(parents=True)
                for index in range(3):
                    colour = 90 * number + 30 * index + shade
                    Image.new("RGB", (16, 16), (colour, 0, 0)).save(root / split / name / f"{index}.png")
        return root

    def resolve(name):
        arms, noise = (suite.Arm(method="baseline"),), (Noise(ratio=0.3),)
        request = plan.Request(arms=arms, datasets=(name,), noise=noise, seeds=(0,), recipe="quick")
        return plan.resolve(request, request.sources(tmp_path))[0]

    here, there = (f"folder:{tree(tmp_path / where / 'mine')}" for where in ("a", "b"))
    spec = resolve(here)
    assert str(tmp_path) not in spec.model_dump_json()
    sources = Sources.of(tmp_path, [here], ["symmetric"])
    assert len(sources.dataset(spec.dataset).load(16).train) == 6
    assert resolve(there).run_id == spec.run_id, "moving the data changes no id"
