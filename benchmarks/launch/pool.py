"""Many runs on this machine: a pool of processes, one a run, so that no run can take another down."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from multiprocessing import resource_tracker, util

from benchmarks.launch import estimate
from benchmarks.launch.environment import MALLOC
from benchmarks.launch.run_queue import Job, RunQueue, RunsOutcome, Watch
from benchmarks.launch.worker import work
from benchmarks.plan.spec import RunSpec
from benchmarks.store import lease
from benchmarks.store.heartbeat import duration
from benchmarks.store.provenance import CHECKOUT
from benchmarks.store.runs import Store
from benchmarks.train.context import RunContext

POLL_SECONDS = 0.5
LONGEST = 70  # bytes of a temporary folder's name: a socket's is 32 longer, and 107 at most (103 on macOS)


class LocalPool:
    """Runs up to `jobs` specs at once. They fork from a server that has torch imported: no start-up.

    Runs that another launcher holds are left to it; they count here by what becomes of them there.
    """

    def __init__(
        self, context: RunContext, jobs: int, devices: Sequence[str], shielded: Iterable[signal.Signals] = ()
    ) -> None:
        """`shielded`: signals that are this process's affair and not the runs'."""
        self.context, self.jobs, self.devices, self.shielded = context, jobs, devices, set(shielded)
        self.store = Store(context.runs)
        self.running: dict[int, Job] = {}

    def estimate(self, specs: Sequence[RunSpec], splits: estimate.LoadedSplits) -> list[float]:
        """Seconds of each run by itself, on this machine."""
        return [*estimate.each(specs, self.context, splits).values()]

    def preview(self) -> str:
        """There is nothing to show beside the runs."""
        return ""

    def announce(self, specs: Sequence[RunSpec], seconds: Sequence[float]) -> str:
        """What `run` is going to do."""
        where = ", ".join(dict.fromkeys(self.devices))
        took = duration(sum(seconds) / self.jobs)
        return f"estimated time on this machine: {took} ({self.jobs} at once on {where})"

    def run(self, specs: Sequence[RunSpec], watch: Watch) -> RunsOutcome:
        """Do all specs; `watch` is called about twice a second with the running ones. Ctrl-C ends the runs at once:
        each has its last epoch's checkpoint."""
        processes = self._server()
        queue, outcome = RunQueue(specs, self.context), RunsOutcome()
        try:
            while queue.waiting or self.running:
                for slot in range(self.jobs):
                    if slot in self.running:
                        continue
                    if (found := queue.next([job.spec for job in self.running.values()], outcome)) is None:
                        break
                    spec, after = found
                    context = replace(self.context, device=self.devices[slot % len(self.devices)])
                    process = processes.Process(target=work, args=(spec, context, after), daemon=True)
                    process.start()
                    self.running[slot] = Job(spec, process, self.store.run(spec))
                sentinels = [job.process.sentinel for job in self.running.values()]
                if sentinels:
                    multiprocessing.connection.wait(sentinels, POLL_SECONDS)
                elif queue.waiting:
                    time.sleep(POLL_SECONDS)
                for slot, job in list(self.running.items()):
                    if not job.process.is_alive():
                        self._end(slot)
                        queue.ended(job, outcome)
                queue.settle(outcome)
                watch([*(job.spec for job in self.running.values()), *queue.elsewhere()], outcome)
        finally:
            self.stop()
        return outcome

    def stop(self, grace: float = 0.0) -> None:
        """End the runs, each as soon as the epoch that it is in is saved, but after `grace` seconds at the latest."""
        end = time.monotonic() + grace
        saved = {slot: job.folder.saved_epoch() for slot, job in self.running.items()}
        while self.running:
            for slot, job in list(self.running.items()):
                if time.monotonic() >= end or job.folder.saved_epoch() != saved[slot] or not job.process.is_alive():
                    job.process.kill()
                    self._end(slot)
            time.sleep(0.05 if self.running else 0)

    def _end(self, slot: int) -> None:
        """Bury an ended process: others may take its run at once."""
        job = self.running.pop(slot)
        job.process.join()
        lease.forget(job.folder.path)

    def _server(self) -> multiprocessing.context.ForkServerContext:
        # The server is a fresh Python: it finds the checkout by this alone, whatever folder the user stands in.
        path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
        os.environ |= {**MALLOC, "PYTHONPATH": path}
        _shorten_sockets()
        processes = multiprocessing.get_context("forkserver")
        # The first optimizer of a process imports torch._dynamo (seconds), the first evaluation scipy's and
        # scikit-learn's metrics; the server does it once for all runs.
        processes.set_forkserver_preload(["benchmarks.train.run", "torch._dynamo", "scipy.stats", "sklearn.metrics"])
        resource_tracker.ensure_running()  # which would unblock SIGTERM again
        signal.pthread_sigmask(signal.SIG_BLOCK, self.shielded)  # inherited by the server and all runs
        try:
            multiprocessing.forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self.shielded)
        return processes


def _shorten_sockets() -> None:
    """Have multiprocessing keep its sockets in /tmp where TMPDIR is too long for them, as on clusters it may be."""
    before = tempfile.gettempdir()
    if len(os.fsencode(before)) > LONGEST and os.access("/tmp", os.W_OK):
        tempfile.tempdir = "/tmp"
        try:
            util.get_temp_dir()  # made now, and kept as long as this process
        finally:
            tempfile.tempdir = before
