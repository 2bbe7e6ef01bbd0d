"""Images/s of the bare model, of the engine and of the usual loop, and what follows from them."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cli.flags import Parser
from benchmarks.cli.values import MOST_JOBS, MOST_THREADS, parse_names, whole
from common.errors import UserError


def _counts(text: str) -> list[int]:
    return [whole(1, MOST_JOBS)(count) for count in parse_names(text)]


def parser() -> Parser:
    """The flags."""
    top = Parser(prog="python -m benchmarks.speed", description=__doc__)
    what = top.add_argument_group("what to measure")
    what.add_argument("--dataset", metavar="NAME", help="data set (faces; fer2013 with --to-accuracy)")
    what.add_argument("--method", default="rul", metavar="NAME", help="method (rul)")
    what.add_argument("--recipe", metavar="NAME", help="quick, compact, paper (real data: paper; embedded data: quick)")
    what.add_argument("--backbone", metavar="NAME", help="instead of the recipe's")
    what.add_argument("--image-size", type=int, metavar="N", help="instead of the recipe's")
    what.add_argument("--batch", type=int, metavar="N", help="batch size instead of the recipe's")
    what.add_argument("--precision", metavar="NAME", help="auto, float32, tf32, bfloat16, float16")
    what.add_argument("--set", action="append", default=[], metavar="OWNER.KEY=VALUE", help="as in bench.py")
    what.add_argument("--plugin", type=Path, action="append", default=[], metavar="FILE", help="as in bench.py")
    what.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="where data sets lie (data)")
    parts = top.add_argument_group("parts")
    parts.add_argument(
        "--methods", metavar="A,B", help="whose steps are held against the first one's (baseline and all others); none"
    )
    parts.add_argument("--no-loops", action="store_true", help="leave the three loops and their run out")
    parts.add_argument("--jobs", type=_counts, metavar="N,N", help="and the throughput of so many runs at once")
    parts.add_argument(
        "--finished",
        type=whole(1, 10**6),
        metavar="N",
        help="and seconds to skip so many finished runs, and of `status`",
    )
    parts.add_argument(
        "--stream",
        type=whole(1, 10**13),
        metavar="N",
        help="and the data side alone of an epoch of N images in a memory map",
    )
    parts.add_argument(
        "--to-accuracy",
        type=float,
        metavar="LEVEL",
        help="instead of all that: seconds until the validation accuracy passes the level (0.60), ours and plain",
    )
    parts.add_argument("--max-epochs", type=whole(1, 10**6), metavar="N", help="give up after so many (the recipe's)")
    how = top.add_argument_group("how")
    how.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1")
    how.add_argument(
        "--threads", type=whole(1, MOST_THREADS), metavar="N", help="CPU threads (all cores; with --jobs one a run)"
    )
    how.add_argument("--repeats", type=whole(1, 1000), default=7, metavar="N", help="turns of each loop (7)")
    how.add_argument("--seconds", type=float, default=3.0, metavar="S", help="length of a turn (3)")
    how.add_argument("--json", action="store_true", help="for scripts")
    return top


def measure(flags: argparse.Namespace) -> dict[str, Any]:
    """Everything that the flags ask for. Raises UserError."""
    import torch

    from benchmarks.launch import concurrency as capacity
    from benchmarks.launch.devices import devices
    from benchmarks.plan import grid as plan
    from benchmarks.plan.paths import Sources
    from benchmarks.plan.plugins import load_plugins
    from benchmarks.speed import measure as measuring
    from benchmarks.speed import planning, streaming
    from benchmarks.speed import to_accuracy as racing
    from benchmarks.train.context import RunContext

    load_plugins(flags.plugin)
    changes = {"batch_size": flags.batch, "image_size": flags.image_size, "precision": flags.precision}
    sets = [plan.parse_set(text) for text in flags.set]
    sets += [("recipe", name, value) for name, value in changes.items() if value is not None]
    dataset = flags.dataset or ("faces" if flags.to_accuracy is None else "fer2013")
    request = {
        "datasets": (dataset,),
        "recipe": flags.recipe,
        "backbone": flags.backbone,
        "sets": tuple(item for item in sets if item[0] in ("recipe", flags.method)),
    }
    spread = devices(flags.device)
    cores = capacity.cores()
    with tempfile.TemporaryDirectory() as runs:
        context = RunContext(
            runs=Path(runs),
            sources=Sources.of(flags.data.resolve(), (dataset,), ()),
            device=spread[0],
            threads=cores if flags.threads is None else flags.threads,
            plugins=tuple(path.resolve() for path in flags.plugin),
        )
        torch.set_num_threads(context.threads)
        effort = measuring.Effort(flags.repeats, flags.seconds)
        spec = measuring.specs_of([flags.method], request, flags.data)[flags.method]
        splits = context.sources.dataset(spec.dataset).load(spec.recipe.image_size)
        found: dict[str, Any] = {
            "run": {
                "dataset": spec.dataset,
                "method": spec.method,
                "recipe": spec.recipe.name,
                "backbone": spec.recipe.backbone,
                "input_pixels": spec.recipe.input_size(splits.train.images.shape[1]),
                "batch_size": spec.recipe.batch_size,
                "train_images": len(splits.train),
            },
            "machine": measuring.machine(spec, context),
        }
        if flags.to_accuracy is not None:
            level, most = flags.to_accuracy, flags.max_epochs
            found["to_accuracy"] = racing.to_accuracy(spec, splits, context, level, most)
            return found
        if not flags.no_loops:
            found |= measuring.compare(spec, splits, context, effort)
        if flags.methods != "none":
            names = ("baseline", *measuring.trainable()) if flags.methods is None else parse_names(flags.methods)
            request["sets"] = tuple(item for item in sets if item[0] in ("recipe", *names))
            specs = measuring.specs_of(tuple(dict.fromkeys(names)), request, flags.data)
            found["steps"] = measuring.step_costs(specs, splits, torch.device(context.device), effort)
        if flags.jobs:
            one_each = replace(context, threads=flags.threads or 1)
            rates = measuring.several(flags.jobs, spec, one_each, spread, effort)
            found["jobs"] = {count: measuring.spread(values) for count, values in rates.items()}
        if flags.stream:
            _, native, _, channels = splits.train.images.shape
            count, device = flags.stream, torch.device(context.device)
            found["streaming"] = streaming.stream(count, spec, channels, native, flags.data, device)
        if flags.finished:
            found["finished_seconds"] = planning.finished(flags.finished)
    return found


def show(found: dict[str, Any]) -> str:
    """The same for people."""
    from benchmarks.speed.to_accuracy import table as racing_table

    lines = [" ".join(f"{name} {value}" for name, value in found[part].items()) for part in ("run", "machine")]

    def table(title: str, rows: dict[str, dict[str, float]], digits: int) -> None:
        width = max(map(len, rows)) + 2
        lines.append(f"\n{title:{width + 2}}{'median':>10}{'min':>10}{'max':>10}")
        for name, row in rows.items():
            values = "".join(f"{row[key]:10.{digits}f}" for key in ("median", "min", "max"))
            lines.append(f"  {name:{width}}{values}")

    if "to_accuracy" in found:
        lines += racing_table(found["to_accuracy"])
    if "ratios" in found:
        table("images/s", found["images_per_second"], 1)
        table("ratio", found["ratios"], 3)
        lines.append("")
        for view, rate in found["evaluation_images_per_second"].items():
            lines.append(f"evaluation ({view}): {rate:.1f} images/s")
        lines.append(f"evaluation each epoch: {100 * found['evaluation_share_of_epoch']:.1f} % of its training")
        checkpoint = found["checkpoint_seconds"]
        lines.append(f"an epoch: {found['epoch_seconds']:.2f} s, of it the checkpoint {checkpoint:.3f} s")
        lines.append(f"start-up, import to first step: {found['startup_seconds']:.2f} s")
        device = found["peak_device_memory_mib"]
        lines.append(
            f"peak memory: {found['peak_memory_mib']:.0f} MiB" + (f", of the device {device:.0f} MiB" if device else "")
        )
    if "steps" in found:
        first = next(iter(found["steps"]))
        table("ms a step", {name: row["milliseconds"] for name, row in found["steps"].items()}, 2)
        table(f"of {first}'s", {name: row[f"relative_to_{first}"] for name, row in found["steps"].items()}, 3)
    if "jobs" in found:
        table("runs at once: images/s", found["jobs"], 1)
    if "streaming" in found:
        rate, size, own = (found["streaming"][key] for key in ("images_per_second", "map_gib", "peak_memory_mib"))
        lines.append(f"\ndata side alone, map of {size:.1f} GiB: {rate:.0f} images/s, own memory {own:.0f} MiB")
    if "finished_seconds" in found:
        rows = {"skipping the finished runs": "skipping", "status": "status", "status again": "status_again"}
        lines += ["", *(f"{title}: {found['finished_seconds'][name]:.2f} s" for title, name in rows.items())]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Measure and print. Returns the exit code: 0, or 2 for wrong input."""
    try:
        flags = parser().parse_args(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from benchmarks.launch.environment import MALLOC

    if any(os.environ.get(name) != value for name, value in MALLOC.items()):
        # The allocator reads its settings when a process starts: launched runs have them from their launcher.
        command = [sys.executable, "-m", "benchmarks.speed", *arguments]
        os.execve(sys.executable, command, {**os.environ, **MALLOC})
    try:
        found = measure(flags)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(found, indent=1) if flags.json else show(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
