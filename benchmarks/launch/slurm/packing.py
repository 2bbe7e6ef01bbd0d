"""How runs are packed into jobs, and how much time a job is given. Seconds are estimates of one run on one device."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchmarks.plan.spec import RunSpec

# A job costs its start (Python, torch, the data: half a minute) and its turn in the queue. From so much work on that
# is a tenth at most, and smaller jobs are spread over more nodes.
WORTH_SECONDS = 600.0
# A time limit is twice the estimate and this on top: an estimate is no promise, and what is too long waits longer.
START_MINUTES = 15
UNKNOWN_SECONDS = 4 * 3600.0  # a run on a device that nothing was measured on yet


def pack(
    specs: Sequence[RunSpec], seconds: Mapping[str, float], at_once: int, runs_per_job: int | None = None
) -> list[tuple[RunSpec, ...]]:
    """Jobs of runs that follow each other in the plan, each doing `at_once` at a time.

    A job takes runs until it has ten minutes' work, or `runs_per_job`. A run that is made of others comes into one job
    with those of them that are in the plan.
    """
    jobs: list[tuple[RunSpec, ...]] = []
    current: list[RunSpec] = []
    work = 0.0
    for together in _families(specs):
        took = sum(seconds[spec.run_id] for spec in together)
        full = (
            len(current) >= runs_per_job
            if runs_per_job
            else len(current) >= at_once and work >= WORTH_SECONDS * at_once
        )
        if current and full:
            jobs.append(tuple(current))
            current, work = [], 0.0
        current += together
        work += took
    return [*jobs, tuple(current)] if current else jobs


def time_limit(jobs: Sequence[Sequence[RunSpec]], seconds: Mapping[str, float], at_once: int) -> int:
    """Minutes that the longest of the jobs may take."""
    longest = max(
        max(sum(seconds[spec.run_id] for spec in job) / at_once, max(seconds[spec.run_id] for spec in job))
        for job in jobs
    )
    minutes = START_MINUTES + 2 * longest / 60
    return math.ceil(minutes / 5) * 5


def _families(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Runs that cannot be done without each other, in the plan's order."""
    family: dict[str, list[RunSpec]] = {spec.run_id: [spec] for spec in specs}
    for spec in specs:
        for member in spec.members:
            mine, other = family[spec.run_id], family.get(member.run_id)
            if other is None or other is mine:
                continue
            mine += other
            family |= {one.run_id: mine for one in other}
    order = {spec.run_id: place for place, spec in enumerate(specs)}
    distinct = {id(one): one for one in family.values()}
    return [sorted(one, key=lambda spec: order[spec.run_id]) for one in distinct.values()]
