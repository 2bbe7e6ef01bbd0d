"""Every method's training step against an independent float64 computation: the loss and all its gradients.

The step runs in float64 with the outputs of the network's parts captured. The other side is plain numpy, written from
the papers' formulas (probabilities, not log-softmax; sigma, not log sigma), and its gradients are central differences
along random directions. Gradients that a method must *not* send are covered as well: the numpy side keeps frozen
copies.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import methods
from methods.core import relative
from methods.core.contract import trains

K, B, D = 4, 7, 5
LABELS = np.array([0, 1, 2, 3, 0, 1, 2])
PARTNER = np.array([1, 2, 3, 0, 6, 4, 5])  # a permutation that meets no label of its own
SHARE = 0.3


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def nll(p, y):
    return -np.log(p[np.arange(len(y)), y])


def ce(z, y):
    return nll(softmax(z), y)


def linear(t, x):
    return x @ t.W.T + t.b


def ratio(t):
    sigma = np.exp(t.log_sigma)
    return sigma / (sigma + sigma[PARTNER])


def rul(t):
    u = ratio(t).mean(axis=1, keepdims=True)
    mixed = u * t.mu + (1 - u) * t.mu[PARTNER]
    return (ce(linear(t, mixed), LABELS) + ce(linear(t, mixed), LABELS[PARTNER])).mean()


def rul_released(t):
    sigma = np.exp(t.log_sigma).mean(axis=1, keepdims=True)
    u, v = sigma / (sigma + sigma[PARTNER]), sigma[PARTNER] / (sigma + sigma[PARTNER])
    z = linear(t, u * t.mu + v * t.mu[PARTNER])
    return 0.5 * ce(z, LABELS).mean() + 0.5 * ce(z, LABELS[PARTNER]).mean()


def mixed_probabilities(t):
    u = ratio(t).mean(axis=1, keepdims=True)
    p = softmax(linear(t, t.mu))
    p = u * p + (1 - u) * p[PARTNER]
    return (nll(p, LABELS) + nll(p, LABELS[PARTNER])).mean()


def loss_attention(t):
    u = ratio(t).mean(axis=1)
    each = ce(linear(t, t.mu), LABELS)
    return (u * each + (1 - u) * each[PARTNER]).mean()


def kl(mu, sigma):
    return 0.5 * (mu**2 + sigma**2 - 1 - np.log(sigma**2))


def dul(t, reduce=np.sum, sigma=None, halves=2):
    sigma = np.exp(t.log_sigma / halves) if sigma is None else sigma  # the branch's output is log sigma^2
    z = t.mu + t.noise * sigma
    return ce(linear(t, z), LABELS).mean() + 0.01 * reduce(kl(t.mu, sigma), axis=1).mean()


def dul_rul(t, halves=2):
    """DUL's part sees sigma as it is, RUL's part sees mu, W and b as they are: `t.fixed` holds what is not moved."""
    f = t.fixed
    guide = SimpleNamespace(mu=f.mu, W=f.W, b=f.b, log_sigma=t.log_sigma / halves)
    return dul(t, sigma=np.exp(f.log_sigma / halves)) + rul(guide)


def baseline(t):
    return ce(linear(t, t.pool), LABELS).mean()


def scn(t, gamma=0.5, total=False):
    alpha = 1 / (1 + np.exp(-(t.pool @ t.A.T + t.a)))
    top = int(0.7 * B)
    ranked = np.sort(alpha[:, 0])[::-1]
    rank = max(0.0, 0.15 - ranked[:top].mean() + ranked[top:].mean())
    task = ce(alpha * linear(t, t.pool), LABELS).mean()
    return rank + task if total else gamma * rank + (1 - gamma) * task


def conf(t):
    c = 1 / (1 + np.exp(-(t.pool @ t.A.T + t.a)))
    c_or_1 = np.where(t.noise[:, None] < 0.5, c, 1.0)
    p = c_or_1 * softmax(linear(t, t.pool)) + (1 - c_or_1) * np.eye(K)[LABELS]
    return nll(p, LABELS).mean() + float(np.float32(0.1)) * -np.log(c).mean()  # lambda is a float32 buffer


def mc_dropout(t):
    kept = t.pool * (t.noise >= 0.5) / 0.5
    return ce(linear(t, kept), LABELS).mean()


def mixup(t):
    z = linear(t, t.pool)
    target = SHARE * np.eye(K)[LABELS] + (1 - SHARE) * np.eye(K)[LABELS[PARTNER]]
    return -(target * np.log(softmax(z))).sum(axis=1).mean()


def eac(t):
    maps, flipped = (np.einsum("kc,bchw->bkhw", t.fixed.W, x) for x in (t.backbone, t.backbone2))
    return ce(linear(t, t.backbone.mean(axis=(2, 3))), LABELS).mean() + 5 * ((maps - flipped[..., ::-1]) ** 2).mean()


BRANCHES = {"mu": "mu", "log_sigma": "log_sigma"}
CASES = {
    "baseline": ("baseline", {}, baseline, {"pool": "pool"}),
    "scn": ("scn", {}, scn, {"pool": "pool"}),
    "scn-sum": ("scn", {"loss_weights": "sum"}, lambda t: scn(t, total=True), {"pool": "pool"}),
    "dul": ("dul", {}, dul, BRANCHES),
    "dul-mean": ("dul", {"kl_reduction": "mean"}, lambda t: dul(t, np.mean), BRANCHES),
    "dul-log-sigma": ("dul", {"parametrization": "log_sigma"}, lambda t: dul(t, halves=1), BRANCHES),
    "conf": ("conf", {}, conf, {"pool": "pool"}),
    "rul": ("rul", {}, rul, BRANCHES),
    "rul-released": ("rul", {"variant": "released"}, rul_released, BRANCHES),
    "mix_output": ("mix_output", {}, rul, BRANCHES),
    "mix_output-probabilities": ("mix_output", {"space": "probabilities"}, mixed_probabilities, BRANCHES),
    "loss_attention": ("loss_attention", {}, loss_attention, BRANCHES),
    "dul_rul": ("dul_rul", {}, dul_rul, BRANCHES),
    "dul_rul-log-sigma": ("dul_rul", {"parametrization": "log_sigma"}, lambda t: dul_rul(t, halves=1), BRANCHES),
    "rul_head": ("rul_head", {}, lambda t: ce(linear(t, t.mu), LABELS).mean(), {"mu": "mu"}),
    "mc_dropout": ("mc_dropout", {}, mc_dropout, {"backbone": "backbone"}),
    "mixup": ("mixup", {}, mixup, {"pool": "pool"}),
    "manifold_mixup": ("manifold_mixup", {}, mixup, {"pool": "pool"}),
    "eac": ("eac", {}, eac, {"backbone": "backbone"}),
}
NOISE = {  # the random numbers a step draws first, after the same seed
    "dul": lambda: torch.randn(B, D, dtype=torch.float64),
    "dul_rul": lambda: torch.randn(B, D, dtype=torch.float64),
    "conf": lambda: torch.rand(B, dtype=torch.float64),
    "mc_dropout": lambda: torch.rand(B, 128),
}


def test_every_method_that_trains_has_a_case():
    trained = {name for name in methods.METHODS if trains(methods.METHODS.load(name))}
    assert {case[0] for case in CASES.values()} == trained


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients(case, make_batch, clock, monkeypatch):
    name, config, formula, captured = CASES[case]
    partner = torch.from_numpy(PARTNER)
    monkeypatch.setattr(relative, "partners", lambda labels: partner)
    monkeypatch.setattr(relative, "shuffle", lambda labels: partner)
    for module in ("mixup", "manifold_mixup"):
        monkeypatch.setattr(f"methods.{module}.shuffle", lambda labels: partner)
        monkeypatch.setattr(f"methods.{module}.mixing_share", lambda alpha: SHARE)
    if "mu" in captured:
        config = {**config, "dropout": 0.0, "dimension": D}
    if name == "scn":
        config = {**config, "relabel": {"enabled": False}}
    method = methods.create(name, K, "small", image_size=16, channels=1, **config).double().train()
    torch.nn.init.normal_(method.classifier.weight)  # far from a tie between classes

    outputs: dict[str, torch.Tensor] = {}

    def keep(key):
        def hook(module, inputs, output):
            output.retain_grad()
            outputs[key if key not in outputs else f"{key}2"] = output

        return hook

    for key, attribute in captured.items():
        getattr(method, attribute).register_forward_hook(keep(key))

    batch = make_batch(labels=LABELS, dtype=torch.float64)
    torch.manual_seed(3)
    step = method.training_step(batch, clock)
    step.loss.backward()

    torch.manual_seed(3)
    noise = NOISE[name]().numpy() if name in NOISE else None
    outputs |= {"W": method.classifier.weight, "b": method.classifier.bias}
    if name in ("scn", "conf"):
        extra = method.importance if name == "scn" else method.confidence
        outputs |= {"A": extra.weight, "a": extra.bias}

    arrays = {key: value.detach().numpy().copy() for key, value in outputs.items()}
    fixed = SimpleNamespace(**{key: value.copy() for key, value in arrays.items()})

    def value(**moved):
        tensors = SimpleNamespace(**{**arrays, **moved}, noise=noise, fixed=fixed)
        if name == "mc_dropout":
            tensors.pool = tensors.backbone.mean(axis=(2, 3))
        return formula(tensors)

    assert step.loss.dtype == torch.float64
    assert step.loss.item() == pytest.approx(value(), rel=1e-10)
    random = np.random.default_rng(0)
    for key, tensor in outputs.items():
        gradient = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
        for _ in range(6):
            direction = random.standard_normal(tensor.shape)
            h = 1e-6
            slope = (value(**{key: arrays[key] + h * direction}) - value(**{key: arrays[key] - h * direction})) / (
                2 * h
            )
            assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-5, abs=1e-7), key


def test_predictions(make_batch):
    """What predict returns, from each method's own parts."""
    images = make_batch(size=5).images
    free = ("baseline", "mixup", "manifold_mixup", "eac")
    for name in (*free, "scn", "conf", "dul", "rul", "mix_output", "loss_attention", "dul_rul", "rul_head"):
        method = methods.create(name, K, "small", image_size=16, channels=1).double().eval()
        with torch.no_grad():
            answer = method.predict(images.double())
            maps = method.backbone(images.double())
            pooled = maps.mean(dim=(2, 3)).numpy()
            W, b = (x.detach().numpy() for x in method.classifier.parameters())
            logits, uncertainty = answer.logits.numpy(), answer.uncertainty.numpy()
            if name in free:
                np.testing.assert_allclose(logits, pooled @ W.T + b)
                np.testing.assert_allclose(uncertainty, 1 - softmax(logits).max(axis=1))
            elif name in ("scn", "conf"):
                head = method.importance if name == "scn" else method.confidence
                trust = 1 / (1 + np.exp(-head(torch.from_numpy(pooled)).numpy()))
                np.testing.assert_allclose(logits, (pooled @ W.T + b) * (trust if name == "scn" else 1))
                np.testing.assert_allclose(uncertainty, 1 - trust[:, 0])
            else:
                mu = method.mu(maps).numpy()
                np.testing.assert_allclose(answer.features.numpy(), mu)
                np.testing.assert_allclose(logits, mu @ W.T + b)
                if name == "rul_head":
                    np.testing.assert_allclose(uncertainty, 1 - softmax(logits).max(axis=1))
                    continue
                output = method.log_sigma(maps).numpy() / (2 if name in ("dul", "dul_rul") else 1)
                np.testing.assert_allclose(uncertainty, np.exp(output).mean(axis=1))


@pytest.mark.parametrize(("parametrization", "power"), [("log_variance", 1), ("log_sigma", 2)])
def test_dul_offers_its_authors_uncertainty(parametrization, power, make_batch):
    """Harmonic mean of the variance over D, from the branch's output read either way."""
    settings = {"uncertainty": "harmonic_variance", "parametrization": parametrization}
    method = methods.create("dul", K, "small", image_size=16, channels=1, **settings).double().eval()
    images = make_batch(size=5).images.double()
    with torch.no_grad():
        variance = np.exp(power * method.log_sigma(method.backbone(images)).numpy())
        expected = 1 / (1 / variance).mean(axis=1)
        np.testing.assert_allclose(method.predict(images).uncertainty.numpy(), expected)
