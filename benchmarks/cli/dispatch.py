"""What each verb does, but for those that write reports: a function from parsed flags to an exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from common.errors import UserError


def list_(flags: argparse.Namespace) -> int:
    """`bench.py list`."""
    from benchmarks.cli.values import parse_names
    from benchmarks.cli.verbs import listing

    if flags.recipe:
        names = parse_names(flags.datasets) if flags.datasets else ("faces",)
        print("\n\n".join(listing.resolved_recipe(flags.recipe, name, flags.plugin) for name in names))
        return 0
    if flags.datasets:
        raise UserError("list --datasets: only with --recipe NAME")
    in_detail = flags.methods
    print(listing.methods_in_detail(flags.plugin) if in_detail else listing.everything(flags.data, flags.plugin))
    return 0


def status(flags: argparse.Namespace) -> int:
    """`bench.py status`."""
    from benchmarks.cli.verbs import status as statuses

    runs = flags.runs.resolve()
    if not flags.watch:
        print(statuses.status(runs, as_json_list=flags.json))
        return 0
    try:
        for text in statuses.watch(runs):
            if sys.stdout.isatty():
                print("\x1b[H\x1b[2J", end="")
            print(text, flush=True)
    except KeyboardInterrupt:
        return 130
    return 0


def cancel(flags: argparse.Namespace) -> int:
    """`bench.py cancel`."""
    from benchmarks.cli.verbs import status as statuses

    print(statuses.cancel(flags.runs.resolve()))
    return 0


def data(flags: argparse.Namespace) -> int:
    """`bench.py data list | check | prepare | show`."""
    from benchmarks.cli.verbs import data as verbs
    from benchmarks.plan.plugins import load_plugins

    load_plugins(flags.plugin)
    if flags.action == "suspects":
        raise UserError("data suspects: flags stand after it: python bench.py data suspects NAME --folds 3 ...")
    if flags.action == "list":
        print(verbs.listing(flags.data, [flags.name] if flags.name else ()))
        return 0
    if not flags.name:
        raise UserError(f"data {flags.action}: NAME is missing; `python bench.py data list` shows the data sets")
    if flags.action == "check":
        text, sound = verbs.check(flags.name, flags.data)
        print(text)
        return 0 if sound else 1
    if flags.action == "prepare":
        for line in verbs.prepare(flags.name, flags.data, flags.archive, flags.size):
            print(line, flush=True)
        return 0
    out = flags.out or Path(f"{flags.name.partition(':')[0]}.png")
    print(verbs.show(flags.name, flags.data, out, flags.noise, flags.seed, flags.size))
    return 0


def predict(flags: argparse.Namespace) -> int:
    """`bench.py predict`."""
    from benchmarks.cli.verbs import apply

    return apply.predict(flags)


def tune(flags: argparse.Namespace) -> int:
    """`bench.py tune`."""
    from benchmarks.cli.verbs import tune as verb

    return verb.tune(flags)


def evaluate(flags: argparse.Namespace) -> int:
    """`bench.py evaluate`."""
    from benchmarks.cli.verbs import apply

    return apply.evaluate(flags)


def suspects(flags: argparse.Namespace) -> int:
    """`bench.py data suspects`."""
    from benchmarks.cli.verbs import suspects as verb

    return verb.suspects(flags)


VERBS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "list": list_,
    "status": status,
    "cancel": cancel,
    "data": data,
    "predict": predict,
    "suspects": suspects,
    "tune": tune,
    "evaluate": evaluate,
}
