"""How many runs a machine carries at once: from its cores, its GPUs' memory, and what one more was measured to gain."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.errors import UserError

if TYPE_CHECKING:
    from benchmarks.plan.spec import RunSpec
    from benchmarks.train.context import RunContext

log = logging.getLogger(__name__)

MOST_PER_GPU = 8
WORTH = 1.1  # twice the runs on a GPU must do at least so much more in a second
PROBE_STEPS = 40
CONTEXT_MIB = 600  # of a GPU's memory, that a process takes before its first tensor
MEMORY_SHARE = 0.95  # of a GPU's memory, that its runs divide among them


@dataclass(frozen=True)
class Capacity:
    """How a plan is spread over a machine."""

    jobs: int
    memory_share: float | None = None  # of a GPU's memory, that each run may take


def cores() -> int:
    """Physical cores that this process may use: its affinity and its container's CPU limit count, hyper-threads not."""
    from joblib import cpu_count

    return max(1, cpu_count(only_physical_cores=True))


def capacity(asked: int | None, todo: Sequence[RunSpec], context: RunContext, devices: Sequence[str]) -> Capacity:
    """How many of `todo` to do at once on these devices. `asked` None: as many as the machine gains from.

    On a CPU every core has a thread and no core two. On GPUs the number for one of them is measured with the plan's
    largest run (a minute, spent only where there are more runs than GPUs).
    """
    wanted = max(1, len(todo))
    if devices[0] == "cpu":
        return Capacity(min(wanted, asked or max(1, cores() // context.threads)))
    if asked is None:
        asked = len(devices) * (_per_gpu(todo, context, devices) if wanted > len(devices) else 1)
    jobs = min(wanted, asked)
    on_one = -(-jobs // len(devices))
    return Capacity(jobs, MEMORY_SHARE / on_one if on_one > 1 else None)


def _per_gpu(todo: Sequence[RunSpec], context: RunContext, devices: Sequence[str]) -> int:
    """Doubled while it fits into the memory, leaves each run a core, and is worth it."""
    import torch

    from benchmarks.launch.probe import together, workers

    largest = max((spec for spec in todo if not spec.members), key=_size, default=None)
    if largest is None:
        return 1
    memory = torch.cuda.mem_get_info(devices[0])[0] / 2**20 * MEMORY_SHARE
    most = min(MOST_PER_GPU, cores() // len(devices), -(-len(todo) // len(devices)))
    best, rate, count = 1, 0.0, 1
    while count <= most:
        try:
            with workers(count, largest, context, devices[:1]) as running:
                together(running, PROBE_STEPS // 4)
                now = together(running, PROBE_STEPS)
                need = CONTEXT_MIB + max(worker.device_mib for worker in running)
        except UserError:  # so many do not fit after all
            break
        log.info("%d at once on a GPU: %.0f images/s, %.0f MiB each", count, now, need)
        if now < rate * WORTH:
            break
        best, rate, count = count, now, count * 2
        if count * need > memory:
            break  # not even tried
    return best


def _size(spec: RunSpec) -> int:
    """Pixels of a batch: what decides a run's memory, the data set's own size being the same for all."""
    return spec.recipe.batch_size * spec.recipe.input_size(0) ** 2
