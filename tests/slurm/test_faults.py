"""What goes wrong on a cluster, done to a real SLURM. Afterwards the records are those of undisturbed runs."""

import json
import os
import signal
import time

from tests.runs import RUN, epochs, same, wait_for
from tests.slurm.conftest import ON_SLURM, job_processes

FOREVER = 1000.0


def _started(terminal, runs, pace, *arguments):
    """A launcher that follows one run, which has saved some epochs and stays in the next until the pace is changed."""
    pace.set(0.5)
    launcher = terminal(*RUN, *ON_SLURM, "--wait", *arguments, wait=None)
    wait_for(lambda: epochs(runs) >= 2 or launcher.poll() is not None, 150)
    pace.set(FOREVER)
    assert launcher.poll() is None, launcher.communicate()[0]
    return launcher


def _ended(launcher, pace, code=0):
    pace.set(0)
    output, _ = launcher.communicate(timeout=200)
    assert launcher.returncode == code, output
    return output


def _went_on(runs):
    (path,) = runs.rglob("run.log")
    return "going on after epoch" in path.read_text()


def test_the_signal_of_preemption(terminal, cluster, pace, tmp_path, undisturbed):
    """In an epoch that does not end within the grace, which is cut to no more than the job's own end needs."""
    runs = tmp_path / "runs"
    launcher = _started(terminal, runs, pace, "--grace", "30")
    (job,) = cluster.jobs("%i")
    cluster.call("scancel", "--signal=USR2", job)
    wait_for(lambda: any("PENDING" in line for line in cluster.jobs()))
    (state,) = json.loads(terminal("status", "--json"))
    assert state["state"] == "queued" and "goes on after epoch" in state["detail"]
    cluster.requeued()
    _ended(launcher, pace)
    assert same(runs, undisturbed) and _went_on(runs)


def test_the_epoch_is_ended_within_the_grace(terminal, cluster, pace, tmp_path, undisturbed):
    runs = tmp_path / "runs"
    launcher = _started(terminal, runs, pace, "--grace", "120")
    before = epochs(runs)
    (job,) = cluster.jobs("%i")
    cluster.call("scancel", "--signal=USR2", job)
    time.sleep(1)
    assert epochs(runs) == before and "RUNNING" in cluster.jobs()[0]
    pace.set(0.5)
    wait_for(lambda: any("PENDING" in line for line in cluster.jobs()))
    assert epochs(runs) > before
    cluster.requeued()
    _ended(launcher, pace)
    assert same(runs, undisturbed) and _went_on(runs)


def test_the_time_limit(terminal, cluster, pace, tmp_path, undisturbed):
    """SLURM's shortest limits are minutes, its signal up to half a minute early: a test of about a minute."""
    runs = tmp_path / "runs"
    launcher = _started(terminal, runs, pace, "--time", "2", "--grace", "45")
    cluster.requeued()
    _ended(launcher, pace)
    assert same(runs, undisturbed) and _went_on(runs)


def test_a_run_killed_with_9_goes_on_in_its_job(terminal, cluster, pace, tmp_path, undisturbed):
    runs = tmp_path / "runs"
    launcher = _started(terminal, runs, pace)
    os.kill(job_processes(runs)[-1], signal.SIGKILL)
    _ended(launcher, pace)
    assert same(runs, undisturbed) and _went_on(runs)


def test_a_job_killed_with_9_fails_and_is_tried_again(terminal, cluster, pace, tmp_path, undisturbed):
    runs = tmp_path / "runs"
    launcher = _started(terminal, runs, pace)
    os.kill(job_processes(runs)[0], signal.SIGKILL)
    assert "ended without a result" in _ended(launcher, pace, 1)
    (state,) = json.loads(terminal("status", "--json"))
    assert state["state"] == "failed" and state["log"].endswith("_log.out") and "epoch" in state
    terminal("retry", *RUN[:2], *ON_SLURM, "--wait")
    assert same(runs, undisturbed) and _went_on(runs)


def test_a_lost_node(terminal, cluster, pace, tmp_path, undisturbed):
    runs = tmp_path / "runs"
    launcher = _started(terminal, runs, pace)
    (node,) = cluster.jobs("%N")
    cluster.kill(node)
    cluster.call("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")
    cluster.requeued()
    _ended(launcher, pace)
    assert same(runs, undisturbed) and _went_on(runs)


def test_two_copies_of_a_run(terminal, cluster, pace, tmp_path, undisturbed):
    """A node that falls silent is not a dead one: its copy of the run wakes up when another has taken it over."""
    runs = tmp_path / "runs"
    launcher = _started(terminal, runs, pace)
    asleep = job_processes(runs)
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    (old,) = runs.rglob("lease-*")
    local = terminal(*RUN, wait=None)
    wait_for(lambda: (new := list(runs.rglob("lease-*"))) and new != [old])
    for pid in asleep:
        os.kill(pid, signal.SIGCONT)
    _ended(local, pace)
    _ended(launcher, pace)
    wait_for(lambda: not cluster.jobs())
    assert same(runs, undisturbed) and _went_on(runs)


def test_scancel(terminal, cluster, pace, tmp_path, undisturbed):
    """One job runs, one waits: such a task leaves no trace anywhere."""
    runs = tmp_path / "runs"
    launcher = _started(terminal, runs, pace, "--seeds", "2", "--runs-per-job", "1", "--array-parallelism", "1")
    text = terminal("status")
    for word in ("1 running, 1 queued", "images/s", " on n", "JobArrayTaskLimit"):
        assert word in text
    cluster.call("scancel", "-u", "root")
    wait_for(lambda: not cluster.jobs())  # until it is killed, a cancelled run goes on
    assert "2 failed" in _ended(launcher, pace, 1)
    assert "2 failed" in terminal("status")
    terminal("retry", *RUN[:2], *ON_SLURM, "--wait")
    assert same(runs, undisturbed, 2)


def test_scontrol_requeue(terminal, cluster, pace, tmp_path, undisturbed):
    runs = tmp_path / "runs"
    launcher = _started(terminal, runs, pace)
    cluster.call("scontrol", "requeue", cluster.jobs("%i")[0])
    cluster.requeued()
    _ended(launcher, pace)
    assert same(runs, undisturbed) and _went_on(runs)


def test_the_launcher_killed_and_the_controller_away(terminal, cluster, pace, tmp_path, undisturbed):
    runs = tmp_path / "runs"
    launcher = _started(terminal, runs, pace)
    launcher.kill()
    launcher.wait()
    again = terminal(*RUN, *ON_SLURM, "--wait", wait=None)
    assert "1 queued or running already" in again.stdout.readline()
    cluster.kill("slurmctld")
    time.sleep(3)
    cluster.start_controller()
    assert "submitted" not in _ended(again, pace)
    assert same(runs, undisturbed) and not _went_on(runs)


def test_a_run_that_ends_no_epoch_fails_after_its_tries(terminal, cluster, pace, tmp_path):
    runs = tmp_path / "runs"
    pace.set(FOREVER)
    launcher = terminal(*RUN, *ON_SLURM, "--wait", "--tries", "1", "--grace", "10", wait=None)
    wait_for(lambda: list(runs.rglob("progress.json")), 150)
    (job,) = cluster.jobs("%i")
    cluster.call("scancel", "--signal=USR2", job)
    cluster.requeued()
    output = _ended(launcher, pace, 1)
    assert "given up after 1 starts" in output and "run.log" in output
    assert "given up" in terminal("status")
