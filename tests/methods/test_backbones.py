import pytest
import torch
import torchvision

from common.errors import UserError
from methods.core import backbones, heads


@pytest.mark.parametrize("name", backbones.BACKBONES)
@pytest.mark.parametrize("size", [8, 28, 32, 44, 48])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_image_size(name, size, channels):
    backbone = backbones.create(name, channels, size)
    for batch in (1, 2):  # a training batch of one, where the last map may be 1x1
        features = backbone(torch.randn(batch, channels, size, size))
        assert features.shape == (batch, *backbone.feature_shape)
        assert torch.isfinite(features).all()
    branch = heads.Branch(backbone.feature_shape)
    assert branch(features).shape == (2, 64)
    assert branch(features[:1]).shape == (1, 64)


def test_shapes_at_the_papers_sizes():
    assert backbones.create("resnet18", 3, 224).feature_shape == (512, 7, 7)
    assert backbones.create("resnet18_small_stem", 1, 44).feature_shape == (512, 6, 6)
    assert backbones.create("small", 1, 48).feature_shape == (128, 3, 3)
    assert backbones.create("compact", 1, 44).feature_shape == (256, 3, 3)
    assert backbones.create("compact", 3, 32).feature_shape == (256, 4, 4)
    assert backbones.create("compact_pooled", 3, 32).feature_shape == (256, 4, 4)


def test_resnet18_is_torchvisions():
    backbone = backbones.create("resnet18", 3, 64)
    reference = torchvision.models.resnet18()
    ours = {key.removeprefix("stages.").removeprefix("stem."): value for key, value in backbone.state_dict().items()}
    assert set(reference.state_dict()) - set(ours) == {"fc.weight", "fc.bias"}
    reference.load_state_dict(ours, strict=False)
    reference.fc = torch.nn.Identity()
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(backbone(images).mean(dim=(2, 3)), reference(images))


def test_small_stem_has_no_pool_and_stride_one():
    backbone = backbones.create("resnet18_small_stem", 3, 32)
    assert backbone.stages.stem.conv1.kernel_size == (3, 3) and backbone.stages.stem.conv1.stride == (1, 1)
    assert backbone.feature_shape == (512, 4, 4)


def test_grey_is_expanded_to_colour():
    backbone = backbones.create("resnet18", 1, 32).eval()
    grey = torch.randn(2, 1, 32, 32)
    torch.testing.assert_close(backbone(grey), backbone(grey.repeat(1, 3, 1, 1)))
    assert backbone.prepare(grey).data_ptr() == grey.data_ptr()  # a view


def test_stages_run_one_after_the_other():
    for name in backbones.BACKBONES:
        backbone = backbones.create(name, 1, 32).eval()
        images = torch.randn(2, 1, 32, 32)
        x = backbone.prepare(images)
        for stage in backbone.stages:
            x = stage(x)
        assert torch.equal(x, backbone(images))
        assert 0 == backbone.mixing_depths[0] < backbone.mixing_depths[1] < backbone.mixing_depths[2]
        assert backbone.mixing_depths[2] < len(backbone.stages)


def test_a_batch_of_one_uses_running_statistics():
    norm = heads.BatchNorm1d(3)
    norm(torch.randn(50, 3) * 2 + 1)
    one = torch.randn(1, 3)
    before = norm.running_mean.clone()
    expected = (one - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
    torch.testing.assert_close(norm(one), expected)
    assert torch.equal(norm.running_mean, before)


def test_branch_is_the_papers():
    norm, dropout, flatten, linear, last = heads.Branch((512, 7, 7))
    assert (norm.eps, norm.affine, norm.num_features) == (2e-5, False, 512)
    assert dropout.p == 0.4
    assert isinstance(flatten, torch.nn.Flatten)
    assert (linear.in_features, linear.out_features) == (512 * 7 * 7, 64)
    assert (last.eps, last.affine, last.num_features) == (2e-5, True, 64)


def test_errors():
    with pytest.raises(UserError, match=r"unknown backbone 'resnet19' \(did you mean 'resnet18'\?\).*small"):
        backbones.create("resnet19")
    with pytest.raises(UserError, match="2 channels"):
        backbones.create("resnet18", channels=2)
