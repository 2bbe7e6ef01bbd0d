"""Calibration: how often the tests of the reports find something where nothing is.

`python -m reports.stats.simulate` does more of it. Bounds: 5 % and three Monte Carlo standard errors of so few tables;
the draws are fixed by a seed.
"""

from __future__ import annotations

import pytest

from reports.stats import simulate
from reports.stats.simulate import Design, main, paired_t, tables


def bound(count: int) -> float:
    return 5 + 3 * (5 * 95 / count) ** 0.5


@pytest.mark.parametrize(
    ("design", "count"),
    [(Design(3), 120), (Design(8, cells=1), 80), (Design(3, missing=0.1), 40), (Design(3, factors=(3.0,)), 40)],
    ids=["three seeds", "one column of eight", "missing runs", "unequal variances"],
)
def test_false_findings_are_rare(design, count):
    found = tables(design, count, differences=())
    assert len(found) >= 5
    assert all(one.percent <= bound(count) for one in found.values()), found


def test_two_points_are_found_where_paired_t_tests_find_next_to_nothing():
    ours, before = tables(Design(3), 30), paired_t(Design(3), 30, differences=(2,))
    assert ours["power, 2 points: Tukey"].percent > 45 > 25 > before["power, 2 points"].percent
    assert ours["power, 3 points: Tukey"].percent > 80


def test_test_sets_and_seeds_are_both_accounted_for():
    found = simulate.test_sets(Design(3), 60, draws=200)
    for name in (
        "seeds and images (the model with images)",
        "seeds and images (bootstrap.interval)",
        "any of a column's pairs (Tukey with images)",
    ):
        assert found[f"false: {name}"].percent <= bound(60)


def test_two_seeds_of_two_arms_find_nothing_by_agreeing():
    found = simulate.test_sets(Design(2, arms=2, cells=1), 200, draws=10)
    assert found["false: seeds and images (the model with images)"].percent <= 5


def test_the_command_prints_a_column_for_each_number_of_seeds(capsys):
    main(["--tables", "1", "--seeds", "3", "4"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-2:] == ["3", "4"]
    assert any("power, 2 points: Tukey" in line for line in lines)
    with pytest.raises(SystemExit):
        main(["--seeds", "1"])
