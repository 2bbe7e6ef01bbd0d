"""Every outcome and mark of Table 1 under a recipe that allows them, derived again by other code."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.plan import recipe as recipes
from reports.build import make_tables
from reports.render.markdown import markdown
from reports.runs.frame import load
from reports.tables.brief import briefs
from tests.reports.conftest import RUL, write
from tests.reports.recount import critical, numbers, outcome, split_plot

ARMS = {"baseline": 0.0, "scn": -2.0, "dul": 2.0, "rul": 0.1, "rul, no relabelling": 0.6}  # points
NOISES = (10, 20, 30)
WORDS = {"supported": "higher", "opposed": "lower", "equivalent": "equal", "undecided": "undecided"}


@pytest.mark.parametrize(
    ("deviation", "wanted"),
    [(0.1, {"higher", "lower", "equal"}), (0.5, {"higher", "lower", "equal", "undecided"}), (3.0, {"undecided"})],
)
def test_outcomes_and_marks_of_table_1(tmp_path: Path, deviation: float, wanted: set[str]) -> None:
    draw = np.random.default_rng(1)
    values = np.array(list(ARMS.values()))[:, None, None] + deviation * draw.normal(size=(len(ARMS), len(NOISES), 3))
    values = 60 - 0.2 * np.array(NOISES)[None, :, None] + values  # [arm, noise, seed]
    compact = recipes.load("compact", "fer2013")
    for (place, name), (column, noise), seed in product(enumerate(ARMS), enumerate(NOISES), range(3)):
        accuracy, overrides = values[place, column, seed] / 100, RUL if name == "rul" else {}
        method = name.partition(",")[0]
        write(tmp_path, method, "fer2013", noise / 100, seed, accuracy, overrides=overrides, recipe=compact)
    loaded = load([tmp_path])
    (table,) = make_tables(["table1"], loaded)
    classic = split_plot(values)
    means, error = values.mean(axis=2), np.sqrt(classic.variance / 3)
    half = critical(0.5 + 0.5 * np.eye(len(ARMS) - 1), classic.freedom) * np.sqrt(2) * error
    reach = stats.studentized_range.ppf(0.95, len(ARMS), classic.freedom) * error
    rows = [line.strip("| ").split(" | ") for line in markdown(table).splitlines() if line.startswith("| ")][1:]
    printed = {(row[0], row[1]): row[2:] for row in rows}
    told = set()
    (brief,) = briefs(loaded, ["table1"], tables=[table])
    shown = {row[-1] for row in brief.rows if row[-1]}
    for (place, name), (column, noise) in product(enumerate(ARMS), enumerate(NOISES)):
        fields = printed[str(noise), name]
        best = means[:, column].max()
        tied = (best - means[:, column] <= reach).sum() > 1
        near = best - means[place, column] <= reach
        assert fields[0].startswith("**") is bool(near and not tied), (name, noise, fields)
        assert fields[0].endswith("≈") is bool(near and tied), (name, noise, fields)
        if name == "baseline":
            continue
        gap = means[place, column] - means[0, column]
        ends = [gap, gap - half, gap + half]
        assert numbers(fields[2].replace("\\", ""))[:3] == pytest.approx(ends, abs=0.01 + 0.01 * half)
        told.add(WORDS[outcome(ends, 1, 3)])
        assert f"({WORDS[outcome(ends, 1, 3)]}" in fields[2], (name, noise, fields)
    assert told == wanted == shown
