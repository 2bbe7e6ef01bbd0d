"""Time to accuracy: seconds until a level is passed, for the engine and for the usual loop, an epoch of each in turn.

Both train the same network from the same initial weights under the same schedule, and look at the same split, in one
view, after each epoch. The engine's seconds include its set-up (compiling, where asked for) and its checkpoints, the
usual loop's the start of its workers.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.launch.loop import Ours, Segment
from benchmarks.launch.probe import Worker
from benchmarks.plan.spec import RunSpec
from benchmarks.store.run_folder import RunFolder
from benchmarks.train.context import RunContext
from common.errors import UserError
from datasets.base import Splits

PLAIN = "benchmarks.speed.plain:PlainEpochs"


def measured_on(splits: Splits) -> tuple[str, Splits]:
    """The split that decides, by name, and the splits with it as their test split, alone.

    The validation split; the test split where a data set has no other.
    """
    if splits.validation is None:
        return "test", Splits(splits.train, splits.test)
    return "validation", Splits(splits.train, splits.validation)


def race(loops: Mapping[str, Callable[[], Segment]], level: float, epochs: int) -> dict[str, Any]:
    """An epoch of each loop in turn until each has passed the level or done so many; each is told on stderr."""
    found: dict[str, Any] = {name: {"seconds": None, "epochs": None, "history": []} for name in loops}
    for epoch in range(1, epochs + 1):
        for name, run in loops.items():
            one = found[name]
            if one["seconds"] is not None:
                continue
            segment = run()
            assert segment.accuracy is not None, "an epoch is evaluated"
            before = one["history"][-1]["seconds"] if one["history"] else 0.0
            row = {"epoch": epoch, "seconds": before + segment.seconds, "accuracy": segment.accuracy}
            one["history"].append(row)
            said = f"{name}: epoch {epoch}, {row['seconds']:.1f} s, accuracy {100 * segment.accuracy:.1f} %"
            print(said, file=sys.stderr, flush=True)
            if segment.accuracy >= level:
                one |= {"seconds": row["seconds"], "epochs": epoch}
    return found


def to_accuracy(spec: RunSpec, splits: Splits, context: RunContext, level: float, epochs: int | None) -> dict[str, Any]:
    """Race of the engine and the usual loop. epochs: at most so many of the recipe's. Raises UserError."""
    if not 0 < level < 1:
        raise UserError(f"--to-accuracy {level:g}: a share of right answers between 0 and 1, as 0.60")
    if spec.members:
        raise UserError(f"--to-accuracy: {spec.method} trains nothing of its own; choose one of its members' methods")
    name, splits = measured_on(splits)
    with ExitStack() as stack:
        folder = RunFolder(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        started = time.perf_counter()
        ours = Ours(spec, splits, torch.device(context.device), folder)
        set_up = iter([time.perf_counter() - started])  # seconds, counted once
        plain: list[Worker] = []

        def our_epoch() -> Segment:
            segment = ours.epoch()
            return replace(segment, seconds=segment.seconds + next(set_up, 0.0))

        def plain_epoch() -> Segment:
            """Its process starts with its first epoch: nothing of it disturbs the engine's."""
            if not plain:
                plain.append(stack.enter_context(Worker(PLAIN, spec, context, context.device)))
                plain[0].ready()
                answer = plain[0].first
            else:
                plain[0].begin(1)
                answer = plain[0].result()
            return Segment(int(answer["images"]), answer["seconds"], answer["accuracy"])

        limit = min(epochs or spec.recipe.epochs, spec.recipe.epochs)
        found = race({"ours": our_epoch, "plain": plain_epoch}, level, limit)
    both = [found[one]["seconds"] for one in ("ours", "plain")]
    ratio = None if None in both else both[0] / both[1]
    return {"split": name, "level": level, "most_epochs": limit, "loops": found, "ours/plain": ratio}


def table(found: dict[str, Any]) -> list[str]:
    """Lines for people."""
    lines = [f"\nuntil {found['split']} accuracy {100 * found['level']:.1f} %   seconds  epochs   s/epoch  best, %"]
    for name, one in found["loops"].items():
        best, rows = max(row["accuracy"] for row in one["history"]), one["history"]
        passed = "     never       -" if one["seconds"] is None else f"{one['seconds']:10.1f}{one['epochs']:8}"
        lines.append(f"  {name:<{len(lines[0]) - 38}}{passed}{rows[-1]['seconds'] / len(rows):10.2f}{100 * best:9.1f}")
    ratio = found["ours/plain"]
    if ratio is None:
        lines.append(f"no ratio: the level was not passed within {found['most_epochs']} epochs")
    else:
        lines.append(f"ours/plain: {ratio:.3f}")
    if found["split"] == "test":
        lines.append("this data set has no validation split: the test split was looked at")
    return lines
