"""Submitting, following, looking, stopping: on a real SLURM."""

import csv
import json

from benchmarks.store.record import read_record
from tests.runs import RUN, metrics, same, wait_for
from tests.slurm.conftest import ON_SLURM

SHORT = ("--datasets", "digits", "--methods", "baseline,scn", "--noise", "0,0.2", "--seeds", "3", "--epochs", "1")


def _table(folder):
    with open(folder / "reports" / "out" / "summary.csv", newline="", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if "seconds" not in key} for row in csv.DictReader(file)]


def test_twelve_short_runs_are_the_local_ones(terminal, tmp_path):
    """From a folder of its own, with names that a shell would take apart, and modules that must not be imported."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there / "datasets"):
        folder.mkdir(parents=True)
    (there / "methods.py").write_text("raise SystemExit('the wrong methods')")
    (there / "datasets" / "__init__.py").write_text("raise SystemExit('the wrong datasets')")
    terminal(*SHORT, cwd=here)
    data, runs = "a b;$(touch x)", "r 'u\"n;$(touch x)`touch x`"
    (there / data).mkdir()
    output = terminal(
        *(*SHORT, *ON_SLURM, "--wait", "--data", data, "--runs", runs, "--runs-per-job", "6"),
        *("--gpus-per-node", "1", "--cpus-per-task", "2", "--threads", "1"),
        cwd=there,
    )
    assert "2 jobs for SLURM, up to 6 runs each" in output
    local, remote = metrics(here / "runs"), metrics(there / runs)
    assert len(local) == 12 and remote == local
    assert _table(there) == _table(here)
    assert not list(tmp_path.rglob("x"))
    made = [read_record(path).provenance for path in (there / runs).rglob("record.json")]
    assert {one["node"] for one in made} <= {"n1", "n2"} and {one["slurm_job"] for one in made} != {None}
    assert {one["CUDA_VISIBLE_DEVICES"] for one in made} <= {"0", "1"}  # what SLURM gave the job, seen by its runs


def test_submit_look_and_cancel_only_ones_own(terminal, cluster, tmp_path, undisturbed):
    stranger = cluster.call("sbatch", "--parsable", "--hold", "--wrap", "sleep 60").stdout.strip()
    output = terminal(*RUN, *ON_SLURM, "--slurm-set", "hold=true", "--slurm-set", "comment=a 'b' $(touch x)")
    for word in ("submitted 1 jobs", "status", "report", "cancel"):
        assert word in output
    (state,) = json.loads(terminal("status", "--json"))
    assert state["state"] == "queued" and state["job"] and "JobHeldUser" in state["detail"]
    again = terminal(*RUN, *ON_SLURM)
    assert "1 queued or running already" in again and "submitted" not in again
    assert "cancelled 1 jobs" in terminal("cancel")
    assert cluster.jobs("%i") == [stranger]
    assert "nothing" in terminal("cancel") and cluster.jobs("%i") == [stranger]
    assert json.loads(terminal("status", "--json")) == []
    assert "submitted" in terminal(*RUN, *ON_SLURM, "--wait")
    assert same(tmp_path / "runs", undisturbed) and not list(tmp_path.rglob("x"))


def test_a_thousand_runs_are_submitted_as_arrays(terminal, cluster, tmp_path):
    output = terminal(*RUN[:-1], "1000", *ON_SLURM, "--slurm-set", "hold=true", "--runs-per-job", "1")
    assert "submitted 1000 jobs" in output
    assert len(cluster.jobs()) == 1000
    assert "1000 queued" in terminal("status")
    assert "cancelled 1000 jobs" in terminal("cancel")
    wait_for(lambda: not cluster.jobs())


def test_a_dry_run_prints_the_script_and_leaves_nothing(terminal, cluster, tmp_path):
    (tmp_path / "slurm.toml").write_text(
        'partition = "short"\ncpus_per_task = 2\n[set]\nexclude = "n2"\nsetup = ["module load x"]\n'
    )
    output = terminal(*RUN, *ON_SLURM, "--dry-run", "--cpus-per-task", "3", "--slurm-set", "reservation=r")
    for line in ("partition=short", "cpus-per-task=3", "exclude=n2", "mem=1G", "signal=USR2@120", "reservation=r"):
        assert f"#SBATCH --{line}" in output
    assert "module load x" in output and "#SBATCH --time=20" in output
    assert not (tmp_path / "runs").exists() and not cluster.jobs()
    # An estimate beyond what the partition allows: its limit, and a requeue.
    assert "#SBATCH --time=30\n" in terminal(*RUN, *ON_SLURM, "--dry-run", "--gpus-per-node", "1")


def test_what_slurm_refuses_is_one_line(terminal, cluster, tmp_path):
    output = terminal(*RUN, *ON_SLURM, "--partition", "nowhere", code=2)
    assert "bench.py: SLURM refused the job" in output and "partition" in output
    assert "no runs" in terminal("status")
