import hashlib
import pickle

import pytest
import safetensors.torch
import torch
import torchvision

from common.errors import UserError
from methods import create
from methods.core import backbones
from methods.core.weights import load_weights, sha256


@pytest.fixture(scope="module")
def published():
    torch.manual_seed(9)
    return torchvision.models.resnet18().state_dict()


@pytest.fixture
def backbone():
    return backbones.create("resnet18", 3, 32)


@pytest.mark.parametrize("wrap", [False, True], ids=["bare", "under state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_layouts(tmp_path, published, backbone, wrap, prefix):
    path = tmp_path / "resnet18_msceleb.pth"
    state = {prefix + key: value for key, value in published.items()}
    torch.save({"state_dict": state, "epoch": 3} if wrap else state, path)
    report = load_weights(backbone, path)
    assert report.matched == 120 and report.ignored == ("fc.bias", "fc.weight")
    assert report.source == "resnet18_msceleb.pth"
    assert report.sha256 == sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, published[key.removeprefix("stages.").removeprefix("stem.")]), key


def test_a_method_starts_from_them(tmp_path, published):
    torch.save(published, tmp_path / "w.pth")
    method = create("rul", 7, "resnet18", image_size=32, weights=tmp_path / "w.pth")
    assert torch.equal(method.backbone.stages.stem.conv1.weight, published["conv1.weight"])


def test_a_file_of_safetensors_is_read_as_one_of_torch_save(tmp_path, published, backbone):
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file({f"module.{key}": value for key, value in published.items()}, path)
    report = load_weights(backbone, path)
    assert report.matched == 120 and report.ignored == ("fc.bias", "fc.weight") and report.sha256 == sha256(path)
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, published[key.removeprefix("stages.").removeprefix("stem.")]), key


def mismatched(state):
    missing = {key: value for key, value in state.items() if not key.startswith("layer4")}
    return [
        (missing, r"25 missing \(layer4\.0\.conv1\.weight, .*, \.\.\.\)"),
        ({**state, "layer5.weight": torch.zeros(1)}, r"1 unexpected \(layer5\.weight\)"),
        (
            {**state, "conv1.weight": torch.zeros(64, 3, 3, 3)},
            r"1 of another shape \(conv1\.weight \(64, 3, 3, 3\), not",
        ),
        ({f"backbone.{key}": value for key, value in state.items()}, r"missing .* unexpected"),
    ]


@pytest.mark.parametrize("case", range(4))
def test_a_mismatch_is_an_error_and_changes_nothing(tmp_path, published, backbone, case):
    state, message = mismatched(published)[case]
    torch.save(state, tmp_path / "w.pth")
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    with pytest.raises(UserError, match=message) as error:
        load_weights(backbone, tmp_path / "w.pth")
    assert "\n" not in str(error.value)
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_another_stem_or_network_is_an_error(tmp_path, published):
    torch.save(published, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"conv1\.weight"):
        load_weights(backbones.create("resnet18_small_stem", 3, 32), tmp_path / "w.pth")
    with pytest.raises(UserError, match="missing"):
        load_weights(backbones.create("small", 3, 32), tmp_path / "w.pth")


class Payload:
    def __reduce__(self):
        return (open, ("PWNED", "w"))


def test_a_pickle_that_runs_code_is_refused(tmp_path, backbone, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Payload()}, "zip.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Payload()))
    for name in ("zip.pth", "plain.pth"):
        with pytest.raises(UserError, match=name):
            load_weights(backbone, name)
    assert not (tmp_path / "PWNED").exists()


def test_unreadable_files(tmp_path, backbone):
    with pytest.raises(UserError, match="no such file"):
        load_weights(backbone, tmp_path / "absent.pth")
    with pytest.raises(UserError, match="No such file"):
        sha256(tmp_path / "absent.pth")
    (tmp_path / "text.pth").write_text("not weights")
    (tmp_path / "empty.pth").write_bytes(b"")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"a": 1}, tmp_path / "numbers.pth")
    torch.save({"state_dict": {"conv1.weight": torch.zeros(2000)}}, tmp_path / "whole.pth")
    (tmp_path / "half.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:3000])
    safetensors.torch.save_file({"conv1.weight": torch.zeros(2000)}, tmp_path / "whole.safetensors")
    (tmp_path / "half.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:3000])
    torch.save({"conv1.weight": torch.zeros(2000)}, tmp_path / "pickle.safetensors")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    tensors = ("half.safetensors", "pickle.safetensors", "empty.safetensors")
    for name in ("text.pth", "empty.pth", "list.pth", "numbers.pth", "half.pth", *tensors):
        with pytest.raises(UserError, match=name) as error:
            load_weights(backbone, tmp_path / name)
        assert "\n" not in str(error.value)


def test_imagenet_without_a_network(backbone, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", offline)
    with pytest.raises(UserError, match=r"imagenet.*no route to host.*file"):
        load_weights(backbone, "imagenet")
