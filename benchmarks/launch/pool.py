"""Many runs on this machine: a pool of processes, one a run, so that no run can take another down."""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from multiprocessing import resource_tracker

from benchmarks.launch import estimate
from benchmarks.launch.backlog import HELD, Backlog, Job, Outcome, Watch
from benchmarks.launch.devices import make_visible
from benchmarks.plan.spec import RunSpec
from benchmarks.store import lease as claim
from benchmarks.store.heartbeat import duration
from benchmarks.store.provenance import CHECKOUT
from benchmarks.store.run_folder import Store
from benchmarks.train.run import RunContext, execute

POLL_SECONDS = 0.5

# glibc hands freed memory back to the kernel after every step otherwise; the page faults cost up to 40 % of a CPU step.
MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "2147483647",
    "MALLOC_TOP_PAD_": "268435456",
}


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

    def estimate(self, specs: Sequence[RunSpec], splits: estimate.Loaded) -> list[float]:
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

    def run(self, specs: Sequence[RunSpec], watch: Watch) -> Outcome:
        """Do all specs; `watch` is called about twice a second with the running ones. Ctrl-C ends the runs at once:
        each has its last epoch's checkpoint."""
        processes = self._server()
        backlog, outcome = Backlog(specs, self.context), Outcome()
        try:
            while backlog.waiting or self.running:
                for slot in range(self.jobs):
                    if slot in self.running:
                        continue
                    if (found := backlog.next([job.spec for job in self.running.values()], outcome)) is None:
                        break
                    spec, after = found
                    context = replace(self.context, device=self.devices[slot % len(self.devices)])
                    process = processes.Process(target=work, args=(spec, context, after), daemon=True)
                    process.start()
                    self.running[slot] = Job(spec, process, self.store.run(spec))
                sentinels = [job.process.sentinel for job in self.running.values()]
                if sentinels:
                    multiprocessing.connection.wait(sentinels, POLL_SECONDS)
                elif backlog.waiting:
                    time.sleep(POLL_SECONDS)
                for slot, job in list(self.running.items()):
                    if not job.process.is_alive():
                        self._end(slot)
                        backlog.ended(job, outcome)
                watch([*(job.spec for job in self.running.values()), *backlog.elsewhere()], outcome)
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
        claim.forget(job.folder.path)

    def _server(self) -> multiprocessing.context.ForkServerContext:
        # The server is a fresh Python: it finds the checkout by this alone, whatever folder the user stands in.
        path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
        os.environ |= {**MALLOC, "PYTHONPATH": path}
        processes = multiprocessing.get_context("forkserver")
        # The first optimizer of a process imports torch._dynamo (seconds); the server does it once for all runs.
        processes.set_forkserver_preload(["benchmarks.train.run", "torch._dynamo"])
        resource_tracker.ensure_running()  # which would unblock SIGTERM again
        signal.pthread_sigmask(signal.SIG_BLOCK, self.shielded)  # inherited by the server and all runs
        try:
            multiprocessing.forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self.shielded)
        return processes


def work(spec: RunSpec, context: RunContext, after: int) -> None:
    """A pool process: one run, all it prints in the run's log. Ends with the launcher, whichever way that ends.

    The run is taken over from claim number `after`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the launcher, which ends its runs
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    path = Store(context.runs).run(spec).path
    try:
        held = claim.Claim.take(path, after, context.launch)
    except OSError as error:  # a full or read-only disk
        sys.exit(f"{path}: {error.strerror}")
    if held is None:
        sys.exit(HELD)
    held.keep(lost=lambda: os._exit(HELD))
    try:
        sys.exit(_work(spec, context, held))
    except claim.Superseded:
        sys.exit(HELD)
    finally:
        held.release()


def _work(spec: RunSpec, context: RunContext, held: claim.Claim) -> int:
    """The run itself, under its claim; returns the exit code."""
    folder, redo = Store(context.runs).run(spec, held), context.redo.get(spec.run_id)
    if folder.done(redo):
        return 0
    folder.clear_for_run(redo)
    with open(folder.log, "a", encoding="utf-8", buffering=1) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    if context.launch and folder.count_attempt(context.launch) > context.tries:
        reason = f"given up after {context.tries} starts without ending an epoch; raise --tries or see why"
        folder.write_failure(f"{reason}: {folder.log}", "", context.launch)
        return 1
    return 0 if execute(spec, replace(context, device=make_visible(context.device)), held) else 1
