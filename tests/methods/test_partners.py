"""Whose features are mixed: partners of another label, and what two classes make of them."""

import math
from collections import Counter
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import methods
from methods.core import relative
from methods.registry import METHODS

quick = settings(max_examples=60, deadline=None)
label_lists = st.integers(1, 6).flatmap(lambda k: st.lists(st.integers(0, k - 1), min_size=1, max_size=40))
seeds = st.integers(0, 2**31)


@quick
@given(label_lists, seeds)
def test_partners_labels_differ_whenever_the_batch_allows_it(labels, seed):
    torch.manual_seed(seed)
    y = torch.tensor(labels)
    partner = relative.partners(y)
    assert partner.shape == y.shape and partner.dtype == torch.long
    assert partner.min() >= 0 and partner.max() < len(labels)
    largest = max(Counter(labels).values())
    if len(set(labels)) > 1:
        assert (y != y[partner]).all()
    if largest <= len(labels) // 2 or len(set(labels)) == 1:
        assert sorted(partner.tolist()) == list(range(len(labels)))  # a shuffle: each serves once
    else:
        served = Counter(partner.tolist())
        majority = max(set(labels), key=labels.count)
        counts = [served[i] for i, label in enumerate(labels) if label != majority]
        assert max(counts) - min(counts) <= 1  # the others share the work


def test_partners_are_close_to_uniform():
    """Over many draws each sample meets every sample of another label about equally often."""
    y = torch.tensor([0, 0, 0, 1, 1, 2, 2, 3])
    draws = 3000
    met = torch.zeros(8, 8)
    for _ in range(draws):
        met[torch.arange(8), relative.partners(y)] += 1 / draws
    assert (met[y[:, None] == y] == 0).all()
    # The exact marginals of a uniform choice among all shuffles that qualify, by enumeration.
    valid = torch.tensor([p for p in permutations(range(8)) if all(y[i] != y[p[i]] for i in range(8))])
    exact = torch.zeros(8, 8)
    for i in range(8):
        exact[i] = torch.bincount(valid[:, i], minlength=8) / len(valid)
    torch.testing.assert_close(met, exact, atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("labels", "connected"), [([0, 0, 0, 1, 1, 2], True), ([0, 1, 2, 3], True), ([0, 0, 1, 1, 2, 2], False)]
)
def test_every_shuffle_that_qualifies_occurs(labels, connected):
    """No parity, no corner of the set is left out; where exchanges connect the set, each as often as any other."""
    torch.manual_seed(0)
    y = torch.tensor(labels)
    valid = [p for p in permutations(range(len(y))) if all(y[i] != y[p[i]] for i in range(len(y)))]
    draws = 60 * len(valid)
    count = Counter(tuple(relative.partners(y).tolist()) for _ in range(draws))
    assert set(count) == set(valid)
    chi2 = sum((count[p] - 60) ** 2 / 60 for p in valid)
    freedom = len(valid) - 1
    assert not connected or chi2 < freedom + 4 * math.sqrt(2 * freedom)  # four deviations of a uniform draw's


@pytest.mark.parametrize("name", ["rul", "mix_output", "loss_attention", "dul_rul"])
def test_partners_of_another_label_warn_of_two_classes_alone(name):
    cls = METHODS.load(name)
    config = methods.validate_config(name, cls, {})
    assert "two classes" in cls.warning(config, 2) and "\n" not in cls.warning(config, 2)
    assert not cls.warning(config, 3)


@pytest.mark.parametrize("changes", [{"partner": "any"}, {"variant": "released"}])
def test_rul_with_any_partner_can_learn_two_classes(changes):
    cls = METHODS.load("rul")
    assert not cls.warning(methods.validate_config("rul", cls, changes), 2)
