"""Simultaneous intervals against SciPy's own tests on one-way data, and its distributions."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from common.errors import UserError
from reports.stats.effects import Observed, difference
from reports.stats.intervals import dunnett, largest_t, marks, simultaneous, tukey
from reports.stats.model import fit
from tests.runs import CHECKOUT


def one_way(sizes: list[int], seed: int = 0, step: float = 0.8):
    """Samples, and the same as runs of which no two share a seed: a one-way design."""
    rng = np.random.default_rng(seed)
    samples = [rng.normal(loc=step * place, size=size) for place, size in enumerate(sizes)]
    runs = [Observed(f"m{a}", "c", (a, s), float(v)) for a, sample in enumerate(samples) for s, v in enumerate(sample)]
    return samples, fit(runs, equal=True)


@pytest.mark.parametrize("sizes", [[3, 3, 3, 3, 3], [4, 4, 4], [8] * 8, [3, 5, 4, 5]])
def test_all_pairs_are_tukeys(sizes):
    samples, model = one_way(sizes)
    theirs = stats.tukey_hsd(*samples)
    ends = theirs.confidence_interval()
    # SciPy's Tukey-Kramer is conservative where sizes differ: ours, with the true correlations, is a little narrower.
    loose = 0.01 if len(set(sizes)) == 1 else 0.03
    for (a, b), effect in tukey(model, "c").items():
        i, j = int(a[1:]), int(b[1:])
        width = ends.high[i, j] - ends.low[i, j]
        assert effect.high - effect.low == pytest.approx(width, rel=loose)
        assert (effect.low + effect.high) / 2 == pytest.approx(theirs.statistic[i, j])
        assert effect.p == pytest.approx(theirs.pvalue[i, j], abs=0.01)


@pytest.mark.parametrize("sizes", [[3, 3, 3, 3, 3], [3, 5, 4, 5]])
def test_all_against_one_are_dunnetts(sizes):
    samples, model = one_way(sizes, seed=2)
    theirs = stats.dunnett(*samples[1:], control=samples[0], rng=np.random.default_rng(0))
    ends = theirs.confidence_interval()
    ours = dunnett(model, "c", "m0")
    assert list(ours) == [f"m{place}" for place in range(1, len(sizes))]
    for place, effect in enumerate(ours.values()):
        assert effect.high - effect.low == pytest.approx(ends.high[place] - ends.low[place], rel=0.02)
        assert effect.p == pytest.approx(theirs.pvalue[place], abs=0.01)


@pytest.mark.parametrize(("arms", "freedom"), [(3, 2.0), (5, 8.0), (5, 16.0), (8, 60.0), (8, np.inf)])
def test_critical_values_against_the_studentized_range(arms, freedom):
    contrasts = np.array([[(i == a) - (i == b) for i in range(arms)] for a, b in combinations(range(arms), 2)])
    largest = largest_t(contrasts @ contrasts.T / 2, freedom)
    expected = stats.studentized_range.ppf(0.95, arms, min(freedom, 1e6)) / np.sqrt(2)
    assert np.quantile(largest, 0.95) == pytest.approx(expected, rel=0.006)
    tail = stats.studentized_range.sf(3 * np.sqrt(2), arms, min(freedom, 1e6))
    assert (largest >= 3).mean() == pytest.approx(tail, abs=0.002)


def test_a_family_over_cells_is_wider_than_a_column_and_narrower_than_bonferroni():
    rng = np.random.default_rng(3)
    runs = [Observed(f"m{a}", c, s, float(rng.normal())) for a in range(4) for c in range(3) for s in range(4)]
    model = fit(runs, equal=True)
    column = [difference(f"m{a}", "m0", 0) for a in range(1, 4)]
    everything = [difference(f"m{a}", "m0", c) for a in range(1, 4) for c in range(3)]
    alone = model.effect(column[0])
    bonferroni = stats.t.ppf(1 - 0.025 / len(everything), alone.freedom)
    assert alone.critical < simultaneous(model, column)[0].critical < simultaneous(model, everything)[0].critical
    assert simultaneous(model, everything)[0].critical < bonferroni


@pytest.mark.parametrize("comparisons", [63, 64, 100])
def test_a_family_may_be_of_any_size(comparisons):
    largest = largest_t(np.eye(comparisons), 20.0)
    expected = stats.t.ppf((1 + 0.95 ** (1 / comparisons)) / 2, 20)  # if their errors were independent, too
    assert np.quantile(largest, 0.95) == pytest.approx(expected, rel=0.03)
    assert np.quantile(largest, 0.95) < expected


def test_far_apart_arms_have_the_small_p_of_bonferroni_not_zero():
    _, model = one_way([4, 4, 4], step=20)
    for pair, effect in tukey(model, "c").items():
        alone = model.difference(*pair, "c").p
        assert 0 < effect.p <= 3 * alone


def test_marks():
    _, clear = one_way([5, 5, 5], step=8)
    found = marks(clear, "c")
    assert (found.best, found.ties) == ("m2", ()) and [found.of(f"m{a}") for a in range(3)] == ["", "", "best"]
    _, close = one_way([5, 5, 5], step=0.1, seed=1)
    found = marks(close, "c")
    assert len(found.ties) == 2 and {found.of(f"m{a}") for a in range(3)} == {"tie"}
    assert marks(fit([Observed("a", "c", 0, 1.0), Observed("b", "c", 0, 2.0)]), "c") is None  # one seed
    assert marks(fit([Observed("a", "c", s, float(s)) for s in range(3)]), "c") is None  # one arm
    higher = [Observed(f"m{arm}", "c", seed, 5 * arm + seed % 2) for arm in range(3) for seed in range(3)]
    with_one = marks(fit([*higher, Observed("once", "c", 0, 50.0)]), "c")
    assert (with_one.best, with_one.of("once")) == ("m2", "")


def test_a_control_without_runs_is_named():
    _, model = one_way([3, 3])
    with pytest.raises(UserError, match="no runs of 'rul' in cell 'c'; there are m0, m1"):
        dunnett(model, "c", "rul")


CRITICAL = """
import numpy as np
from reports.stats.intervals import largest_t

for arms in (3, 5, 8):
    against_one = np.full((arms, arms), 0.5) + np.eye(arms) / 2
    pairs = np.array([np.eye(arms)[a] - np.eye(arms)[b] for a in range(arms) for b in range(a)])
    for family in (np.eye(arms), against_one, pairs @ pairs.T / 2):
        print(*(f"{value:.9f}" for value in largest_t(family, 20.0)[::4096]))
"""


def test_another_processor_finds_the_same_intervals():
    """OpenBLAS chooses its code by the processor; here it is told to take that of others, which rounds otherwise."""
    found = {
        kind: subprocess.run(
            [sys.executable, "-c", CRITICAL],
            env={**os.environ, "OPENBLAS_CORETYPE": kind},
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for kind in ("Nehalem", "Haswell")
    }
    assert found["Nehalem"] == found["Haswell"]
    assert found["Nehalem"].count("\n") == 9
