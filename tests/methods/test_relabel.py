"""Relabelling: which labels change, from when on, and by whose uncertainty."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import methods
from methods.core.contract import trains
from methods.core.relabel import Relabel, relabel

TRAINED = [name for name in methods.METHODS if trains(methods.METHODS.load(name))]
quick = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**31)


@quick
@given(st.integers(1, 25), st.integers(2, 9), seeds, st.floats(0.01, 1), st.floats(0, 1))
def test_relabel_rule(size, classes, seed, share, threshold):
    torch.manual_seed(seed)
    logits, uncertainty = 2 * torch.randn(size, classes), torch.rand(size)
    labels = torch.randint(classes, (size,))
    new = relabel(logits, uncertainty, labels, Relabel(enabled=True, share=share, threshold=threshold))
    eligible = size - int((1 - share) * size)
    worst = sorted(range(size), key=lambda i: -uncertainty[i].item())[:eligible]
    p = torch.softmax(logits.double(), dim=1)
    for i in range(size):
        gap = (p[i].max() - p[i, labels[i]]).item()
        if abs(gap - threshold) < 1e-6:
            continue
        change = i in worst and gap > threshold
        assert new[i] == (p[i].argmax() if change else labels[i])


def test_relabel_begins_in_its_epoch_and_scn_has_it_on(make_batch):
    for name in ("scn", "rul"):
        config = {} if name == "scn" else {"relabel": {"enabled": True}}
        method = methods.create(name, 4, "small", image_size=16, channels=1, **config)
        for epoch, begun in ((0, False), (8, False), (9, True), (30, True)):  # the 10th epoch has number 9
            step = method.training_step(make_batch(), methods.Clock(epoch, 0, 70, 1))
            assert (step.labels is not None) == begun
    off = methods.create("rul", 4, "small", image_size=16, channels=1)
    assert off.training_step(make_batch(), methods.Clock(60, 0, 70, 1)).labels is None


@pytest.mark.parametrize("name", TRAINED)
def test_every_method_can_relabel(name, make_batch):
    """A share of 1 and a threshold of 0 give every wrongly labelled sample the model's own answer."""
    rule = {"enabled": True, "epoch": 1, "share": 1.0, "threshold": 0.0}
    method = methods.create(name, 4, "small", image_size=16, channels=1, relabel=rule)
    with torch.no_grad():
        method.classifier.weight.zero_()
        method.classifier.bias.copy_(torch.tensor([0.0, 9.0, 0.0, 0.0]))  # always class 1
    batch = make_batch()
    step = method.training_step(batch, methods.Clock(0, 0, 70, 1))
    assert step.labels.tolist() == [1] * 6
    assert batch.labels.tolist() == [0, 1, 2, 3, 0, 1]
    assert method.training


def test_scn_relabel_groups(make_batch):
    """low: only the three least important of ten; all: any sample."""
    for group, changed in (("low", 3), ("all", 10)):
        rule = {"epoch": 1, "threshold": 0.0}
        method = methods.create("scn", 4, "small", image_size=16, channels=1, relabel_group=group, relabel=rule)
        with torch.no_grad():
            method.classifier.weight.zero_()
            method.classifier.bias.copy_(torch.tensor([0.0, 9.0, 0.0, 0.0]))
        step = method.training_step(make_batch(labels=[0] * 10), methods.Clock(0, 0, 70, 1))
        assert (step.labels == 1).sum() == changed


@pytest.mark.parametrize(
    ("name", "part", "uncertainty"),
    [
        ("scn", "importance", lambda out: -out[:, 0]),
        ("conf", "confidence", lambda out: -out[:, 0]),
        *((name, "log_sigma", lambda out: out.exp().mean(dim=1)) for name in ("rul", "mix_output")),
        *((name, "log_sigma", lambda out: (out / 2).exp().mean(dim=1)) for name in ("dul", "dul_rul")),
        ("baseline", "classifier", lambda out: -out.softmax(dim=1).amax(dim=1)),
    ],
)
def test_the_most_uncertain_by_the_methods_own_measure_are_relabelled(name, part, uncertainty, make_batch):
    rule = {"enabled": True, "epoch": 1, "threshold": 0.0}
    method = methods.create(name, 4, "small", image_size=16, channels=1, relabel=rule)
    with torch.no_grad():
        method.classifier.weight.mul_(0.01)
        method.classifier.bias.copy_(torch.tensor([0.0, 3.0, 0.0, 0.0]))  # class 1 by far, not equally for all
    seen = []
    getattr(method, part).register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
    step = method.training_step(make_batch(labels=[0] * 10), methods.Clock(0, 0, 70, 1))
    worst = uncertainty(seen[-1]).argsort(descending=True)[:3]
    assert set((step.labels == 1).nonzero().flatten().tolist()) == set(worst.tolist())
