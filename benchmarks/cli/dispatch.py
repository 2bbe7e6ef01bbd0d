"""What each verb does, but for those that write reports: a function from parsed flags to an exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.cli.values import dataset, parse_datasets
from common.errors import UserError
from common.text import printable

# What each action of `data` reads beside its name.
READS: Mapping[str, tuple[str, ...]] = {
    "list": (),
    "check": (),
    "prepare": ("from", "size"),
    "show": ("size", "noise", "seed", "out"),
}


def list_(flags: argparse.Namespace) -> int:
    """`bench.py list`."""
    from benchmarks.cli.verbs import listing

    if flags.recipe:
        if flags.methods:
            raise UserError("list --recipe: shows no methods; leave --methods out")
        names = parse_datasets(flags.datasets) if flags.datasets else ("faces",)
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
    for text in statuses.watch(runs):
        if sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")
        print(text, flush=True)
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
    for flag in ("from", "size", "noise", "seed", "out"):
        if getattr(flags, flag) is not None and flag not in READS[flags.action]:
            which = " or ".join(f"data {action}" for action, read in READS.items() if flag in read)
            raise UserError(f"data {flags.action} --{flag}: only with {which}")
    name = dataset(flags.name) if flags.name else None
    if flags.action == "list":
        print(verbs.listing(flags.data, [name] if name else ()))
        return 0
    if not name:
        raise UserError(f"data {flags.action}: NAME is missing; `python bench.py data list` shows the data sets")
    if flags.action == "check":
        text, sound = verbs.check(name, flags.data)
        print(text)
        return 0 if sound else 1
    if flags.action == "prepare":
        for line in verbs.prepare(name, flags.data, getattr(flags, "from"), flags.size):
            print(printable(line), flush=True)
        return 0
    out = flags.out or Path(f"{name.partition(':')[0]}.png")
    print(verbs.show(name, flags.data, out, flags.noise, flags.seed or 0, flags.size))
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
