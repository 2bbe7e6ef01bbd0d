"""What a command prints at its end: few columns, the paper's number beside its own schedule alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from bench import main
from benchmarks.cli import terminal
from benchmarks.plan import recipe as recipes
from reports.build import make_tables
from reports.runs.frame import load
from reports.tables.brief import MEASURED, WRAPS, briefs
from tests.reports.conftest import RUL, fill_table1, last_metrics, write

Writer = Callable[..., Path]


def test_a_line_a_method(tmp_path: Path, runs: Writer) -> None:
    for seed in (0, 1):
        runs(method="scn", noise=0.2, seed=seed, accuracy=0.8 + 0.01 * seed)
    runs(dataset="cifar10", method="rul", noise=0.402, kind="human:worse")
    first, second = briefs(load([tmp_path / "runs"]))
    assert first.title.startswith("CIFAR-10: recipe quick") and first.rows[0][0] == "40.2 % human:worse"
    assert second.head == ("noise", "method", "n", "accuracy", "30 %: own", "30 %: free")
    assert second.rows == (("20 %", "scn", "2", "80.50 ± 0.71", "86.50 ± 0.71", "89.50 ± 0.71"),)


def test_only_the_runs_of_the_tables_asked_for(tmp_path: Path, runs: Writer) -> None:
    fill_table1(runs)
    runs(method="conf", noise=0.5)
    loaded = load([tmp_path / "runs"])
    methods = [{row[1] for brief in briefs(loaded, names) for row in brief.rows} for names in (["table1"], ["summary"])]
    assert methods[1] - methods[0] == {"conf"}
    assert not briefs(loaded, ["table6"])


@pytest.mark.parametrize(("method", "overrides", "noise"), [("scn", {}, 0.1), ("rul", RUL, 0.3), ("dul", {}, 0.0)])
def test_the_papers_number_stands_beside_its_own_schedule_alone(
    tmp_path: Path, method: str, overrides: dict[str, object], noise: float
) -> None:
    from reports.paper.numbers import lookup

    recipe = recipes.load("paper", "fer2013")
    table = "table1" if noise else "table2"
    wanted = lookup(table, "fer2013", method, round(100 * noise))
    assert wanted
    for name, changes in (("whole", {}), ("short", {"epochs": 3})):
        write(tmp_path / name, method, "fer2013", noise, overrides=overrides, recipe=recipe.model_copy(update=changes))
    (whole,) = briefs(load([tmp_path / "whole"]))
    assert whole.head[-1] == "paper" and whole.rows[0][-1].startswith(f"{wanted.mean:.2f}")
    (short,) = briefs(load([tmp_path / "short"]))
    assert "paper" not in short.head


@pytest.mark.parametrize(
    ("name", "noise", "wanted", "of"),
    [
        ("table1", 0.1, {"scn": "lower", "dul": "higher", "rul": "lower"}, "accuracy minus that of baseline"),
        ("table2", 0.0, {"scn": "higher", "dul": "equal", "conf": "lower"}, "with 30 % rejected minus that of rul"),
    ],
)
def test_the_outcome_is_the_tables_own(
    tmp_path: Path, runs: Writer, name: str, noise: float, wanted: dict[str, str], of: str
) -> None:
    compact = recipes.load("compact", "fer2013")
    accuracies = {"baseline": 0.60, "scn": 0.50, "dul": 0.70, "conf": 0.40, "rul": 0.55}
    uncertain = {"scn": 0.12, "dul": 0.02, "rul": 0.07}  # what 10 % rejected gain: at 30 %: 0.86, 0.76, 0.76
    for (method, accuracy), seed in product(accuracies.items(), range(3)):
        value = accuracy + 0.0005 * ((seed * (1 + len(method))) % 3)
        metrics = {"last": last_metrics(value, uncertain.get(method, 0.02)), "best_on_test": None}
        runs(dataset="fer2013", method=method, noise=noise, seed=seed, recipe=compact, metrics=metrics)
    loaded = load([tmp_path / "runs"])
    tables = make_tables([name], loaded)
    (brief,) = briefs(loaded, [name], tables=tables)
    told = {row[1]: row[-1] for row in brief.rows}
    assert brief.head[-1] == "outcome" and {method: text for method, text in told.items() if text} == wanted
    assert "Outcome: accuracy" in brief.title and brief.title.endswith(f"{of}.")
    (table,) = tables  # the same words stand in the table, at 30 % rejected where it rejects
    for row in table.rows:
        if row.keys[0] == ("10" if noise else "30") and row.values[0].run_ids:
            (remark,) = {value.remark for value in row.values if value.text.endswith("]")} or {""}
            assert remark.partition(",")[0] == told[row.keys[1].partition(",")[0]]
    (plain,) = briefs(loaded, [name])
    assert "outcome" not in plain.head


@pytest.mark.parametrize(("name", "recipe"), [("table1", "quick"), ("table1", "compact"), ("summary", "compact")])
def test_the_command_prints_outcomes_where_the_recipe_allows_them(
    tmp_path: Path, runs: Writer, capsys: pytest.CaptureFixture[str], name: str, recipe: str
) -> None:
    used = recipes.load(recipe, "fer2013")
    for (method, accuracy), seed in product({"baseline": 0.6, "scn": 0.5}.items(), range(2)):
        runs(dataset="fer2013", method=method, seed=seed, accuracy=accuracy + 0.001 * seed, recipe=used)
    flags = ["--runs", tmp_path / "runs", "--out", tmp_path / "out", "--recipe", recipe, "--no-released"]
    assert main(["report", name, *map(str, flags)]) == 0
    lines = capsys.readouterr().out.splitlines()
    scn = next(line for line in lines if line.startswith("10 %  ") and " scn " in line)
    assert scn.endswith("  lower") is (recipe == "compact")
    assert any("outcome" in line for line in lines) is (recipe == "compact")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_it_fits_a_terminal_and_is_plain_in_a_pipe(
    tmp_path: Path, runs: Writer, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    long = {"relabel.enabled": True, "relabel.margin": 0.5, "partner": "any"}
    for seed in (0, 1):
        runs(method="rul", seed=seed, overrides=long, accuracy=0.8 + 0.01 * seed)
    (brief,) = briefs(load([tmp_path / "runs"]))
    monkeypatch.setenv("COLUMNS", str(columns))
    plain = terminal.table(brief.head, brief.rows, brief.title, WRAPS, MEASURED)
    assert "\x1b" not in plain and len(plain.splitlines()) == 3 and "relabel.margin=0.5)" in plain
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    fitted = re.sub("\x1b[^m]*m", "", terminal.table(brief.head, brief.rows, brief.title, WRAPS, MEASURED))
    assert max(map(len, fitted.splitlines())) <= columns and "80.50 ± 0.71" in fitted


def test_a_narrow_terminal_cuts_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    head = ("noise", "method", "n", *MEASURED, "outcome")
    row = ("10 %", "rul (relabel.enabled=true)", "3", "76.59 ± 1.74", "82.91 ± 1.28", "86.61 ± 1.06", "undecided")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for columns in (40, 60, 80):
        monkeypatch.setenv("COLUMNS", str(columns))
        text = re.sub("\x1b[^m]*m", "", terminal.table(head, [row], "", WRAPS, MEASURED))
        assert all(cell in text for cell in (*head, *row[2:])) and "rul" in text
        assert columns < 80 or max(map(len, text.splitlines())) <= columns


def test_files_are_named_once_and_pictures_counted() -> None:
    out = Path("out")
    paths = [out / "table1.md", out / "table1.csv", out / "figures.md", out / "figures/a.png", out / "figures/a.pdf"]
    text = terminal.files([*paths, out / "runs.csv"])
    assert text.splitlines() == [
        "out/table1.md (and .csv)", "out/figures.md", "out/runs.csv", "out/figures: 2 pictures",
    ]  # fmt: skip
