"""`bench.py data suspects NAME`: folds as ordinary runs, then a ranking of the training images by their labels."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.apply import picture
from benchmarks.apply.predictions import write_csv
from benchmarks.apply.suspects import Suspects, check_cleanlab, cleanlab_issues, collect, folded
from benchmarks.cli.request import without_gpu
from benchmarks.cli.session import Session, leaving
from benchmarks.cli.terminal import table
from benchmarks.cli.values import dataset, parse_names, parse_noise
from benchmarks.plan import grid as plan
from benchmarks.plan.paths import Sources
from benchmarks.plan.plugins import load_plugins
from benchmarks.plan.spec import RunSpec
from benchmarks.plan.suite import Arm
from benchmarks.store.record import read_record
from benchmarks.store.runs import Store
from benchmarks.train.build import label_noise
from benchmarks.train.folds import parts
from common.errors import UserError
from common.files import atomic_write, check_writable, user_path
from common.text import printable
from datasets.base import Splits


def suspects(flags: argparse.Namespace) -> int:
    """Do the runs that are not done yet, then write tables and pictures. Returns 1 where some run failed."""
    with leaving(flags.dry_run):
        return _suspects(flags)


def _suspects(flags: argparse.Namespace) -> int:
    if flags.cleanlab:
        check_cleanlab()
    load_plugins(flags.plugin)
    noise = parse_noise(flags.noise) if flags.noise else parse_noise("0")
    if len(noise) > 1:
        raise UserError(f"--noise {flags.noise}: one kind of noise at a time")
    if flags.noise and flags.clean:
        raise UserError("--clean: with --noise the clean labels are the data set's own")
    methods = parse_names(flags.methods)
    request = plan.Request(
        arms=tuple(Arm(method=method) for method in methods),
        datasets=(dataset(flags.name),),
        noise=noise,
        seeds=(flags.seed,),
        recipe=flags.recipe,
        epochs=flags.epochs,
        backbone=flags.backbone,
        real_recipe="compact" if without_gpu(flags) else "paper",
        sets=tuple(plan.parse_set(text) for text in flags.set),
    )
    sources = request.sources(flags.data.resolve())
    weights = plan.weights_file(flags.data, flags.weights)
    specs = folded(plan.resolve(request, sources, flags.weights), flags.folds)
    out = flags.out or Path("suspects") / folder_of(flags.name)
    for name in methods:
        check_writable(out / f"{name}.csv")
    key = specs[0].dataset, specs[0].recipe.image_size
    splits = sources.dataset(key[0]).load(key[1])
    parts(specs[0], splits.train.labels)  # too few images are known now, not in each run
    wrong = known_wrong(flags.clean, splits, specs[0], sources)
    print(
        f"note: judged are the {len(splits.train):,} training images, not the {len(splits.test):,} of the test split; "
        "in a folder of your own, train/<class>/ and test/<class>/ say which are which"
    )
    code = Session.of(flags, specs, sources, weights, {key: splits}).run()
    if code:
        return code
    if code is None:  # a dry run, or jobs that nobody waits for
        if flags.slurm and not flags.dry_run:
            print("when they are done, the same command writes the ranking")
        return 0
    _write(out, flags, [_method(specs, name, flags, splits, sources, wrong) for name in methods])
    return 0


def known_wrong(clean: Path | None, splits: Splits, spec: RunSpec, sources: Sources) -> np.ndarray | None:
    """[N] bool: which of the labels to be judged are wrong, where somebody knows."""
    if clean is None:
        noisy = label_noise(spec, splits.train, sources)
        return noisy.mask if noisy.mask.any() else None
    from datasets.noise.lists import published

    if not clean.is_file():
        raise UserError(f"--clean {clean}: no such file")
    wrong = published(splits.train, clean)[0] != splits.train.labels
    if not wrong.any():
        raise UserError(f"--clean {clean}: gives every image the label that it has: there is nothing to find")
    return wrong


def _method(
    specs: Sequence[RunSpec],
    name: str,
    flags: argparse.Namespace,
    splits: Splits,
    sources: Sources,
    wrong: np.ndarray | None,
) -> Suspects:
    own = [spec for spec in specs if spec.method == name and spec.noise_seed is None]
    given = label_noise(own[0], splits.train, sources).labels
    store = Store(flags.runs.resolve())
    seconds = sum(read_record(store.run(spec).record).timing["seconds"] or 0 for spec in own)
    print(f"{name}: {len(own)} folds over {len(given):,} images, {seconds:,.0f} s of training and evaluation")
    return collect(own, store, splits.train, given, wrong)


def folder_of(name: str) -> str:
    """What the folder for a data set's results is called: `digits`, `folder-mine`, `ck+` for `folder:/my/ck+`."""
    last = name.rstrip("/").rpartition("/")[2]
    if last.rpartition(":")[2] in ("", ".", "..", "~"):  # says nothing: the folder's own name does
        kind, _, path = name.partition(":")
        last = Path(os.path.realpath(user_path(path))).name or kind
    return last.replace(":", "-")


def _write(out: Path, flags: argparse.Namespace, every: Sequence[Suspects]) -> None:
    summary: list[dict[str, Any]] = []
    for found in every:
        started = time.perf_counter()
        frame = found.frame()
        if flags.cleanlab:
            frame["cleanlab"] = cleanlab_issues(found)[found.order]
        write_csv(out / f"{found.method}.csv", frame)
        with atomic_write(out / f"{found.method}.png", "wb", keep=True) as file:
            picture.draw(found).save(file, "PNG")
        print(f"written: {printable(str(out / found.method))}.csv, .png ({time.perf_counter() - started:.1f} s)")
        summary += [{"method": found.method, **row} for row in found.quality()]
    if not summary:
        print("whether the ranking is right nobody knows here: --noise 0.3 measures it on labels that are flipped")
        return
    write_csv(out / "finding-wrong-labels.csv", pd.DataFrame(summary))
    wrong = every[0].wrong
    assert wrong is not None
    head = ("method", "score", "AUROC %", *(f"precision % in the top {n} %" for n in (10, 20, 30)))
    title = f"Finding wrong labels: {printable(flags.name)}, {wrong.mean():.1%} of {len(wrong):,} labels are wrong"
    print(
        table(
            head, [[str(row["method"]), row["score"], *map(_percent, list(row.values())[2:])] for row in summary], title
        )
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
