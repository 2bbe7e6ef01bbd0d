"""Calibration: how often the tests of the reports find something where nothing is. `python -m reports.stats.simulate` does more.

Bounds: 5 % and three Monte Carlo standard errors of so few tables, fixed by the seed.
"""

from __future__ import annotations

import pytest

from reports.stats import simulate
from reports.stats.simulate import Design, main, paired_t, tables


def bound(tables: int, percent: float = 5.0) -> float:
    return percent + 3 * (percent * (100 - percent) / tables) ** 0.5


@pytest.mark.parametrize(
    ("design", "count"),
    [(Design(3), 150), (Design(8, cells=1), 150), (Design(3, missing=0.1), 100), (Design(3, factors=(3.0,)), 100)],
    ids=["three seeds", "one column of eight", "missing runs", "unequal variances"],
)
def test_false_findings_are_rare(design, count):
    found = tables(design, count)
    false = {name: one.percent for name, one in found.items() if name.startswith("false")}
    assert len(false) >= 5 and max(false.values()) <= bound(count), false


def test_two_points_are_found_where_paired_t_tests_find_nothing():
    ours, before = tables(Design(3), 60), paired_t(Design(3), 60)
    assert ours["power, 2 points: Tukey"].percent > 45 > 20 > before["power, 2 points"].percent
    assert ours["power, 3 points: Tukey"].percent > 80


def test_test_sets_and_seeds_are_both_accounted_for():
    found = {
        name.removeprefix("false: "): one.percent for name, one in simulate.test_sets(Design(3), 80, draws=200).items()
    }
    for right in ("seeds and images (the model with images)", "seeds and images (bootstrap.interval)"):
        assert found[right] <= bound(80)
    assert found["any of a column's pairs (Tukey with images)"] <= bound(80)


def test_the_command_prints_a_column_for_each_number_of_seeds(capsys):
    main(["--tables", "2", "--seeds", "3", "4"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-2:] == ["3", "4"]
    assert any("power, 2 points: Tukey" in line for line in lines)
    with pytest.raises(SystemExit):
        main(["--seeds", "1"])
