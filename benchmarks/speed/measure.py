"""Measuring: loops in turn, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.launch.loop import Ours, Segment
from benchmarks.launch.probe import OURS, Worker, together, workers
from benchmarks.plan import grid as plan
from benchmarks.plan.spec import Noise, RunSpec
from benchmarks.plan.suite import Arm
from benchmarks.speed.loops import Limit
from benchmarks.store.provenance import collect
from benchmarks.store.run_folder import RunFolder
from benchmarks.train.context import RunContext
from benchmarks.train.step.precision import Precision, device_name
from datasets.base import Splits
from methods.core.contract import trains
from methods.registry import METHODS

Rates = dict[str, list[float]]  # images/s of each loop, one value a turn


PLAIN = "benchmarks.speed.plain:Plain"


@dataclass(frozen=True)
class Effort:
    """How much to measure."""

    repeats: int  # turns of each loop
    seconds: float  # a turn's length, about


def specs_of(methods: Sequence[str], request: Mapping[str, Any], data: Path) -> dict[str, RunSpec]:
    """One run of each method: seed 0, no label noise. `request` as plan.Request has it. Raises UserError."""
    arms = tuple(Arm(method=name) for name in methods)
    asked = plan.Request(arms=arms, noise=(Noise(),), seeds=(0,), **request)
    return {spec.method: spec for spec in plan.resolve(asked, asked.sources(data))}


def trainable() -> list[str]:
    """Every method that has a training of its own."""
    return [name for name in METHODS if trains(METHODS.load(name))]


def compare(spec: RunSpec, splits: Splits, context: RunContext, effort: Effort) -> dict[str, Any]:
    """The run against its limit and the usual loop; its evaluation, start-up, checkpoint and memory."""
    device = torch.device(context.device)
    with ExitStack() as stack:
        folder = RunFolder(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        plain = stack.enter_context(Worker(PLAIN, spec, context, context.device))
        plain.ready()
        with Worker(OURS, spec, context, context.device) as alone:
            startup = alone.ready()
            alone.begin(3)
            memory = alone.result()
        limit, ours = Limit(spec, splits, device), Ours(spec, splits, device, folder)

        def by_worker(steps: int) -> Segment:
            plain.begin(steps)
            answer = plain.result()
            return Segment(int(answer["images"]), answer["seconds"])

        checkpoints: list[float] = []
        rates = in_turn(
            {"limit": limit.run, "ours": ours.run, "plain": by_worker},
            spec.recipe.batch_size,
            effort,
            lambda: checkpoints.append(ours.checkpoint()),
        )
        # A turn is a small part of an epoch; a checkpoint is written once an epoch.
        pause = statistics.median(checkpoints)
        rates["ours"] = [ours.whole / (ours.whole / rate + pause) for rate in rates["ours"]]
        ready = max(1, round(effort.seconds * statistics.median(rates["limit"])))
        evaluation = {
            view: segment.images / segment.seconds for view, segment in ours.evaluate(min(ready, 2000)).items()
        }
    measured = len(splits.test) + (len(splits.validation) if splits.validation else 0)
    epoch = len(splits.train) / statistics.median(rates["ours"])
    return {
        "images_per_second": {name: spread(values) for name, values in rates.items()},
        "ratios": {
            f"ours/{other}": spread([a / b for a, b in zip(rates["ours"], rates[other], strict=True)])
            for other in ("limit", "plain")
        },
        "epoch_seconds": epoch,
        "checkpoint_seconds": pause,
        "evaluation_images_per_second": evaluation,
        "evaluation_share_of_epoch": measured / evaluation["single"] / epoch,
        "startup_seconds": startup,
        "peak_memory_mib": memory["host_mib"],
        "peak_device_memory_mib": memory.get("device_mib"),
    }


def step_costs(specs: Mapping[str, RunSpec], splits: Splits, device: torch.device, effort: Effort) -> dict[str, Any]:
    """Each method's bare step: milliseconds, and relative to the first one's."""
    loops = {name: Limit(spec, splits, device) for name, spec in specs.items()}
    first = next(iter(specs))
    size = specs[first].recipe.batch_size
    rates = in_turn({name: loop.run for name, loop in loops.items()}, size, effort)
    return {
        name: {
            "milliseconds": spread([1000 * size / rate for rate in values]),
            f"relative_to_{first}": spread([a / b for a, b in zip(rates[first], values, strict=True)]),
        }
        for name, values in rates.items()
    }


def several(counts: Sequence[int], spec: RunSpec, context: RunContext, devices: Sequence[str], effort: Effort) -> Rates:
    """Images/s of so many runs at once, summed, each in a process of its own, spread over the devices."""
    found: Rates = {}
    for count in sorted(counts):
        with workers(count, spec, context, devices) as running:
            together(running, 1)
            steps = _steps(effort.seconds, together(running, 2) / count, spec.recipe.batch_size)
            found[str(count)] = [together(running, steps) for _ in range(effort.repeats)]
    return found


def in_turn(
    loops: Mapping[str, Callable[[int], Segment]],
    batch_size: int,
    effort: Effort,
    after: Callable[[], None] | None = None,
) -> Rates:
    """Images/s of each loop, `repeats` times in turn; `after` is called after each round."""
    steps = {}
    for name, run in loops.items():
        run(1)  # the first steps are slower: memory, algorithms
        trial = run(2)
        steps[name] = _steps(effort.seconds, trial.images / trial.seconds, batch_size)
    rates: Rates = {name: [] for name in loops}
    for _ in range(effort.repeats):
        for name, run in loops.items():
            segment = run(steps[name])
            rates[name].append(segment.images / segment.seconds)
        if after is not None:
            after()
    return rates


def machine(spec: RunSpec, context: RunContext) -> dict[str, Any]:
    """What it was measured on."""
    device, here = torch.device(context.device), collect()
    return {
        "processor": here["processor"],
        "cores": here["cores"],
        "threads": context.threads,
        "device": device_name(device),
        "precision": Precision.of(spec.recipe, device).name,
        "torch": torch.__version__,
        "commit": here["commit"],
        "dirty": here["dirty"],
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and extremes."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _steps(seconds: float, rate: float, batch_size: int) -> int:
    return max(1, round(seconds * rate / batch_size))
