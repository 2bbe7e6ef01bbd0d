"""Which runs a comparison of the claims takes its variance from, and which take part in whether cells agree."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from reports.runs.frame import load
from reports.stats.comparisons import Finding
from reports.tables.claims_document import document
from tests.reports.conftest import OWN, RUL, last_metrics, write


def told(root: Path, number: int) -> dict[str, Finding]:
    """cell's noise -> the finding of a claim's last comparison that has any."""
    (claim,) = (one for one in document(load([root])).entries if one.claim.number == number)
    found = [finding for part in claim.parts for finding in part.findings]
    return {finding.cell.level: finding for finding in found if finding.comparison == found[-1].comparison}


def test_a_cell_with_one_seed_has_no_part_in_whether_cells_agree(tmp_path: Path) -> None:
    draw, found = np.random.default_rng(0), []
    for noise, seeds in ((0.1, 3), (0.2, 3), (0.3, 1)):
        for (method, overrides), seed in product((("rul", RUL), ("scn", {}), ("dul", {})), range(seeds)):
            gain = {0.1: 0.02, 0.2: 0.0, 0.3: 0.2}[noise] * bool(overrides)
            metrics = {"last": last_metrics(0.6 + gain + 0.002 * draw.normal())}
            write(tmp_path, method, "fer2013", noise, seed, overrides=overrides, metrics=metrics, recipe=OWN)
        found.append(told(tmp_path, 1))
    *_, without, whole = found
    assert whole["10"].agree == pytest.approx(without["10"].agree, rel=0.1) and whole["10"].agree < 0.05
    assert (whole["30"].agree, whole["30"].outcome) == (None, "one seed")


def test_a_comparison_of_clean_runs_leaves_noisy_ones_out_of_its_variance(tmp_path: Path) -> None:
    draw, found = np.random.default_rng(0), []
    for noise, spread in ((0.0, 0.002), (0.3, 0.05)):
        for method, seed in product(("conf", "dul"), range(3)):
            last = last_metrics(0.6 + spread * draw.normal())
            write(tmp_path, method, "fer2013", noise, seed, metrics={"last": last}, recipe=OWN)
        found.append(told(tmp_path, 7)["0"].ruling)
    assert found[0] == found[1]


def test_data_on_which_nothing_is_compared_has_no_part_in_the_variance(tmp_path: Path) -> None:
    draw, found = np.random.default_rng(0), []
    for dataset, arms, spread in (("fer2013", ({}, RUL), 0.002), ("cifar10", ({},), 0.05)):
        for overrides, noise, seed in product(arms, (0.1, 0.3), range(3)):
            last = last_metrics(0.6 + spread * draw.normal())
            write(tmp_path, "rul", dataset, noise, seed, overrides=overrides, metrics={"last": last}, recipe=OWN)
        found.append(told(tmp_path, 14))
    assert found[0]["10"].ruling is not None and found[0]["10"].comparison.b is not None
    assert found[0] == found[1]
