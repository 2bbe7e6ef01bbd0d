"""Learning-rate schedules: their formulas, and what they refuse."""

import pytest

from benchmarks.plan.recipe import Constant, Cosine, Exponential, OneCycle, StepDecay
from benchmarks.train.step.optim import lr_factor
from methods.core.base import Clock


def test_schedules_are_their_formulas():
    at = lambda epoch, step=0: Clock(epoch, step, 100, 10)  # noqa: E731
    assert lr_factor(Constant(), at(50)) == 1
    assert lr_factor(Exponential(kind="exponential", gamma=0.9), at(3, 5)) == pytest.approx(0.9**3)
    step = StepDecay(kind="step", start=80, every=5, factor=0.9)
    assert [lr_factor(step, at(epoch)) for epoch in (0, 80, 84, 85, 89, 90)] == pytest.approx([1, 1, 1, 0.9, 0.9, 0.81])
    cosine = Cosine(kind="cosine", warmup=0.1)
    assert lr_factor(cosine, at(10)) == pytest.approx(1) and lr_factor(cosine, at(55)) == pytest.approx(0.5)
    assert 0 < lr_factor(cosine, at(0)) < 0.02 and lr_factor(cosine, at(99, 9)) < 1e-3
    cycle = OneCycle(kind="one_cycle", warmup=0.2, cooldown=0.2, floor=0.01)
    expected = [1, 0.505, 0.01, 0.01]  # the top, half way down, where the last fifth begins and ends
    assert [lr_factor(cycle, at(*when)) for when in ((20,), (50,), (80,), (99, 9))] == pytest.approx(expected)
    assert 0 < lr_factor(cycle, at(0)) < 0.01 and lr_factor(cycle, at(79, 9)) > 0.01


def test_a_cycle_has_steps_between_its_ends():
    with pytest.raises(ValueError, match=r"warmup 0\.3 and cooldown 0\.7 leave no steps between them"):
        OneCycle(kind="one_cycle", warmup=0.3, cooldown=0.7, floor=0.01)
