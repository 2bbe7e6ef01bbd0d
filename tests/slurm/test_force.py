"""Finished runs done again (`--force`): on a real SLURM."""

import json

from tests.runs import RUN, wait_for
from tests.slurm.conftest import ON_SLURM


def test_a_forced_run_is_queued_once_and_its_launch_is_kept(terminal, cluster, tmp_path):
    terminal(*RUN)
    assert "submitted 1 jobs" in terminal(*RUN, *ON_SLURM, "--force", "--slurm-set", "hold=true")
    (state,) = json.loads(terminal("status", "--json"))
    assert state["state"] == "queued" and "to be done again" in state["detail"]
    again = terminal(*RUN, *ON_SLURM, "--force")
    assert "1 queued or running already" in again and "submitted" not in again
    terminal(*RUN[:-1], "2")
    (state, other) = sorted(json.loads(terminal("status", "--json")), key=lambda one: one["state"], reverse=True)
    assert (state["state"], other["state"]) == ("queued", "done"), (state, other)
    (job,) = cluster.jobs("%i")
    waiting = terminal(*RUN, *ON_SLURM, "--force", "--wait", wait=None)
    cluster.call("scontrol", "release", job)
    output, _ = waiting.communicate(timeout=200)
    assert "1 runs done, 0 failed" in output, output
    assert len(list((tmp_path / "runs").rglob("*.aside-1"))) == 1
    assert {one["state"] for one in json.loads(terminal("status", "--json"))} == {"done"}
    wait_for(lambda: not cluster.jobs("%i"))
    terminal(*RUN[:-1], "3")
    assert len(list((tmp_path / "runs" / ".launches").glob("*.json"))) == 1
