"""What must hold for any batch: properties over shapes, classes and batch sizes down to one."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import methods
from methods import conf, dul, mc_dropout, scn
from methods.core import relative
from methods.core.contract import trains
from methods.core.heads import Pool

TRAINED = [name for name in methods.METHODS if trains(methods.METHODS.load(name))]
quick = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**31)


@quick
@given(st.integers(1, 20), st.integers(1, 9), seeds, st.booleans(), st.sampled_from([0.1, 3.0, 60.0]))
def test_relative_uncertainty(size, dimension, seed, mean_first, scale):
    torch.manual_seed(seed)
    log_sigma = scale * torch.randn(size, dimension)
    partner = relative.shuffle(torch.zeros(size))
    back = torch.empty_like(partner)
    back[partner] = torch.arange(size)
    u = relative.relative_uncertainty(log_sigma, partner, mean_first)
    # u_j, the partner's weight in the same pair, computed from the partner's side
    swapped = relative.relative_uncertainty(log_sigma[partner], back.new_tensor([*range(size)]), mean_first)
    pair = torch.stack((log_sigma, log_sigma[partner]), dim=1)  # [B, 2, D]
    for i in range(size):
        forward = relative.relative_uncertainty(pair[i], torch.tensor([1, 0]), mean_first)
        torch.testing.assert_close(forward.sum(), torch.tensor(1.0))  # u_i + u_j = 1
        backward = relative.relative_uncertainty(pair[i].flip(0), torch.tensor([1, 0]), mean_first)
        torch.testing.assert_close(forward, backward.flip(0))  # swapping partners swaps weights
        torch.testing.assert_close(forward[0], u[i])
    assert torch.isfinite(u).all() and (u >= 0).all() and (u <= 1).all()
    torch.testing.assert_close(swapped, torch.full((size,), 0.5))  # a sample against itself


@pytest.mark.parametrize("gap", [0.0, 20.0, 300.0])
def test_extreme_uncertainties_give_finite_losses_and_gradients(gap):
    """One sample that takes all the weight: the sigmoid saturates, nothing else may break."""
    for mean_first in (False, True):
        log_sigma = torch.tensor([[gap], [-gap]], requires_grad=True)
        logits = torch.randn(2, 3, requires_grad=True)
        partner, labels = torch.tensor([1, 0]), torch.tensor([0, 1])
        u = relative.relative_uncertainty(log_sigma, partner, mean_first)
        mixed = relative.mix(logits, partner, u)
        mixed_p = relative.mix_log_probabilities(logits.log_softmax(dim=1), partner, u)
        loss = sum(relative.add_up_loss(x, labels, labels[partner]) for x in (mixed, mixed_p))
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(log_sigma.grad).all() and torch.isfinite(logits.grad).all()


def test_the_more_uncertain_sample_weighs_more():
    u = relative.relative_uncertainty(torch.tensor([[0.0, 0.0], [1.0, 2.0]]), torch.tensor([1, 0]))
    s = np.array([1 / (1 + math.e), 1 / (1 + math.e**2)])
    np.testing.assert_allclose(u.numpy(), [s.mean(), 1 - s.mean()], rtol=1e-6)


@quick
@given(st.integers(1, 30), seeds)
def test_scn_rank_loss(size, seed):
    torch.manual_seed(seed)
    alpha = torch.rand(size)
    loss = scn.rank_loss(alpha, beta=0.7, margin=0.15)
    assert loss >= 0 and loss <= 0.15 + 1e-6  # the top's mean is never below the rest's
    shuffled = scn.rank_loss(alpha[torch.randperm(size)], beta=0.7, margin=0.15)
    torch.testing.assert_close(loss, shuffled)


def test_scn_rank_loss_is_zero_when_the_gap_exceeds_the_margin():
    alpha = torch.tensor([0.9] * 7 + [0.7] * 3, requires_grad=True)
    loss = scn.rank_loss(alpha, beta=0.7, margin=0.15)
    loss.backward()
    assert loss == 0 and (alpha.grad == 0).all()
    assert scn.rank_loss(alpha, beta=0.7, margin=0.25).item() == pytest.approx(0.05)
    assert scn.rank_loss(torch.full((10,), 0.5), beta=0.7, margin=0.15).item() == pytest.approx(0.15)


def test_conf_weight_path(make_batch, clock):
    """lambda over 100 steps: / 1.01 while the price is under the budget, / 0.99 while it is not."""
    method = methods.create("conf", 4, "small", image_size=16, channels=1)
    expected = 0.1
    for number in range(100):
        with torch.no_grad():
            method.confidence.bias.fill_(3.0 if number % 3 else -1.0)  # prices of about 0.05 and 1.3
        step = method.training_step(make_batch(), clock)
        price = step.logs["confidence_loss"].item()
        assert step.logs["lambda"].item() == pytest.approx(expected, rel=1e-4)
        used = step.logs["task_loss"] + step.logs["lambda"] * step.logs["confidence_loss"]
        assert step.loss.item() == pytest.approx(used.item(), rel=1e-5)
        expected = expected / 1.01 if price < 0.3 else expected / 0.99
    assert method.state_dict()["weight"].item() == pytest.approx(expected, rel=1e-4)  # a checkpoint carries it
    assert 66 * math.log(1 / 1.01) + 34 * math.log(1 / 0.99) == pytest.approx(math.log(expected / 0.1), abs=1e-3)


def test_conf_loss_at_the_edges():
    """Certain and hopeless confidences: finite, and the gradient still points somewhere."""
    logits = torch.tensor([[60.0, -60.0], [60.0, -60.0]], requires_grad=True)
    for value in (-200.0, 0.0, 200.0):
        confidence = torch.full((2,), value, requires_grad=True)
        hinted = torch.tensor([True, False])
        loss = conf.hinted_loss(logits, confidence, torch.tensor([1, 1]), hinted) + conf.confidence_loss(confidence)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(confidence.grad).all() and torch.isfinite(logits.grad).all()


@quick
@given(st.integers(1, 8), st.integers(1, 70), seeds)
def test_dul_divergence(size, dimension, seed):
    torch.manual_seed(seed)
    zero = torch.zeros(size, dimension)
    assert dul.kl_to_standard_normal(zero, zero) == 0
    mu, log_sigma = torch.randn(size, dimension, dtype=torch.float64), torch.randn(size, dimension, dtype=torch.float64)
    summed = dul.kl_to_standard_normal(mu, log_sigma)
    normal = torch.distributions.Normal
    reference = torch.distributions.kl_divergence(normal(mu, log_sigma.exp()), normal(mu * 0, mu * 0 + 1))
    torch.testing.assert_close(summed, reference.sum(dim=1).mean())
    torch.testing.assert_close(dul.kl_to_standard_normal(mu, log_sigma, "mean"), summed / dimension)


def test_dul_samples_have_the_moments_they_should():
    mu, log_sigma = torch.full((20000, 1), 2.0), torch.full((20000, 1), math.log(3.0))
    z = dul.sample(mu, log_sigma)
    assert z.mean().item() == pytest.approx(2, abs=0.1) and z.std().item() == pytest.approx(3, abs=0.1)


def test_dropout_disagreement_measures():
    sure = torch.log(torch.tensor([[[0.98, 0.01, 0.01]]] * 4))
    torn = torch.log(torch.tensor([[[0.98, 0.01, 0.01]]] * 2 + [[[0.01, 0.98, 0.01]]] * 2))
    for measure in ("entropy", "mutual_information", "variation_ratio"):
        assert mc_dropout.disagreement(torn, measure) > mc_dropout.disagreement(sure, measure)
    assert mc_dropout.disagreement(sure, "mutual_information").item() == pytest.approx(0, abs=1e-6)
    assert mc_dropout.disagreement(torn, "variation_ratio").item() == 0.5
    p = np.array([0.495, 0.495, 0.01])
    assert mc_dropout.disagreement(torn, "entropy").item() == pytest.approx(-(p * np.log(p)).sum(), rel=1e-5)
    np.testing.assert_allclose(mc_dropout.mean_log_probability(torn).exp()[0].numpy(), p, rtol=1e-5)


@pytest.mark.parametrize("where", ["head", "stages"])
def test_dropout_stays_on_at_test_time(where, make_batch):
    method = methods.create("mc_dropout", 4, "small", image_size=16, channels=1, where=where, passes=5).eval()
    images = make_batch().images
    state = torch.get_rng_state()
    with torch.no_grad():
        first, second = method.predict(images), method.predict(images)
        still = method.classifier(method.backbone(images).mean(dim=(2, 3)))
    assert torch.equal(first.logits, second.logits)  # reproducible,
    assert torch.equal(torch.get_rng_state(), state)  # without touching training's random numbers,
    assert not torch.allclose(first.logits.softmax(dim=1), still.softmax(dim=1), atol=1e-5)  # and random all the same
    torch.testing.assert_close(first.logits.exp().sum(dim=1), torch.ones(6))


CASES = {
    "one sample": ([0], 4),
    "two samples of one class": ([1, 1], 4),
    "one class": ([2] * 6, 4),
    "one class but for one": ([2] * 5 + [0], 4),
    "two classes": ([0, 1, 0, 1, 1], 2),
    "1,000 classes": ([0, 999, 500, 999, 3], 1000),
}


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("bfloat16", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.filterwarnings("ignore:TF32")
def test_no_batch_breaks_a_method(name, bfloat16, make_batch):
    # oneDNN picks AMX for bfloat16 where the CPU has it, which some virtual machines announce but do not run.
    with torch.backends.mkldnn.flags(enabled=not bfloat16):
        _no_batch_breaks(name, bfloat16, make_batch)


def _no_batch_breaks(name, bfloat16, make_batch):
    for case, (labels, classes) in CASES.items():
        rule = {"enabled": True, "epoch": 1}
        method = methods.create(name, classes, "small", image_size=8, channels=1, relabel=rule)
        batch = make_batch(labels=labels, image_size=8)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            step = method.training_step(batch, methods.Clock(20, 0, 70, 1))
        step.loss.backward()
        assert step.loss.dtype == torch.float32, case
        assert torch.isfinite(step.loss), case
        assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None), case
        assert step.labels.shape == batch.labels.shape and step.labels.max() < classes, case
        method.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            answer = method.predict(batch.images)
        assert answer.logits.shape == (len(labels), classes), case
        assert all(torch.isfinite(x).all() for x in (answer.logits, answer.uncertainty, answer.features)), case


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(TRAINED)), st.integers(1, 9), st.integers(2, 12), st.sampled_from([8, 13, 28]), seeds)
def test_any_shape(name, size, classes, image_size, seed):
    torch.manual_seed(seed)
    method = methods.create(name, classes, "small", image_size=image_size, channels=3)
    images = torch.randn(size, 3, image_size, image_size)
    batch = methods.Batch(images, torch.randint(classes, (size,)), torch.arange(size))
    step = method.training_step(batch, methods.Clock(0, 0, 1, 1))
    step.loss.backward()
    assert torch.isfinite(step.loss)


@pytest.mark.parametrize("name", TRAINED)
def test_every_method_learns(name):
    """40 steps on three shapes that are easy to tell apart."""
    torch.manual_seed(0)
    method = methods.create(name, 3, "small", image_size=8, channels=1)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.003)
    prototypes = torch.randn(3, 1, 8, 8)

    def draw(size):
        labels = torch.randint(3, (size,))
        return prototypes[labels] + 0.5 * torch.randn(size, 1, 8, 8), labels

    for number in range(40):
        images, labels = draw(32)
        step = method.training_step(methods.Batch(images, labels, labels), methods.Clock(0, number, 1, 40))
        optimizer.zero_grad()
        step.loss.backward()
        optimizer.step()
    images, labels = draw(200)
    method.eval()
    with torch.no_grad():
        prediction = method.predict(images)
    assert (prediction.logits.argmax(dim=1) == labels).float().mean() > 0.95


def test_pooling_the_upper_left_is_avg_pool_of_four():
    features = torch.randn(3, 5, 6, 6)
    released = F.avg_pool2d(features, 4).flatten(1)  # a 6x6 map holds one window
    assert torch.allclose(Pool(window=4)(features), released, atol=1e-6)
    assert torch.allclose(Pool()(features), features.mean(dim=(2, 3)))
