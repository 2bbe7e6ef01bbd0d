"""What SLURM refuses, or does not confirm: scripts in the place of its programs."""

import pytest

from benchmarks.launch.journal import Journal, Launch
from benchmarks.launch.slurm.executor import SlurmJobs
from benchmarks.launch.slurm.settings import SlurmSettings
from benchmarks.plan.paths import Sources
from benchmarks.train.context import RunContext
from common.errors import UserError


@pytest.fixture
def slurm_says(specs, tmp_path, monkeypatch):
    """`slurm_says(sbatch="...", squeue="...")` submits runs to a SLURM of these scripts: (the error, cancelled?)."""
    programs, runs = tmp_path / "programs", tmp_path / "runs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    def submit(minutes=5, seeds=(0,), **scripts):
        scripts = {**dict.fromkeys(("sbatch", "squeue", "srun", "sinfo", "scontrol"), ""), **scripts}
        scripts["scancel"] = f"echo $@ >> {tmp_path}/cancelled"
        for name, script in scripts.items():
            (programs / name).write_text(f"#!/bin/bash\n{script}\n")
            (programs / name).chmod(0o755)
        plan = specs("baseline", seeds=seeds)
        launch = Launch(command="x", data=tmp_path, specs=tuple(plan))
        settings = SlurmSettings(time=minutes, runs_per_job=1)
        context = RunContext(runs=runs, sources=Sources(tmp_path))
        jobs = SlurmJobs(context, settings, launch, device="cpu", jobs=None, wait=False)
        with pytest.raises(UserError) as error:
            jobs.announce(plan, [1.0] * len(plan))
            jobs.run(plan, lambda *_: None)
        return str(error.value), (tmp_path / "cancelled").exists()

    return submit


LATE = 'printf "%s|7|N/A|PENDING||x\\nother|8|N/A|PENDING||x\\n" "$(echo "$@" | grep -o "bench-[0-9a-f]*-0")"'
TIMEOUT = "echo 'sbatch: error: Socket timed out on send/recv operation' >&2; exit 1"


@pytest.mark.parametrize(
    ("sbatch", "squeue", "words"),
    [
        (
            "echo 'sbatch: lua: no'; echo 'sbatch: error: Invalid account' >&2; exit 1",
            "",
            ["refused", "Invalid account"],
        ),
        ("printf 'sbatch: lua: a\\nsbatch: error: \\e[31mred\\e[0m\\n' >&2; exit 1", "", [r"lua: a; \x1b[31mred"]),
        ("printf 'sbatch: error: Ung\\xfcltig' >&2; exit 1", "", ["Ung\ufffdltig"]),
        ("exit 3", "", ["exit code 3 and said nothing"]),
        ("echo welcome", "", ['"welcome"']),
        (TIMEOUT, "", ["timed out"]),
        (TIMEOUT, LATE, ["timed out", "queued all the same, as 7: cancelled"]),
        ("echo welcome", LATE, ['"welcome"', "as 7: cancelled"]),
        (TIMEOUT, "exit 1", ["timed out", "may be queued all the same", "bench.py cancel --runs"]),
    ],
)
def test_what_sbatch_does_not_confirm_is_asked_for_before_it_is_forgotten(
    slurm_says, tmp_path, capfd, sbatch, squeue, words
):
    said, cancelled = slurm_says(sbatch=sbatch, squeue=squeue)
    assert all(word in said for word in words) and said.isprintable(), said
    assert "job_id manually" not in said and "unknown reason" not in said and capfd.readouterr().err == ""
    assert cancelled is (squeue == LATE) and (not cancelled or "8" not in (tmp_path / "cancelled").read_text())
    left = list((tmp_path / "runs" / ".launches").iterdir())
    assert bool(left) is (squeue == "exit 1"), "`cancel` still finds it"


def test_what_was_submitted_before_a_refusal_goes_on(slurm_says, tmp_path):
    first = f"[ -e {tmp_path}/one ] && {{ {TIMEOUT}; }}; touch {tmp_path}/one; echo Submitted batch job 5"
    said, _ = slurm_says(seeds=(0, 1, 2), sbatch=first, scontrol="echo MaxArraySize = 2")
    assert said.endswith("timed out on send/recv operation; what was submitted before it goes on: 5")
    (launch,) = Journal(tmp_path / "runs").all()
    assert launch.jobs == ("5",) and len(launch.arrays) == 1 and (tmp_path / "runs/.launches" / launch.id).exists()


def test_a_grace_longer_than_the_limit_is_refused(slurm_says, tmp_path):
    said, _ = slurm_says(minutes=2)
    assert said == "--grace 120: must be less than a job's time limit (--time), 120 s"
    assert not (tmp_path / "runs").exists()
