"""What a training step mixes, and which images it sees."""

import dataclasses

import numpy as np
import pytest
import torch

import methods
from methods.core import relative

K = 4
LABELS = np.array([0, 1, 2, 3, 0, 1, 2])
PARTNER = np.array([1, 2, 3, 0, 6, 4, 5])  # a permutation that meets no label of its own
SHARE = 0.3


def test_mix_output_of_logits_is_rul(make_batch, clock, monkeypatch):
    """W is linear and u_i + u_j = 1: mixing logits is mixing features. The paper's two rows differ by chance alone."""
    torch.manual_seed(1)
    rul_method = methods.create("rul", K, "small", image_size=16, channels=1)
    mix = methods.create("mix_output", K, "small", image_size=16, channels=1)
    mix.load_state_dict(rul_method.state_dict())
    batch = make_batch(labels=LABELS)
    grads = []
    for method in (rul_method, mix):
        torch.manual_seed(5)  # the same dropout and partners
        step = method.training_step(batch, clock)
        step.loss.backward()
        grads.append((step.loss, [p.grad for p in method.parameters()]))
    assert grads[0][0].item() == pytest.approx(grads[1][0].item(), rel=1e-6)
    for a, b in zip(grads[0][1], grads[1][1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_manifold_mixup_mixes_where_it_says(make_batch, clock, monkeypatch):
    """With layers = [n], the stages before see the images as they are and the next one sees the blend."""
    monkeypatch.setattr("methods.manifold_mixup.shuffle", lambda labels: torch.from_numpy(PARTNER))
    monkeypatch.setattr("methods.manifold_mixup.mixing_share", lambda alpha: SHARE)
    batch = make_batch(labels=LABELS)
    for layer in (0, 1, 2):
        method = methods.create("manifold_mixup", K, "small", image_size=16, channels=1, layers=[layer])
        seen = []
        for stage in method.backbone.stages:
            stage.register_forward_hook(lambda module, inputs, output, seen=seen: seen.append((inputs[0], output)))
        method.training_step(batch, clock)
        before = batch.images if layer == 0 else seen[layer - 1][1]
        blended = SHARE * before + (1 - SHARE) * before[torch.from_numpy(PARTNER)]
        torch.testing.assert_close(seen[layer][0], blended)
        assert layer == 0 or torch.equal(seen[0][0], batch.images)


def test_mixup_trains_on_blended_images(make_batch, clock, monkeypatch):
    monkeypatch.setattr("methods.mixup.shuffle", lambda labels: torch.from_numpy(PARTNER))
    monkeypatch.setattr("methods.mixup.mixing_share", lambda alpha: SHARE)
    batch, seen = make_batch(labels=LABELS), []
    method = methods.create("mixup", K, "small", image_size=16, channels=1)
    method.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    method.training_step(batch, clock)
    torch.testing.assert_close(seen[0], SHARE * batch.images + (1 - SHARE) * batch.images[torch.from_numpy(PARTNER)])


@pytest.mark.parametrize("views", [1, 2])
def test_eac_sees_the_image_and_a_flip_of_it_or_of_the_second_view(make_batch, clock, views):
    batch, seen = make_batch(), []
    if views == 2:
        batch = dataclasses.replace(batch, second_view=make_batch().images)
    method = methods.create("eac", K, "small", image_size=16, channels=1)
    method.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    method.training_step(batch, clock)
    assert len(seen) == 2
    flipped = batch.images if views == 1 else batch.second_view
    assert torch.equal(seen[0], batch.images)
    assert torch.equal(seen[1], torch.from_numpy(flipped.numpy()[..., ::-1].copy()))
    assert [op["op"] for op in method.extra_augment] == ["erase"]


@pytest.mark.parametrize(
    ("config", "different"),
    [
        ({}, True),
        ({"variant": "released"}, False),
        ({"partner": "any"}, False),
        ({"variant": "released", "partner": "different"}, True),
    ],
)
def test_rul_mixes_with_the_partners_its_settings_name(config, different, make_batch, clock, monkeypatch):
    asked = []
    for name in ("partners", "shuffle"):
        draw = getattr(relative, name)
        monkeypatch.setattr(relative, name, lambda labels, name=name, draw=draw: asked.append(name) or draw(labels))
    method = methods.create("rul", K, "small", image_size=16, channels=1, **config)
    method.training_step(make_batch(labels=LABELS), clock)
    assert asked[0] == ("partners" if different else "shuffle")  # `partners` draws by `shuffle` in turn
