import hashlib
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import UserError
from methods import create
from methods.core import backbones
from methods.core.weights import WRAPPERS, check_weights, load_weights, sha256


@pytest.fixture(scope="module")
def published():
    torch.manual_seed(9)
    return torchvision.models.resnet18().state_dict()


@pytest.fixture
def backbone():
    return backbones.create("resnet18", 3, 32)


@pytest.mark.parametrize("wrappers", [(), *((one,) for one in WRAPPERS), ("model", "state_dict")])
@pytest.mark.parametrize("prefix", ["", "module.", "module.module."])
def test_published_layouts(tmp_path, published, backbone, wrappers, prefix):
    path = tmp_path / "resnet18_msceleb.pth"
    state = {prefix + key: value for key, value in published.items()}
    for wrapper in wrappers:
        numbers = {
            "epoch": 3,
            "best": np.float64(88.1),
            "last": np.float32(0.5),
            "step": np.int64(9),
            "ok": np.bool_(1),
        }
        state = {wrapper: state, **numbers, "optimizer": {"state": {}}}
    torch.save(state, path)
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
        ({f"backbone.{key}": value for key, value in state.items()}, r"0 of 120 entries fit; .* missing .* unexpected"),
        ({**state, "conv1.weight": torch.zeros(64, 3, 3, 3)}, r"119 of 120 entries fit \(bn1\.weight, .*\)"),
        ({**state, "bn1.bias": torch.full((64,), torch.nan)}, r"1 with NaN, infinite or no real values \(bn1\.bias\)"),
        ({**state, "bn1.bias": torch.full((64,), torch.inf)}, r"1 with NaN, infinite"),
        ({**state, "bn1.bias": torch.zeros(64, dtype=torch.complex64)}, r"1 with NaN, infinite"),
        ({"net": state, "epoch": 1}, r"a dictionary of 'net', 'epoch'; wanted: a state_dict.* model_state_dict"),
        ({"model": {}}, "wanted: a state_dict"),
        ([1, 2], "a list; wanted: a state_dict"),
    ]


@pytest.mark.parametrize("case", range(11))
def test_a_mismatch_is_an_error_and_changes_nothing(tmp_path, published, backbone, case):
    state, message = mismatched(published)[case]
    torch.save(state, tmp_path / "w.pth")
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    with pytest.raises(UserError, match=message) as error:
        load_weights(backbone, tmp_path / "w.pth")
    assert "\n" not in str(error.value)
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_weights_are_checked_before_there_is_data(tmp_path, published):
    torch.save(published, tmp_path / "w.pth")
    (tmp_path / "page.pth").write_text("<html>")
    check_weights(tmp_path / "w.pth", "resnet18", 32)
    for channels in (1, 3):
        state = backbones.create("small", channels, 32).state_dict()
        torch.save({key.removeprefix("stages."): value for key, value in state.items()}, tmp_path / f"{channels}.pth")
        check_weights(tmp_path / f"{channels}.pth", "small", 32)
    with pytest.raises(UserError, match="do not fit"):
        check_weights(tmp_path / "w.pth", "resnet18_small_stem", 32)
    with pytest.raises(UserError, match="page.pth: .*torch.save"):
        check_weights(tmp_path / "page.pth", "resnet18", 32)


SEEDS = [pickle.dumps({"a": 1}), b"PK\x03\x04" + bytes(26), b"<html>", bytes(8) + b"{}", b"\x80\x02}q\x00."]


@given(
    content=st.one_of(st.binary(max_size=300), st.sampled_from(SEEDS), st.integers(0, 10**6)),
    suffix=st.sampled_from([".pth", ".safetensors"]),
)
@settings(max_examples=150, deadline=2000, suppress_health_check=list(HealthCheck))
def test_any_bytes_are_weights_or_one_error(tmp_path, small_file, content, suffix):
    """A number: the saved file with that byte flipped, which may still be one of weights."""
    path = tmp_path / f"any{suffix}"
    if isinstance(content, int):
        good = bytearray(small_file[suffix])
        good[content % len(good)] ^= 1 << content % 8
        content = bytes(good)
    path.write_bytes(content)
    try:
        load_weights(backbones.create("small", 1, 8), path)
    except UserError as error:
        assert str(error).isprintable() and len(str(error)) < 1000


def test_another_stem_or_network_is_an_error(tmp_path, published):
    torch.save(published, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"conv1\.weight"):
        load_weights(backbones.create("resnet18_small_stem", 3, 32), tmp_path / "w.pth")
    with pytest.raises(UserError, match="missing"):
        load_weights(backbones.create("small", 3, 32), tmp_path / "w.pth")


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    """Good files of weights for `small`, by suffix."""
    folder, state = tmp_path_factory.mktemp("weights"), backbones.create("small", 1, 8).state_dict()
    torch.save({"model": state, "best": np.float64(1)}, folder / "w.pth")
    renamed = {key.removeprefix("stages."): value for key, value in state.items()}
    safetensors.torch.save_file(renamed, folder / "w.safetensors")
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


class Payload:
    def __reduce__(self):
        return (open, ("PWNED", "w"))


def test_a_pickle_that_runs_code_is_refused(tmp_path, backbone, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Payload()}, "zip.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Payload()))
    for name, reason in (("zip.pth", r"refused, it holds more than tensors \(io\.open\)"), ("plain.pth", "not a file")):
        with pytest.raises(UserError, match=rf"{name}: {reason}"):
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
