"""Where the command line runs: containers, notebooks, full disks, closed streams, systems that lack what Linux has."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import main

CHECKOUT = Path(__file__).resolve().parents[1]
BENCH = str(CHECKOUT / "bench.py")
TINY = ("--datasets", "digits", "--epochs", "1", "--noise", "0.2", "--seeds", "1", "--methods", "baseline")


def environment(**changes):
    """This process's variables with some changed; None: taken out."""
    values = {**os.environ, **changes}
    return {key: value for key, value in values.items() if value is not None}


MAIN = f"\nimport sys; sys.path.insert(0, {str(CHECKOUT)!r}); import bench; sys.exit(bench.main(sys.argv[1:]))"


def bench(folder, *arguments, shell="", changes=None, code=None):
    """The command line in a process of its own. shell: what follows it in a shell; code: Python that runs before it."""
    line = [sys.executable, *(["-c", code + MAIN] if code else [BENCH]), *arguments]
    if shell:
        line = ["bash", "-c", f'"$@" {shell}', "bash", *line]
    values = environment(**(changes or {}))
    return subprocess.run(line, cwd=folder, env=values, capture_output=True, text=True, timeout=300)


def records(folder):
    return list((folder / "runs").glob("*/*/*/*/record.json"))


NOBODY = """
import os, pwd, getpass
def missing(*_): raise KeyError("getpwuid(): uid not found: 12345")
pwd.getpwuid = missing
os.getuid = lambda: 12345
"""


ASCII = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NO_NAMES: dict[str, str | None] = dict.fromkeys(("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [({**NO_NAMES, **ASCII}, NOBODY), ({}, "import os; del os.sched_getaffinity")],
    ids=["a uid without a name or home, ASCII", "no affinity"],
)
def test_a_plan_is_made(tmp_path, changes, code):
    done = bench(tmp_path, *TINY, "--dry-run", changes=changes, code=code)
    assert done.returncode == 0 and "1 runs to do" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_is_done_where_tmpdir_is_too_long_for_sockets(tmp_path):
    long = tmp_path / ("x" * 100) / ("y" * 100)
    long.mkdir(parents=True)
    done = bench(tmp_path, *TINY, changes={"TMPDIR": str(long)})
    assert done.returncode == 0 and len(records(tmp_path)) == 1, done.stderr


def test_figures_need_no_backend_of_a_notebook(tmp_path):
    code = (
        "from reports.figures.make import _drawing\n"
        "with _drawing(): import matplotlib; assert matplotlib.get_backend().lower() == 'agg'"
    )
    values = environment(MPLBACKEND="module://matplotlib_inline.none", PYTHONPATH=str(CHECKOUT))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=values, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("shell", "code", "said"),
    [
        ("| head -c 1; exit ${PIPESTATUS[0]}", 0, ""),  # the reader has seen enough; the runs go on
        ("> /dev/full", 1, "not all of the output could be written: No space left on device"),
        (">&- 2>&- <&-", 0, ""),
    ],
)
def test_output_that_goes_nowhere_ends_no_run(tmp_path, shell, code, said):
    done = bench(tmp_path, *TINY, shell=shell)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    assert said in done.stderr
    (record,) = records(tmp_path)
    assert json.loads(record.read_text())["status"] == "done"
    assert (tmp_path / "reports" / "out" / "summary.md").exists()


@pytest.mark.parametrize("arguments", [["list"], ["--help"]])
def test_what_only_prints_says_by_its_exit_code_whether_it_could(tmp_path, arguments):
    assert bench(tmp_path, *arguments, shell="> /dev/full").returncode == 1
    done = bench(tmp_path, *arguments, shell="| head -c 1; exit ${PIPESTATUS[0]}")
    assert done.returncode == 0 and done.stderr == ""


def test_names_that_an_encoding_lacks_are_escaped(tmp_path):
    run = tmp_path / "runs" / os.fsdecode(b"caf\xe9") / "rul" / "noise-0.10" / "seed-0-0123abcd"
    run.mkdir(parents=True)
    (run / "failure.json").write_text(json.dumps({"message": "naïve \x1b[31m"}), encoding="utf-8")
    for encoding in ("ascii", "utf-8", "latin-1"):
        done = subprocess.run(
            [sys.executable, BENCH, "status"],
            cwd=tmp_path,
            env=environment(PYTHONIOENCODING=encoding),
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        text = done.stdout.decode(encoding)
        assert "1 failed" in text and "\\udce9" in text and "\x1b" not in text


def test_without_fcntl_it_says_wsl(tmp_path):
    done = bench(tmp_path, "list", code="import sys; sys.modules['fcntl'] = None")
    assert done.returncode == 2 and "WSL" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["report", "summary", "--out", "/proc/x"], ["list", "--plugin", "/proc/x"]])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "/proc/" in line and re.search("[Nn]o such file|ermi[st]", line)


@pytest.mark.parametrize("name", ["runs", "data", "out"])
def test_a_tilde_after_an_equals_sign_is_the_users_home(tmp_path, monkeypatch, name):
    from benchmarks.cli.options import parser

    monkeypatch.setenv("HOME", str(tmp_path))
    flags = parser().parse_args(["run", f"--{name}=~/x", "--weights=~/w.pth", "--plugin=~/p.py"])
    assert getattr(flags, name) == tmp_path / "x"
    assert flags.weights == tmp_path / "w.pth" and flags.plugin == [tmp_path / "p.py"]


def test_a_comma_in_a_name_is_escaped():
    from benchmarks.cli.values import parse_names

    assert parse_names(r"folder:/a\,b,faces") == ("folder:/a,b", "faces")
