"""Backbones from timm: cut at their feature maps, under every method's contract, trained from the command line."""

from __future__ import annotations

import sys

import pytest
import torch

import methods
from common.errors import UserError
from methods.core import backbones, contract, timm_networks

timm = pytest.importorskip("timm")

NETWORKS = ("resnet10t", "test_resnet", "test_convnext", "test_efficientnet", "mobilenetv3_small_050", "densenet121")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_stages_are_the_networks_own_body(name, channels):
    torch.manual_seed(0)
    backbone = backbones.create(f"timm:{name}", channels, 64).eval()
    torch.manual_seed(0)
    reference = timm.create_model(name, in_chans=channels, features_only=True).eval()
    images = torch.rand(2, channels, 64, 64)
    x = images
    for stage in backbone.stages:
        x = stage(x)
    features = backbone(images)
    assert torch.equal(x, features) and features.shape == (2, *backbone.feature_shape)
    if name != "mobilenetv3_small_050":  # whose features end before its last 1x1 convolution
        torch.testing.assert_close(features, reference(images)[-1])
    assert 0 == backbone.mixing_depths[0] < backbone.mixing_depths[1] < backbone.mixing_depths[2] < len(backbone.stages)


@pytest.mark.parametrize("name", methods.METHODS)
def test_contract(name, monkeypatch):
    own = backbones.create
    monkeypatch.setattr(contract, "SIZE", 64)  # which leaves 2x2 pixels: a batch of one has a variance

    def create(_, channels, image_size):
        return own("timm:test_resnet", channels, image_size)

    monkeypatch.setattr(contract.backbones, "create", create)
    contract.check_method(methods.METHODS.load(name))


WRONG = {
    "nothing": ("timm:", "unknown backbone 'timm:'"),
    "no such network": ("timm:resnet19", "did you mean 'timm:resnet1"),
    "a transformer": ("timm:test_vit", "no row of feature maps"),
    "too deep": ("timm:inception_v3", "takes no images of 32 pixels"),
    "its own size": ("timm:swin_tiny_patch4_window7_224", "takes no images of 32 pixels"),
}


@pytest.mark.parametrize("case", WRONG)
def test_networks_that_do_not_fit(case):
    name, message = WRONG[case]
    with pytest.raises(UserError, match=message) as error:
        backbones.create(name, 3, 32)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_without_timm(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match="pip install timm"):
        backbones.check("timm:resnet18")


def test_its_own_weights(monkeypatch, tmp_path):
    torch.manual_seed(1)
    published = timm.create_model("test_resnet", in_chans=3)
    torch.save(published.state_dict(), tmp_path / "weights.pth")
    create = timm.create_model

    def offline(name, pretrained=False, **options):
        overlay = {"file": str(tmp_path / "weights.pth")} if pretrained else None
        return create(name, pretrained=pretrained, pretrained_cfg_overlay=overlay, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    torch.manual_seed(2)
    backbone = backbones.create("timm:test_resnet", 3, 64)
    images = torch.rand(2, 3, 64, 64)
    expected = published.eval().forward_features(images)
    assert not torch.allclose(backbone.eval()(images), expected)
    timm_networks.load_pretrained(backbone.stages, "timm:test_resnet", 3)
    torch.testing.assert_close(backbone(images), expected)


CALL = ["--datasets", "digits", "--methods", "rul", "--noise", "0", "--seeds", "1", "--epochs", "1", "--jobs", "1"]
CALL += ["--set", "recipe.image_size=32"]


def test_from_the_command_line(bench):
    result = bench(*CALL, "--backbone", "timm:test_resnet")
    assert result.returncode == 0 and "1 runs done" in result.stdout, result.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--backbone", "timm:inception_v3"], "takes no images of 32 pixels"),
        (["--backbone", "timm:nope"], "unknown backbone 'timm:nope'"),
        (["--set", "recipe.pretrained=timm"], "only for backbones of timm's"),
    ],
)
def test_checked_before_anything_runs(flags, message, tmp_path, monkeypatch, capsys):
    from bench import main

    monkeypatch.chdir(tmp_path)
    assert main([*CALL, *flags]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())
