"""Text of others on a terminal: it moves no cursor, is no markup, and cannot break what prints it."""

import os
from pathlib import Path

import pytest

from benchmarks.cli import terminal
from benchmarks.cli.progress_bar import ProgressBar
from benchmarks.launch.run_queue import RunsOutcome
from benchmarks.store.runs import Store

HOSTILE = "[/x][red]a\x1b]0;owned\x07"


def test_cells_of_a_table_are_text_in_the_lines_that_they_have():
    text = terminal.table((f"head{HOSTILE}", "b"), [(HOSTILE, "two\nlines"), ("\udcff\r", "")], title=f"of {HOSTILE}")
    assert "\x1b" not in text and "\x07" not in text and "\r" not in text
    assert text.count(r"[/x][red]a\x1b]0;owned\x07") == 3 and r"\udcff\r" in text
    assert [line.split()[-1] for line in text.splitlines()[2:4]] == ["two", "lines"]


def test_files_are_named_in_lines_of_their_own():
    text = terminal.files([Path("out/a\x1b[2J\nb.md"), Path("out/a\x1b[2J\nb.csv"), Path("p\udcff/x.png")])
    assert text.splitlines() == [r"out/a\x1b[2J\nb.md (and .csv)", r"p\udcff: 1 pictures"]


def test_status_shows_a_folder_of_any_name(bench, tmp_path):
    names = (b"d\x1b[31m\n1 done", b"d\xff")
    for name in names:
        folder = Path(os.fsdecode(bytes(tmp_path) + b"/runs\xff/" + name)) / "rul/noise-0.00/seed-0-deadbeef"
        folder.mkdir(parents=True)
        (folder / "failure.json").write_text('{"message": "lost\\n1 done"}')
    runs = os.fsdecode(b"runs\xff")
    done = bench("status", "--runs", runs)
    assert done.returncode == 0 and "2 failed" in done.stdout.splitlines()[0]
    assert r"d\x1b[31m\n1 done/rul/" in done.stdout and r"d\udcff/rul/" in done.stdout
    assert "\x1b" not in done.stdout and not any(line.startswith("1 done") for line in done.stdout.splitlines())
    assert r"runs\udcff" in done.stdout.partition("log: ")[2]
    assert bench("status", "--runs", os.fsdecode(b"none\xff")).stdout.strip().endswith(r"none\udcff")
    assert bench("status", "--json", "--runs", runs).returncode == 0


@pytest.mark.parametrize("value", [HOSTILE, "[/]", "[bold", "\\[/x]"])
def test_a_bar_is_drawn_of_a_run_with_settings_of_others(specs, tmp_path, monkeypatch, value, capsys):
    spec = specs("rul")[0].model_copy(update={"overrides": {"x": value}})
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    bar = ProgressBar(Store(tmp_path), [spec])
    assert bar.bars is not None
    with bar:
        bar([spec], RunsOutcome())
        bar.bars.refresh()
        (task,) = (task for task in bar.bars.tasks if task.description != "all runs")
        assert task.description.isprintable() and f"x={value.partition(chr(27))[0]}" in task.description
    bar.bars = None
    bar.printed -= 1000
    bar([spec], RunsOutcome())
    assert "\x07" not in capsys.readouterr().out
