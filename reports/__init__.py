"""Floor 3: records to tables and figures. Reads files only; no torch, no training code.

In a notebook, one row a finished run (its columns: docs/apply.md):

    from reports import load
    runs = load("runs")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def load(*folders: str | Path, released: bool = False) -> pd.DataFrame:
    """Every finished run below these runs folders (`runs` if none is given), one row each; accuracies are fractions.

    released: also the records that come with the repository, marked in the column `released`. Runs that cannot be read
    are left out with a warning that says why.
    """
    import warnings

    from common.files import user_path
    from reports.build import RELEASED
    from reports.runs.frame import load as read

    found = read([user_path(str(folder)) for folder in folders or ("runs",)], [RELEASED] if released else ())
    for bad in (*found.unreadable, *found.conflicts):
        warnings.warn(str(bad), stacklevel=2)
    return found.runs
