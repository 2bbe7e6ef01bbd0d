"""The deep ensemble: its prediction from its members' own, against numpy; what it refuses."""

import numpy as np
import pytest
import torch

import methods
from common.errors import UserError
from methods.deep_ensemble import DeepEnsemble, DeepEnsembleConfig

K = 4


def make(name="deep_ensemble", **config):
    return methods.create(name, K, "small", image_size=16, channels=1, **config)


def assembled(**config):
    ensemble = make(members=3, **config)
    members = [make(name) for name, _ in ensemble.members(ensemble.config, 0)]
    for number, member in enumerate(members):
        torch.nn.init.normal_(member.classifier.weight, std=number + 1.0)  # far apart
    ensemble.adopt(members)
    return ensemble.eval(), [member.eval() for member in members]


def entropy(p):
    return -(p * np.log(p)).sum(axis=-1)


@pytest.mark.parametrize("member", ["baseline", "rul"])
@pytest.mark.parametrize("measure", ["entropy", "mutual_information"])
def test_prediction_is_of_the_mean_probability(member, measure, make_batch):
    ensemble, members = assembled(member=member, measure=measure)
    images = make_batch(size=5).images
    with torch.no_grad():
        answer = ensemble.predict(images)
        own = [network.predict(images) for network in members]
    p = np.stack([torch.softmax(one.logits.double(), dim=1).numpy() for one in own])
    mean = p.mean(axis=0)
    np.testing.assert_allclose(answer.logits.exp().numpy(), mean, rtol=1e-5)
    expected = entropy(mean) - (entropy(p).mean(axis=0) if measure == "mutual_information" else 0)
    np.testing.assert_allclose(answer.uncertainty.numpy(), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(answer.features.numpy(), np.concatenate([one.features for one in own], axis=1))
    assert expected.min() > 0 and not np.allclose(p[0], p[1], atol=0.05)


def test_networks_that_agree_leave_no_mutual_information(make_batch):
    ensemble, members = assembled(measure="mutual_information")
    ensemble.adopt([members[0]] * 3)
    with torch.no_grad():
        assert ensemble.predict(make_batch().images).uncertainty.abs().max() < 1e-6


def test_members_start_with_the_seeds_own_run_and_share_none():
    config = DeepEnsembleConfig()
    named = [DeepEnsemble.members(config, seed) for seed in range(50)]
    assert all(len(members) == 5 and members[0] == ("baseline", seed) for seed, members in enumerate(named))
    assert len({member for members in named for member in members}) == 250


def test_it_has_no_training_and_no_parameters_to_train(make_batch, clock):
    ensemble = make()
    assert ensemble.param_groups() == []
    with pytest.raises(UserError, match="train its members"):
        ensemble.training_step(make_batch(), clock)
    with pytest.raises(ValueError, match="5 networks cannot be made of 1"):
        ensemble.adopt([make("baseline")])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"members": 1}, ["deep_ensemble.members", "1"]),
        ({"member": "basline"}, ["deep_ensemble.member", "basline", "did you mean 'baseline'"]),
        ({"member": "deep_ensemble"}, ["deep_ensemble.member", "has members itself"]),
        ({"relabel": {"enabled": True}}, ["deep_ensemble.relabel", "baseline.relabel.enabled"]),
    ],
)
def test_settings_that_cannot_be(config, words):
    with pytest.raises(UserError) as caught:
        make(**config)
    assert all(word in str(caught.value) for word in words) and "\n" not in str(caught.value)
