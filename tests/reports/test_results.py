"""Every column of the frame as files, `from reports import load`, and the example notebook."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys

import pandas as pd
import pytest

import reports
from reports.build import RELEASED
from reports.runs.frame import load
from reports.runs.results import write_results
from tests.benchmarks.apply.conftest import train
from tests.conftest import CHECKOUT


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Finished runs of two methods on the digits."""
    folder = tmp_path_factory.mktemp("results") / "runs"
    train(folder, ("baseline", "rul"), noise=0.3)
    train(folder, ("baseline",))
    return folder


def test_results_hold_what_the_frame_holds(runs, tmp_path):
    frame = load([runs]).runs
    write_results(tmp_path, frame)
    table = pd.read_csv(tmp_path / "results.csv")
    assert list(table) == list(frame) and len(table) == 3
    for name in ("last.accuracy", "timing.seconds", "noise", "seed"):
        assert list(table[name]) == list(frame[name])
    assert json.loads(table["config"][0]) == frame["config"][0]
    assert json.loads(table["resolved"][0])["epochs"] == 1
    assert table["folder"][0] == str(frame["folder"][0])


if importlib.util.find_spec("pyarrow"):  # an extra that `.ci/run` leaves out: pandas behaves otherwise with it

    def test_parquet_holds_the_same(runs, tmp_path):
        write_results(tmp_path, load([runs]).runs)
        table = pd.read_parquet(tmp_path / "results.parquet")
        assert list(table["last.accuracy"]) == list(load([runs]).runs["last.accuracy"])


def test_every_column_is_documented():
    text = (CHECKOUT / "docs/apply.md").read_text()
    named = set(re.findall(r"`([a-z_.*0-9]+)`", text))
    groups = tuple(name[:-1] for name in named if name.endswith(".*"))
    columns = list(load([], [RELEASED]).runs)
    assert len(columns) > 40
    assert not [name for name in columns if name not in named and not name.startswith(groups)]


def test_load_gives_the_frame_and_says_what_it_left_out(runs, tmp_path):
    frame = reports.load(runs)
    assert len(frame) == 3 and not frame["released"].any()
    assert reports.load(runs, released=True)["released"].any()
    broken = runs / "digits/rul/noise-0.30/seed-7-00000000"
    broken.mkdir()
    (broken / "record.json").write_text("{")
    with pytest.warns(UserWarning, match="seed-7-00000000"):
        assert len(reports.load(runs)) == 3
    (broken / "record.json").unlink()


def test_the_notebook_runs(runs, monkeypatch):
    """Cell after cell in a process of its own, as a kernel would."""
    cells = json.loads((CHECKOUT / "docs/examples/results.ipynb").read_text())["cells"]
    code = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    monkeypatch.setenv("RUNS", str(runs))
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT / "docs/examples", capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "baseline" in result.stdout and "(2, 10) (2,)" in result.stdout
    assert all(not cell.get("outputs") for cell in cells), "outputs are not committed"
