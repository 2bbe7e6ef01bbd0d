"""A run's process: it takes the run's lease, writes the run's log and ends with its launcher."""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import traceback
from dataclasses import replace

from benchmarks.launch.devices import make_visible
from benchmarks.launch.run_queue import HELD, UNSAID
from benchmarks.plan.spec import RunSpec
from benchmarks.store import lease
from benchmarks.store.runs import Store
from benchmarks.train.context import RunContext
from benchmarks.train.run import execute


def work(spec: RunSpec, context: RunContext, after: int) -> None:
    """A pool process: one run, all it prints in the run's log. Ends with the launcher, whichever way that ends.

    The run is taken over from lease number `after`.
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
        held = lease.Lease.take(path, after, context.launch)
    except OSError as error:  # a full or read-only disk
        sys.exit(f"{path}: {error.strerror}")
    if held is None:
        sys.exit(HELD)
    held.keep(lost=lambda: os._exit(HELD))
    try:
        sys.exit(_work(spec, context, held))
    except lease.Superseded:
        sys.exit(HELD)
    except OSError:  # a full or read-only disk, before the run itself began
        traceback.print_exc()
        sys.exit(UNSAID)
    finally:
        held.release()


def _work(spec: RunSpec, context: RunContext, held: lease.Lease) -> int:
    """The run itself, under its lease; returns the exit code."""
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
    if execute(spec, replace(context, device=make_visible(context.device)), held):
        return 0
    return 1 if folder.failed_under() else UNSAID
