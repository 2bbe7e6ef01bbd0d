"""What the flags of `run` ask for, as a request that `plan.grid` resolves."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli.values import parse_datasets, parse_names, parse_noise, parse_seeds
from benchmarks.launch.devices import devices
from benchmarks.plan import grid as plan
from benchmarks.plan import suite
from benchmarks.plan.paths import RunPath
from benchmarks.plan.recipe import RECIPES
from benchmarks.plan.suite import Arm
from benchmarks.store.record import Record
from benchmarks.store.runs import Store
from common.registry import unknown
from datasets.registry import DATASETS

PAPER_METHODS = ("baseline", "scn", "dul", "conf", "rul")


def from_flags(flags: argparse.Namespace) -> plan.Request:
    """The grid that was asked for. Raises UserError for a value that is not valid."""
    changes: dict[str, Any] = {
        "recipe": flags.recipe,
        "epochs": flags.epochs,
        "backbone": flags.backbone,
        "real_recipe": "compact" if without_gpu(flags) else "paper",
        "own_protocols": flags.protocol == "own",
        "sets": tuple(plan.parse_set(text) for text in flags.set),
    }
    if flags.datasets is not None:
        changes["datasets"] = parse_datasets(flags.datasets)
    if flags.noise is not None:
        changes["noise"] = parse_noise(flags.noise)
    if flags.seeds is not None:
        changes["seeds"] = parse_seeds(flags.seeds)
    if flags.suite:
        wanted = suite.load(flags.suite)
        if flags.methods:
            changes["arms"] = _arms(wanted.arms, parse_names(flags.methods))
        return plan.from_suite(wanted, flags.data, **changes)
    arms = tuple(Arm(method=name) for name in (parse_names(flags.methods) if flags.methods else PAPER_METHODS))
    defaults = {"datasets": ("faces",), "noise": parse_noise("0.1,0.2,0.3"), "seeds": parse_seeds("3")}
    return plan.Request(arms=arms, **{**defaults, **changes})


def without_gpu(flags: argparse.Namespace) -> bool:
    """Whether the runs are done on this machine's CPU, where the paper's schedule takes weeks."""
    return not flags.slurm and devices(flags.device) == ["cpu"]


def check_shown(roots: Sequence[Path], datasets: Sequence[str], recipe: str | None) -> None:
    """Raise UserError for a data set or recipe that nothing below the runs folders can be of."""
    stores = [Store(root) for root in roots]
    for name in datasets:
        if name in DATASETS:  # of others, a plug-in's or a folder's, the runs know
            continue
        found = {folder.path.parts[-4] for store in stores for folder in store.folders()}
        if RunPath(name, "", "", 0, "").relative.parts[0] not in found:
            raise unknown("data set", name, {*DATASETS, *found})
    if recipe is None or RECIPES.name_of(recipe) in RECIPES.names():
        return
    records = (record for store in stores for _, record in store.records() if isinstance(record, Record))
    of_runs = {record.spec.recipe.name for record in records}
    if RECIPES.name_of(recipe) not in of_runs:
        raise unknown("recipe", recipe, {*RECIPES.names(), *of_runs})


def _arms(arms: Sequence[Arm], wanted: Sequence[str]) -> tuple[Arm, ...]:
    """A suite's arms of the wanted methods; methods that the suite lacks come with their defaults."""
    missing = [Arm(method=name) for name in wanted if name not in {arm.method for arm in arms}]
    return (*(arm for arm in arms if arm.method in wanted), *missing)
