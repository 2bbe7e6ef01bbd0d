"""What a SLURM job does: the local pool, on the node, over the runs that were packed into it."""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import dataclass, field, replace

import submitit

from benchmarks.launch.concurrency import capacity
from benchmarks.launch.devices import VISIBLE, devices, parts
from benchmarks.launch.pool import LocalPool
from benchmarks.plan.spec import RunSpec
from benchmarks.store import lease
from benchmarks.store.provenance import collect
from benchmarks.train.context import RunContext

log = logging.getLogger(__name__)

END_SECONDS = 30  # of the grace: what ending the runs and asking SLURM for the requeue may take


@dataclass
class Task:
    """A job's runs; what submitit pickles. `jobs` None: as many at once as the node's part carries."""

    specs: tuple[RunSpec, ...]
    context: RunContext
    device: str
    jobs: int | None
    grace: int
    pool: LocalPool | None = field(default=None, init=False)

    def __call__(self) -> None:
        """Do the runs. One that fails leaves its reason in its folder, as everywhere; the job goes on."""
        spread = devices(self.device)
        here = {key: value for key, value in collect().items() if value is not None}
        job = {"node": lease.host(), "slurm_job": os.environ.get("SLURM_JOB_ID"), VISIBLE: os.environ.get(VISIBLE)}
        context = replace(self.context, device=spread[0], provenance={**self.context.provenance, **here, **job})
        room = capacity(self.jobs or parts(spread), self.specs, context, spread)
        context = replace(context, memory_share=room.memory_share)
        # SLURM signals every process of the job. USR2 (time limit, preemption) is submitit's, which calls `checkpoint`;
        # TERM (scancel, requeue, the start of a preemption's grace) is followed by KILL: until then runs go on.
        self.pool = LocalPool(context, room.jobs, spread, shielded=(signal.SIGUSR2, signal.SIGTERM))
        outcome = self.pool.run(self.specs, lambda running, outcome: None)
        for spec in outcome.failed:
            log.warning("failed: %s: %s", spec, outcome.reasons[spec.run_id])

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """What submitit queues again after the signal: the same task. Runs end with the epoch they are in, if the
        grace is long enough for it, and give up their leases, so that the next job goes on at once."""
        if self.pool:
            self.pool.stop(max(0.0, self.grace - END_SECONDS))
        again = Task(self.specs, self.context, self.device, self.jobs, self.grace)
        return submitit.helpers.DelayedSubmission(again)
