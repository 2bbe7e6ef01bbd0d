"""Figures 5 and 6 as numbers: how many images are called uncertain, and whether those are the hard ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from reports.runs.stored import hard_auroc, share_above

nan = float("nan")


@pytest.mark.parametrize(
    ("values", "limit", "wanted"),
    [
        ([0.1, 0.2, 0.3, 0.7], 0.6, 25),  # in [0, 1]: as they are
        ([0.0, 0.5, 0.6, 1.0], 0.6, 25),  # the limit itself is not above it
        ([1.0, 2.0, 2.3, 3.0], 0.6, 50),  # stretched: 0, 0.5, 0.65, 1
        ([-1.0, 0.0, 0.3, 0.9], 0.6, 50),
        ([0.5, 0.5], 0.4, nan),
    ],
)
def test_share_above(values: Sequence[float], limit: float, wanted: float) -> None:
    assert share_above(np.array(values), limit) == pytest.approx(wanted, nan_ok=True)


def test_hard_images_are_those_that_annotators_agree_on_least() -> None:
    votes = np.tile([1.0, 0.0], (20, 1))
    votes[:2] = 0.5  # a tenth
    uncertainty = np.linspace(1, 0, 20)
    assert hard_auroc(uncertainty, votes) == 100 and hard_auroc(-uncertainty, votes) == 0
    unknown = np.vstack([votes, np.full((5, 2), nan)])  # images without votes do not count
    assert hard_auroc(np.append(uncertainty, np.full(5, 9.0)), unknown) == 100
    assert hard_auroc(np.zeros(20), votes) == 50


@pytest.mark.parametrize("votes", [np.full((4, 3), nan), np.tile([1.0, 0.0, 0.0], (4, 1))])
def test_without_two_kinds_of_images_there_is_no_such_number(votes: np.ndarray) -> None:
    assert np.isnan(hard_auroc(np.arange(4.0), votes))
