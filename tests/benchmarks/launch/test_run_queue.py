"""The runs of a pool that wait: what is said of those that others are at work on, and of those that failed."""

import json
import time

import pytest

from benchmarks.launch.run_queue import UNSAID, Job, RunQueue, RunsOutcome
from benchmarks.plan.paths import Sources
from benchmarks.store import lease, run_folder
from benchmarks.store.runs import Store
from benchmarks.train.context import RunContext


@pytest.fixture
def context(tmp_path):
    return RunContext(runs=tmp_path / "runs", sources=Sources(tmp_path))


def test_what_others_have_ended_is_counted_while_no_process_is_free(specs, context, monkeypatch):
    """With one process at work on a long run, the view told for an hour of a run that was over elsewhere."""
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.0)
    ended, given_up, own = specs("rul", seeds=(0, 1, 2))
    held = {spec.run_id: lease.Lease.take(Store(context.runs).run(spec).path, 0) for spec in (ended, given_up)}
    queue, outcome = RunQueue([ended, given_up, own], context), RunsOutcome()
    assert queue.next([], outcome) == (own, 0)
    assert queue.elsewhere() == [ended, given_up]
    queue.settle(outcome)
    assert queue.elsewhere() == [ended, given_up] and not outcome.failed
    Store(context.runs).run(ended).write_failure("diverged", "")
    for one in held.values():
        one.release()
    time.sleep(0.05)  # until both are due to be looked at again
    queue.settle(outcome)
    assert outcome.failed == [ended] and not queue.elsewhere()
    assert queue.next([own], outcome) == (given_up, 0) and not queue.waiting


@pytest.mark.parametrize("free", [0, 2**40])
def test_a_full_disk_is_named_as_the_reason(specs, context, monkeypatch, free):
    (spec,) = specs("rul")
    monkeypatch.setattr(run_folder.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": free}))
    queue, outcome = RunQueue([spec], context), RunsOutcome()
    job = Job(spec, type("Process", (), {"exitcode": UNSAID})(), Store(context.runs).run(spec))
    queue.ended(job, outcome)
    reason = outcome.reasons[spec.run_id]
    assert "is the disk of the runs folder full" in reason
    assert ("0 MiB free" in reason) is (free == 0)
    said = json.loads(job.folder.failure.read_text())["message"]
    assert ("0 MiB free" in said) is (free == 0)
