"""The command line as a user meets it: what it prints, its exit codes, and what it leaves behind."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import main
from benchmarks.launch import journal
from benchmarks.store.record import read_record

BENCH = str(Path(__file__).resolve().parents[3] / "bench.py")
TINY = ("--datasets", "digits", "--epochs", "1", "--noise", "0.2", "--seeds", "1")


def records(folder):
    return sorted((folder / "runs").glob("*/*/*/*/record.json"))


def test_help_list_and_status_do_not_import_torch(tmp_path):
    code = "import sys, bench; code = bench.main(sys.argv[1:]); assert 'torch' not in sys.modules; sys.exit(code)"
    for arguments in (["list"], ["status"], ["list", "--data", "nowhere"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(BENCH).parent)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_list_says_what_there_is_and_where_it_is_looked_for(capsys):
    assert main(["list", "--data", "somewhere"]) == 0
    text = capsys.readouterr().out
    for words in ("rul", "fer2013", "missing", "somewhere/fer2013", "faces", "embedded", "table1", "quick", "paper"):
        assert words in text


def test_list_methods_shows_settings_and_sources(capsys):
    assert main(["list", "--methods"]) == 0
    text = capsys.readouterr().out
    assert "rul" in text and "dropout" in text and "0.4" in text and "paper 4.2" in text


def test_run_status_and_skip(bench, tmp_path):
    done = bench(*TINY, "--methods", "baseline,rul")
    assert done.returncode == 0, done.stderr
    assert "2 runs to do, 0 finished already" in done.stdout and "estimated time" in done.stdout
    assert len(records(tmp_path)) == 2
    before = [path.stat().st_mtime_ns for path in records(tmp_path)]
    again = bench(*TINY, "--methods", "baseline,rul")
    assert again.returncode == 0 and "0 runs to do, 2 finished already" in again.stdout
    assert [path.stat().st_mtime_ns for path in records(tmp_path)] == before
    assert bench("status").stdout.startswith("2 done")
    assert [one["state"] for one in json.loads(bench("status", "--json").stdout)] == ["done", "done"]
    with open(tmp_path / "reports" / "out" / "runs.csv") as file:
        rows = list(csv.DictReader(file))
    assert {row["run_id"] for row in rows} == {read_record(path).run_id for path in records(tmp_path)}
    (line,) = (line for line in done.stdout.splitlines() if line.split()[:4] == ["20", "%", "rul", "1"])
    accuracy = next(float(row["accuracy"]) for row in rows if row["method"] == "rul")
    assert line.split()[4] == f"{100 * accuracy:.2f}" and len(line.split()) == 7
    assert "summary.md (and .csv, .tex, .html)" in done.stdout and "| " not in done.stdout


def test_dry_run_does_nothing(bench, tmp_path):
    done = bench(*TINY, "--methods", "rul", "--dry-run")
    assert done.returncode == 0 and "digits/rul/noise-0.20/seed-0-" in done.stdout
    assert not (tmp_path / "runs").exists()


def test_a_failed_run_stops_no_other_and_is_named(bench, tmp_path):
    done = bench(
        *TINY, "--methods", "baseline,conf", "--set", "conf.budget=0.3", "--set", "recipe.lr=1e30", "--jobs", "1"
    )
    assert done.returncode == 1
    assert "failed" in done.stderr and "diverged" in done.stderr and "run.log" in done.stderr
    assert records(tmp_path) == []
    assert "2 failed" in bench("status").stdout


def test_a_corrupt_record_is_shown_and_run_again_and_kept(bench, tmp_path):
    bench(*TINY, "--methods", "baseline")
    (path,) = records(tmp_path)
    good = read_record(path).metrics
    path.write_text("{")
    shutil.rmtree(tmp_path / "runs" / journal.FOLDER)  # its launcher is this process, and would be taken to go on
    assert "corrupt" in bench("status").stdout
    done = bench(*TINY, "--methods", "baseline")
    assert done.returncode == 0 and "kept aside" in done.stdout
    assert read_record(path).metrics == good
    assert path.with_name("record.json.aside-1").read_text() == "{"


EMPTY = ("methods", "datasets", "noise", "seeds", "recipe", "suite", "backbone", "epochs", "device", "runs", "data")
FILE = "file.txt"
READ = ("from", "size", "noise", "seed", "out")  # by other actions of `data`
LOOPS = (["--weights"], ["--plugin"], ["--data"], ["--runs"], ["report", "--from"], ["suspects", "digits", "--clean"])
VERBS = ("run", "status", "retry", "cancel", "report")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--methods", "rull"], ["rull", "did you mean 'rul'", "baseline"]),
        (["--methods", "DUL"], ["DUL", "did you mean 'dul'"]),
        (["--datasets", "fer"], ["fer", "fer2013", "faces"]),
        (["--suite", "table9"], ["table9", "table1"]),
        (["--recipe", "slow"], ["slow", "paper", "quick", "compact"]),
        (["--methods", "rul", "--set", "rul.vriant=x"], ["rul.vriant", "rul.variant"]),
        (["--methods", "rul", "--backbone", "vgg"], ["vgg", "resnet18"]),
        (["--noise", "1"], ["--noise 1", "[0, 1)"]),
        (["--noise=-0.1"], ["-0.1", "[0, 1)"]),
        (["--seeds", "x"], ["--seeds x"]),
        (["--jobs", "0"], ["--jobs", "0", "auto"]),
        (["--device", "cuda:99"], ["cuda:99", "cpu"]),
        (["--epochs", "0"], ["epochs", "0"]),
        (["--datasets", "fer2013"], ["fer2013.csv", "Kaggle"]),
        (["--weights", "none.pth"], ["none.pth", "no such file"]),
        (["--plugin", "none.py"], ["none.py", "no such file"]),
        *(([f"--{name}="], [f"--{name}", "must not be empty"]) for name in EMPTY if name != "epochs"),
        (["--methods", ","], ["names nothing"]),
        (["--noise", " , "], ["names nothing"]),
        (["--seeds", ","], ["--seeds ,"]),
        (["--seed", "5"], ["--seed 5", "did you mean --seeds?", "bench.py run --help"]),  # no abbreviation
        (["--method", "rul"], ["--method", "did you mean --methods?"]),
        (["status", "--run", "x"], ["--run", "did you mean --runs?", "bench.py status --help"]),
        (["list", "table1"], ["table1", "bench.py list --help"]),
        (["data", "check", "faces", "--nosie", "0"], ["did you mean --noise?", "bench.py data --help"]),
        (["--seeds", "²"], ["--seeds ²", "count"]),
        (["--seeds", "9" * 5000], ["--seeds 999", "count"]),
        (["--seeds", "99999999"], ["--seeds 99999999", "7,"]),
        (["--seeds", "0,99999999999"], ["--seeds 99999999999"]),
        (["--seeds", "-1"], ["--seeds -1"]),
        (["--seeds=-1,5"], ["--seeds -1", "from 0"]),
        (["--noise", "nan"], ["--noise nan"]),
        (["--noise", "²"], ["--noise ²"]),
        (["--noise", "inf"], ["--noise inf"]),
        (["--jobs", "²"], ["--jobs", "²"]),
        (["--jobs", "9" * 5000], ["--jobs"]),
        (["--threads", "1000000"], ["--threads", "1 to 512"]),
        (["--threads", "0"], ["--threads", "0"]),
        (["--threads", "two"], ["--threads", "two"]),
        (["--tries", "0"], ["--tries", "0"]),
        (["--epochs", "1000000000"], ["--epochs", "10000"]),
        (["--epochs", "²"], ["--epochs", "²"]),
        (["--set", "recipe.epochs=1000000000"], ["epochs", "10000"]),
        (["--set", "recipe.image_size=100000"], ["image_size", "1024"]),
        (["--set", "recipe.name="], ["recipe.name"]),
        (["--set", "recipe.name=paper"], ["recipe.name"]),
        (["--set", "recipe.lr=Infinity"], ["lr", "finite"]),
        (["--set", "recipe.lr=NaN"], ["lr", "finite"]),
        (["--set", "recipe.lr=1e999"], ["lr", "finite"]),
        (["--set", "recipe.lr=" + 10_000 * "["], ["lr"]),
        (["--set", "recipe.epochs=" + 5000 * "9"], ["epochs"]),
        (["--set", "rul.dropout=Infinity"], ["rul.dropout"]),
        (["--set", "rul.dropout"], ["--set rul.dropout", "METHOD.KEY=VALUE"]),
        (["--epochs", "1", "--set", "recipe.epochs=7"], ["--epochs", "recipe.epochs", "one of them"]),
        (["--backbone", "small", "--set", "recipe.backbone=compact"], ["--backbone", "recipe.backbone"]),
        (["--set", "rul.dropout=0.1", "--set", "rul.dropout=0.2"], ["rul.dropout", "twice"]),
        (["--recipe", "../suites/table1"], ["../suites/table1", "paper"]),
        (["--recipe", "mine.toml"], ["mine.toml", "no such file"]),
        (["--suite", "../recipes/paper"], ["../recipes/paper", "table1"]),
        (["--gpus-per-node", "-1"], ["--gpus-per-node", "-1"]),
        (["--time", "abc"], ["--time abc"]),
        (["--mem", "lots"], ["--mem lots"]),
        (["--slurm-set", "x=1"], ["--slurm-set", "only with --slurm"]),
        (["--partition", "gpu"], ["--partition", "only with --slurm"]),
        (["--wait"], ["--wait", "only with --slurm"]),
        *(
            ([verb, "--runs", FILE], ["--runs", "not a folder"])
            for verb in ("run", "status", "retry", "cancel", "report")
        ),
        (["report", "--from", FILE], ["--from", "not a folder"]),
        (["report", "--out", FILE], ["--out", "not a folder"]),
        (["release", "x", "--into", FILE], ["--into", "not a folder"]),
        (["report", "nope"], ["nope", "table1"]),
        (["report", "--datasets", "nope"], ["nope", "faces"]),
        (["report", "--recipe", "nope"], ["nope", "paper"]),
        (["data", "prepare", "digits", "--size", "0"], ["--size", "8 to 1024"]),
        (["data", "show", "digits", "--seed", "-1"], ["--seed", "-1"]),
        (["data", "show", "digits", "--out", f"{FILE}/x.png"], [FILE]),
        *((["data", "check", "digits", f"--{flag}", "9"], [f"data check --{flag}", "only with data"]) for flag in READ),
        (["data", "list", "--noise", "0.3"], ["data list --noise", "only with data show"]),
        (["data", "prepare", "digits", "--seed", "0"], ["data prepare --seed", "only with data show"]),
        (["list", "--recipe", "quick", "--methods"], ["list --recipe", "--methods"]),
        *(([*verb, "."], ["is written folder:."]) for verb in (["data", "check"], ["tune"], ["run", "--datasets"])),
        (["--weights", "folder.pth"], ["--weights folder.pth", "is a folder"]),
        *(([*call, "loop"], ["loop", "leads back to itself"]) for call in LOOPS),
        (["a\x1b[31m\nb"], ["a\\x1b[31m\\nb"]),
        (["--nonsense"], ["--nonsense"]),
        (["dance"], ["dance", "run"]),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / FILE).write_text("")
    (tmp_path / "folder.pth").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert all(word in line for word in words), line
    assert not (tmp_path / "runs").exists()


def test_data_verbs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "list"]) == 0
    assert "fer2013" in capsys.readouterr().out
    assert main(["data", "check", "digits"]) == 0
    assert main(["data", "show", "digits", "--noise", "0.3"]) == 0 and (tmp_path / "digits.png").stat().st_size > 1000
    (tmp_path / "mine.png").write_text("a photograph")
    assert main(["data", "show", "digits", "--out", "mine.png"]) == 0
    assert (tmp_path / "mine.png.aside-1").read_text() == "a photograph"
    assert main(["data", "check"]) == 2 and "NAME is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "show", "--noise", "0.3", "digits", "--out", "x.png"],
        ["data", "--seed", "1", "show", "--out", "x.png", "digits"],
        ["data", "show", "--out", "x.png", "--", "digits"],
        ["data", "--out", "x.png", "--", "show", "digits"],
    ],
)
def test_flags_stand_anywhere(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 0 and (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["predict", "x", "y"], "benchmarks.apply.find.finished"),
        (["evaluate", "x", "--on", "digits"], "benchmarks.apply.find.finished"),
        (["data", "check", "digits"], "benchmarks.cli.verbs.data.check"),
        (["data", "prepare", "digits"], "benchmarks.cli.verbs.data.prepare"),
        (["data", "suspects", "digits"], "datasets.embedded.digits.Digits.load"),
        (["status", "--watch"], "benchmarks.cli.verbs.status.watch"),
        (["run", "--datasets", "digits"], "datasets.embedded.digits.Digits.load"),
        (["report"], "reports.build.build"),
    ],
)
def test_every_verb_can_be_interrupted(tmp_path, monkeypatch, capsys, arguments, where):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(where, interrupted)
    assert main(arguments) == 130
    assert capsys.readouterr().err == "interrupted\n"


def _start(tmp_path, *arguments):
    return subprocess.Popen(
        [sys.executable, BENCH, *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # In a background job of a shell, where SIGINT is ignored, the children would ignore it as well.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def _wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


LONG = ("--datasets", "digits", "--epochs", "12", "--noise", "0.2", "--seeds", "1", "--methods", "scn")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    subprocess.run([sys.executable, BENCH, *LONG], cwd=folder, check=True, capture_output=True, timeout=300)
    (path,) = records(folder)
    return read_record(path).metrics


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on_and_ends_with_the_same_record(bench, tmp_path, undisturbed, how):
    launcher = _start(tmp_path, *LONG)
    _wait_for(lambda: list(tmp_path.glob("runs/*/*/*/*/checkpoint.previous.pt")))
    if how == signal.SIGINT:
        os.killpg(launcher.pid, how)  # as a terminal does
    else:
        launcher.kill()  # the launcher alone: its runs must notice
    output, _ = launcher.communicate(timeout=120)
    if how == signal.SIGINT:
        assert launcher.returncode == 130 and "give the same command again" in output
    (leases,) = [list(tmp_path.glob("runs/*/*/*/*/lease-*"))]
    for lease in leases:  # an interrupted launcher has buried its runs, and their leases with them
        pid = json.loads(lease.read_text())["pid"]
        _wait_for(lambda pid=pid: not Path(f"/proc/{pid}").exists(), 10)
    assert records(tmp_path) == []
    assert "1 stale" in bench("status").stdout
    done = bench(*LONG)
    assert done.returncode == 0 and "1 to go on from a checkpoint" in done.stdout
    (path,) = records(tmp_path)
    assert read_record(path).metrics == undisturbed
    assert "going on after epoch" in path.with_name("run.log").read_text()


def _kill_scn(tmp_path):
    """Kill the process of the run of scn once it trains."""
    _wait_for(lambda: list(tmp_path.glob("runs/*/scn/*/*/progress.json")))
    (lease,) = tmp_path.glob("runs/*/scn/*/*/lease-*")
    os.kill(json.loads(lease.read_text())["pid"], signal.SIGKILL)


def test_a_run_killed_from_outside_goes_on_by_itself(bench, tmp_path, undisturbed):
    launcher = _start(tmp_path, *LONG)
    _kill_scn(tmp_path)
    output, _ = launcher.communicate(timeout=300)
    assert launcher.returncode == 0, output
    (path,) = records(tmp_path)
    assert read_record(path).metrics == undisturbed


def test_a_run_killed_too_often_fails_alone_and_is_tried_again_on_order(bench, tmp_path, undisturbed):
    launcher = _start(tmp_path, *LONG[:-1], "scn,baseline", "--jobs", "2", "--tries", "1")
    _kill_scn(tmp_path)
    output, _ = launcher.communicate(timeout=300)
    assert launcher.returncode == 1 and "SIGKILL" in output
    assert [path.parts[-4] for path in records(tmp_path)] == ["baseline"]
    assert "1 done" in (text := bench("status").stdout) and "1 failed" in text and "retry" in text
    done = bench("retry")
    assert done.returncode == 0 and "1 runs to do" in done.stdout, done.stderr
    assert {path.parts[-4]: read_record(path).metrics for path in records(tmp_path)}["scn"] == undisturbed
    assert "no run has failed" in bench("retry").stdout
