"""What goes wrong with a runs folder that many write to. Afterwards the records are those of undisturbed runs."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.store import lease
from tests.runs import CHECKOUT, RUN, Pace, epochs, metrics, same, wait_for


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The metrics of six seeds of RUN."""
    folder = tmp_path_factory.mktemp("undisturbed")
    command = [sys.executable, str(CHECKOUT / "bench.py"), *RUN[:-1], "6"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=240)
    return metrics(folder / "runs")


@pytest.fixture
def start(tmp_path):
    """`start(*arguments)` starts the command line below tmp_path; an epoch lasts as long as `slow` says."""
    started, pace = [], Pace(tmp_path / "pace")

    def begin(*arguments, slow=0.0):
        pace.set(slow)
        process = subprocess.Popen(
            [sys.executable, str(CHECKOUT / "bench.py"), *arguments],
            cwd=tmp_path,
            env=os.environ | pace.variable,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _ended(process, code=0):
    output, _ = process.communicate(timeout=480)
    assert process.returncode == code, output
    return output


def test_two_launchers_at_once_do_each_run_once(start, tmp_path, undisturbed):
    both = [start(*RUN[:-1], "6", "--jobs", "2", slow=0.1) for _ in range(2)]
    for launcher in both:
        assert "6 runs done, 0 failed" in _ended(launcher)
    assert same(tmp_path / "runs", undisturbed, 6)
    for path in (tmp_path / "runs").rglob("run.log"):
        assert path.read_text().count("epoch 1 ") == 1, path


def test_two_orders_to_do_it_again_do_it_again_once(start, tmp_path, undisturbed):
    _ended(start(*RUN))
    both = [start(*RUN, "--force", slow=0.5) for _ in range(2)]
    for launcher in both:
        _ended(launcher)
    assert same(tmp_path / "runs", undisturbed)
    assert len(list((tmp_path / "runs").rglob("*.aside-*"))) == 1


def _stopped_midway(start, tmp_path):
    """A run whose launcher was killed after some epochs; returns its folder."""
    launcher = start(*RUN, slow=0.5)
    wait_for(lambda: epochs(tmp_path / "runs") >= 3)
    os.killpg(launcher.pid, signal.SIGKILL)
    launcher.wait()
    (path,) = (tmp_path / "runs").rglob("progress.json")
    return path.parent


def test_a_damaged_checkpoint_falls_back_to_the_one_before(start, tmp_path, undisturbed):
    folder = _stopped_midway(start, tmp_path)
    with open(folder / "checkpoint.pt", "r+b") as file:
        file.truncate(1000)
    _ended(start(*RUN))
    assert same(tmp_path / "runs", undisturbed)
    log = (folder / "run.log").read_text()
    assert "falling back to the one before" in log and "going on after epoch" in log


def test_files_from_the_future_and_a_clock_set_back(start, tmp_path, undisturbed):
    """What was written before the clock was set back by a year."""
    folder = _stopped_midway(start, tmp_path)
    for path in folder.iterdir():
        os.utime(path, (time.time() + 3e7,) * 2)
    _ended(start(*RUN))
    assert same(tmp_path / "runs", undisturbed)
    assert "going on after epoch" in (folder / "run.log").read_text()


@pytest.fixture
def small_disk(tmp_path):
    """A small file system as the runs folder."""
    runs = tmp_path / "runs"
    runs.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(runs)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield runs
    subprocess.run(["umount", "--lazy", str(runs)], check=True)


def test_a_full_disk(start, tmp_path, small_disk, undisturbed):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(15_000_000))
    output = _ended(start(*RUN[:-1], "3"), 1)
    assert "No space left on device" in output or "its disk is full" in output
    assert "1 failed" in output or "2 failed" in output or "3 failed" in output
    finished = metrics(small_disk)  # nothing half-written passes for a result
    assert all(undisturbed[run_id] == one for run_id, one in finished.items())
    ballast.unlink()
    _ended(start("retry", *RUN[:2]))
    _ended(start(*RUN[:-1], "3"))
    assert same(small_disk, undisturbed, 3)


def test_a_disk_that_cannot_be_written(start, tmp_path, small_disk, undisturbed):
    _ended(start(*RUN))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "Read-only file system" in _ended(start(*RUN[:-1], "2"), 2)
    assert "1 done" in _ended(start("status"))
    _ended(start("report", "summary"))
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    _ended(start(*RUN[:-1], "2"))
    assert same(small_disk, undisturbed, 2)


def test_soak(start, tmp_path, monkeypatch):
    """A hundred tiny runs; a random one is killed every second. Every tenth time one is stopped instead, as a machine
    that sleeps, and the launcher killed: the next launcher must take the run over from a process that still lives.

    An epoch lasts long enough that the runs cannot be over before they were killed many times.
    """
    monkeypatch.setenv(lease.DEAD_VARIABLE, "6")
    command = (*RUN[:-3], "2", "--seeds", "100")
    runs, chance, killed, stopped = tmp_path / "runs", random.Random(6), 0, []
    undisturbed = start(*command, "--runs", "undisturbed")
    assert "100 runs done" in _ended(undisturbed)

    def launch():
        return start(*command, "--jobs", "2", "--tries", "1000", slow=0.3)

    launcher, end = launch(), time.monotonic() + 360
    while launcher.poll() is None and time.monotonic() < end:
        time.sleep(1)
        if killed % 10 == 9:
            stopped += _signal_one(runs, chance, signal.SIGSTOP)
            launcher.kill()
            launcher.wait()
            launcher = launch()
            killed += 1
        else:
            killed += len(_signal_one(runs, chance, signal.SIGKILL))
    _ended(launcher)
    assert killed > 10 and stopped
    assert same(runs, metrics(tmp_path / "undisturbed"), 100)
    wait_for(lambda: all(map(lease.died_here, stopped)))  # woken by who took their runs over, they have ended


def _signal_one(runs, chance, what):
    """Signal the process of a run that is going on, as soon as there is one to be had; returns it, if any."""
    end = time.monotonic() + 1
    while time.monotonic() < end:
        leases = sorted(runs.rglob("lease-*"))
        with contextlib.suppress(OSError, ValueError, IndexError):  # it has just ended
            holder = lease.Holder.model_validate_json(chance.choice(leases).read_text())
            os.kill(holder.pid, what)
            return [holder]
        time.sleep(0.05)
    return []
