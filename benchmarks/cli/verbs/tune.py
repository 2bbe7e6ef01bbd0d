"""`bench.py tune`: the learning rate of a recipe, by one protocol with the same budget for every method."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from benchmarks.cli.session import Session, leaving
from benchmarks.cli.values import dataset, parse_names
from benchmarks.plan import grid as plan
from benchmarks.plan import recipe as recipes
from benchmarks.plan.plugins import load_plugins
from benchmarks.plan.spec import Noise, RunSpec
from benchmarks.plan.suite import Arm
from benchmarks.store.record import read_record
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store
from benchmarks.train.folds import parts, with_fold
from common.errors import UserError
from common.files import atomic_write, check_writable
from common.foreign import Unreadable, read_text
from common.text import printable

LOWEST_SEED = 100  # tables take seeds from 0 on: what is chosen here is chosen on other ones
HELD_OUT = (0, 10)  # of the training set, where there is no validation split
MOST_RATES = 20
HOW = (
    "Clean labels, one seed that no table uses. Every method gets the same learning rates and the same number of "
    "epochs. What counts is the accuracy (%) of the last epoch on {split}; the test set is not looked at. In brackets: "
    "how much of it the last fifth of the epochs brought. The recipe takes the rate with the highest mean over the "
    "methods, one for all; of equal ones the lowest."
)

EDGE = (
    "The choice is at an end of the grid: a rate beyond it may be better (`--lr`; what is finished is not done again)."
)


def tune(flags: argparse.Namespace) -> int:
    """Do the runs that are not done yet, then write the section of this data set and recipe. 1 where some failed.

    That one diverged is a result: it is not done again, and its rate is not chosen.
    """
    with leaving(flags.dry_run):
        return _tune(flags)


def _tune(flags: argparse.Namespace) -> int:
    if flags.seed < LOWEST_SEED:
        raise UserError(f"--seed {flags.seed}: tables use the low ones; tune with {LOWEST_SEED} or more")
    rates = _rates(flags.lr)
    check_writable(flags.out)
    _read(flags.out)  # one that cannot be read is known now, not after all runs
    load_plugins(flags.plugin)
    request = plan.Request(
        arms=tuple(Arm(method=name) for name in parse_names(flags.methods)),
        datasets=(dataset(flags.name),),
        noise=(Noise(),),
        seeds=(flags.seed,),
        recipe=flags.recipe,
        epochs=flags.epochs,
    )
    sources = request.sources(flags.data.resolve())
    by_rate = {
        rate: plan.resolve(dataclasses.replace(request, sets=(("recipe", "lr", rate),)), sources) for rate in rates
    }
    first = next(iter(by_rate.values()))[0]
    key = first.dataset, first.recipe.image_size
    splits = sources.dataset(key[0]).load(key[1])
    has_split = splits.validation is not None
    if not has_split:
        by_rate = {rate: [with_fold(spec, HELD_OUT) for spec in specs] for rate, specs in by_rate.items()}
        parts(with_fold(first, HELD_OUT), splits.train.labels)  # too few images are known now, not in each run
    store = Store(flags.runs.resolve())
    tried = [(spec, store.run(spec)) for specs in by_rate.values() for spec in specs]
    todo = [spec for spec, folder in tried if not _diverged(folder)]
    code = Session.of(flags, todo, sources, plan.weights_file(flags.data, None), {key: splits}).run() if todo else 0
    only_diverged = code == 1 and all(folder.record.exists() or _diverged(folder) for _, folder in tried)
    if flags.dry_run or (code != 0 and not only_diverged):
        return code or 0
    found = {
        rate: {spec.method: _curve(store.run(spec), has_split) for spec in specs if spec.noise_seed is None}
        for rate, specs in by_rate.items()
    }
    split = "the validation split" if has_split else "a tenth of the training set, held out"
    text = section(first, found, flags, split)
    _replace(flags.out, text)
    print(f"{text}\nwritten: {printable(str(flags.out))}")
    return 0


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(dict.fromkeys(float(part) for part in text.split(",")))
    except ValueError:
        raise UserError(f"--lr {text}: expected learning rates separated by commas, e.g. 0.05,0.1,0.2") from None
    if not 2 <= len(rates) <= MOST_RATES or not all(0 < rate < 1e3 for rate in rates):
        raise UserError(f"--lr {text}: expected 2 to {MOST_RATES} rates above 0")
    return rates


def _diverged(folder: RunFolder) -> bool:
    state = folder.status()
    return state.state == "failed" and state.detail.startswith("Diverged")


def _curve(folder: RunFolder, has_split: bool) -> list[float]:
    """Accuracy in per cent by epoch on what the choice is made on; empty where the run diverged."""
    if _diverged(folder):
        return []
    read_record(folder.record)
    with open(folder.history, newline="", encoding="utf-8") as file:
        column = "validation_accuracy" if has_split else "test_accuracy"  # with a fold, `test` is what was held out
        return [100 * float(row[column]) for row in csv.DictReader(file)]


AccuracyCurves = Mapping[float, Mapping[str, Sequence[float]]]  # rate -> method -> accuracy by epoch, or diverged


def section(first: RunSpec, found: AccuracyCurves, flags: argparse.Namespace, split: str) -> str:
    """The tried values and the choice, as Markdown. Raises UserError where some method diverged at every rate."""
    means = {rate: mean(c[-1] for c in curves.values()) for rate, curves in found.items() if all(curves.values())}
    if not means:
        raise UserError(f"--lr {flags.lr}: at each of these rates some method diverged; try lower ones")
    equal = 9  # decimals: sums in another order differ in the last bits
    chosen = max(means, key=lambda rate: (round(means[rate], equal), -rate))
    rows = []
    for method in next(iter(found.values())):
        last = {rate: curves[method] for rate, curves in found.items() if curves[method]}
        shown = (
            f"{last[rate][-1]:.2f} ({_late_rise(last[rate]):+.2f})" if rate in last else "diverged" for rate in found
        )
        rows.append((method, *shown, f"{max(last, key=lambda rate: last[rate][-1]):g}"))
    rows.append(("mean", *(f"{means[rate]:.2f}" if rate in means else "–" for rate in found), f"**{chosen:g}**"))
    head = ("method", *(f"lr {rate:g}" for rate in found), "best")
    recipe = first.recipe
    full = recipes.load(flags.recipe, first.dataset).epochs
    part = f", {recipe.epochs} of its {full} epochs" if recipe.epochs != full else ""
    command = ["tune", flags.name, "--methods", flags.methods, "--lr", flags.lr, "--seed", str(flags.seed)]
    command += ["--recipe", flags.recipe, *(["--epochs", str(flags.epochs)] if flags.epochs else [])]
    return "\n".join(
        [
            f"## {first.dataset}, recipe {recipe.name}{part}",
            "",
            HOW.format(split=split),
            "",
            f"{recipe.epochs} epochs, {recipe.optimizer}, batch {recipe.batch_size}, {recipe.schedule.kind} schedule, "
            f"backbone {recipe.backbone}, seed {flags.seed}:",
            "",
            "| " + " | ".join(head) + " |",
            "|---|" + "---:|" * (len(head) - 1),
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
            *((EDGE, "") if chosen in (min(found), max(found)) else ()),
            "```",
            printable(f"python bench.py {shlex.join(command)}"),
            "```",
            "",
        ]
    )


def _late_rise(curve: Sequence[float]) -> float:
    """Points that the last fifth of the epochs brought."""
    return curve[-1] - curve[max(0, len(curve) - 1 - max(1, round(len(curve) / 5)))]


def _read(path: Path) -> str:
    """The page, or the beginning of one. Raises UserError for a file that is no text in UTF-8."""
    try:
        return read_text(path).replace("\r\n", "\n")
    except FileNotFoundError:
        return "# How learning rates were chosen\n\n"
    except Unreadable as error:
        raise UserError(f"--out {path}: {error}") from None


def _replace(path: Path, text: str) -> None:
    """Put a section in the place of the one with the same heading, or at the end of the file."""
    old = _read(path)
    heading = re.escape(text.split("\n", 1)[0])
    pattern = re.compile(rf"^{heading}\n.*?(?=^##? |\Z)", re.MULTILINE | re.DOTALL)
    new = pattern.sub(lambda _: text, old) if pattern.search(old) else f"{old.rstrip()}\n\n{text}"
    with atomic_write(path) as file:
        file.write(new)
