"""Every column of the frame as files for other programs: `results.csv` and, where pyarrow is installed, `.parquet`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from common.files import atomic_write
from common.text import printable

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


def flat(runs: pd.DataFrame) -> pd.DataFrame:
    """The frame with numbers, truth values and text alone: settings and recipes as JSON, folders as paths."""
    texts = [name for name in runs if runs[name].dtype == object or name == "folder"]
    return runs.assign(**{name: runs[name].map(_text) for name in texts})


def _text(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True)
    return printable(str(value)) if isinstance(value, Path) else value


def write_results(folder: Path, runs: pd.DataFrame) -> list[Path]:
    """`results.csv` and `results.parquet`, one row a finished run; the files that were written."""
    table = flat(runs)
    csv, parquet = folder / "results.csv", folder / "results.parquet"
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    safe = table.assign(**{name: table[name].map(_cell) for name in texts})
    with atomic_write(csv) as file:
        safe.to_csv(file, index=False, lineterminator="\n")
    if importlib.util.find_spec("pyarrow") is None:
        return [csv]
    with atomic_write(parquet, "wb") as file:
        table.convert_dtypes().to_parquet(file, index=False)
    return [csv, parquet]


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
