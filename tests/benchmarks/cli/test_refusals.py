"""What could only fail is refused before the first run: one line that names it, exit code 2, nothing written."""

import numpy as np
import pytest

from bench import main
from benchmarks.plan import grid as plan
from benchmarks.plan import recipe as recipes
from benchmarks.plan import suite as suites
from benchmarks.plan.suite import Arm
from benchmarks.train.build import check_fit
from common.errors import UserError
from datasets.base import ImageSet, Splits

RUN = ("--datasets", "digits", "--noise", "0", "--methods")
CASES = {
    "a crop larger than the images": (
        ["baseline", "--set", "recipe.crop=9"],
        "recipe 'quick' for 'digits': crop = 9: larger than the images, which have 8 pixels a side",
    ),
    "a crop of the augmentation": (
        ["baseline", "--set", 'recipe.augment=[{"op":"crop","size":11,"padding":1}]'],
        "recipe 'quick' for 'digits': a crop of 11 pixels does not fit into images of (10, 10)",
    ),
    "a crop of the second view": (
        ["baseline", "--set", 'recipe.second_view=[{"op":"crop","size":9}]'],
        "recipe 'quick' for 'digits': a crop of 9 pixels does not fit into images of (8, 8)",
    ),
    "ten crops of no size": (["baseline", "--set", "recipe.test_view=ten_crop"], "ten_crop needs a crop"),
    "nesterov without momentum": (
        [
            *("baseline", "--set", "recipe.optimizer=sgd"),
            *("--set", "recipe.nesterov=true", "--set", "recipe.momentum=0"),
        ],
        "recipe 'quick' for 'digits': nesterov = true needs a momentum above 0",
    ),
    "ImageNet's weights": (
        ["baseline", "--set", "recipe.pretrained=imagenet"],
        "recipe.pretrained = imagenet: they are a ResNet-18's (resnet18); the backbone for digits is small",
    ),
    "ImageNet's weights, of another stem": (
        ["baseline", "--weights", "imagenet", "--backbone", "resnet18_small_stem"],
        "--weights imagenet: they are a ResNet-18's (resnet18); the backbone for digits is resnet18_small_stem",
    ),
    "a member's seed": (
        ["deep_ensemble", "--seeds", "4294967295,"],
        "seed 4294967295: deep_ensemble takes a run of seed 4294968295; seeds end at 4294967295",
    ),
    "a thousand million members": (
        ["deep_ensemble", "--set", "deep_ensemble.members=1000000000"],
        "deep_ensemble.members = 1000000000: must be less than or equal to 100",
    ),
    "a thousand million passes": (
        ["mc_dropout", "--set", "mc_dropout.passes=1000000000"],
        "mc_dropout.passes = 1000000000: must be less than or equal to 10000",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_known_before_the_first_run(tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(tmp_path)
    arguments, words = CASES[case]
    assert main([*RUN, *arguments]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line and not list(tmp_path.iterdir())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("values", [1, 2, 3])
def test_mean_and_std_are_of_the_images_channels(specs, channels, values):
    (spec,) = specs("baseline", sets=(f"recipe.mean={values * [0.5]}", f"recipe.std={values * [0.25]}"))
    part = ImageSet.of(np.zeros((4, 8, 8, channels), np.uint8), np.arange(4) % 2, ("a", "b"))
    splits = {("digits", spec.recipe.image_size): Splits(part, part)}
    if channels == 1 or values in (1, 3):  # of grey images, a colour recipe's mean
        check_fit([spec], splits)
        return
    with pytest.raises(UserError, match=r"^recipe 'quick' for 'digits': mean and std have 2 channels, the images 3$"):
        check_fit([spec], splits)


@pytest.mark.parametrize("change", [{"crop": 8}, {"optimizer": "adam"}, {"momentum": 0.5}, {"nesterov": False}])
def test_what_can_be_done_is_not_refused(change):
    values = {"test_view": "ten_crop", "crop": 8} if "crop" in change else {}
    sgd = {"optimizer": "sgd", "nesterov": True, "momentum": 0.0} if "crop" not in change else {}
    assert recipes.load("quick", "digits", **{**values, **sgd, **change})


@pytest.mark.parametrize("kind", ["file:list.txt", "human:worse"])
def test_a_suites_labels_have_the_ratio_that_they_have(tmp_path, kind):
    values = {"title": "t", "datasets": ("digits",), "arms": (Arm(method="rul"),), "noise_kind": kind}
    with pytest.raises(UserError, match=f"^suite 'mine': noise '{kind}' has the ratio of its own labels, .* 0.3;"):
        plan.from_suite(suites.Suite(name="mine", noise=(0, 0.3), **values), tmp_path)
    (noise,) = plan.from_suite(suites.Suite(name="mine", noise=(0,), **values), tmp_path).noise
    assert (noise.kind, noise.ratio) == (kind, 0)


def test_a_variable_that_is_no_number_is_known_before_the_launch(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNCERTAINTY_BENCH_DEAD_SECONDS", "5m")
    for verb in (["run", *RUN, "baseline"], ["retry"]):
        assert main(verb) == 2
        output = capsys.readouterr()
        (line,) = output.err.strip().splitlines()
        assert "UNCERTAINTY_BENCH_DEAD_SECONDS" in line and not output.out and not list(tmp_path.iterdir())
