"""`bench.py predict` and `bench.py evaluate`: what a finished run says of other images."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.apply import find
from benchmarks.cli.terminal import table
from benchmarks.cli.values import dataset, parse_datasets
from benchmarks.launch.devices import devices
from common.errors import UserError
from common.files import check_writable
from common.text import printable
from datasets.file_lists import Skipped

if TYPE_CHECKING:
    from benchmarks.apply.trained import Trained
    from datasets.base import ImageSet

SHOWN = 10  # unreadable files named on the terminal; the table has them all


def predict(flags: argparse.Namespace) -> int:
    """`bench.py predict RUN IMAGES...`. Returns 1 where some files could not be read."""
    from benchmarks.apply import contact_sheet
    from benchmarks.apply.image_files import image_paths
    from benchmarks.apply.predictions import threshold

    trained, images = _trained(flags, flags.items)
    if flags.reject is not None:  # before anything is predicted
        threshold(trained.test_uncertainty, flags.reject)
    skipped = Skipped()
    image_paths(images, skipped)
    if flags.html:
        contact_sheet.check_name(flags.html)
        if os.path.realpath(flags.html) == os.path.realpath(flags.out):
            raise UserError(f"--html {flags.html}: is the table's file, too; give each a name of its own")
        check_writable(flags.html)
    check_writable(flags.out)
    for note in skipped.notes("images"):
        print(f"note: {printable(note)}")
    found = trained.predict_files(images)
    found.to_csv(flags.out, flags.reject, flags.by)
    print(f"{len(found.files):,} images in {found.seconds:.1f} s ({len(found.files) / found.seconds:,.0f} images/s)")
    if flags.reject is not None:
        count = int(found.rejected(flags.reject, flags.by).sum())
        share = f"rejects {flags.reject:g} % of the run's own test images"
        print(f"{count:,} rejected ({count / len(found.files):.1%}): above the uncertainty that {share}")
    for reason in list(found.unreadable.values())[:SHOWN]:
        print(f"not read: {printable(reason)}", file=sys.stderr)
    if len(found.unreadable) > SHOWN:
        more = f"{len(found.unreadable) - SHOWN:,} more, in {printable(str(flags.out))}"
        print(f"not read: {more}", file=sys.stderr)
    print(f"written: {printable(str(flags.out))}")
    if flags.html:
        count = contact_sheet.write(flags.html, found, flags.reject, flags.by)
        print(f"written: {printable(str(flags.html))} ({count:,} images)")
    return 1 if found.unreadable else 0


def _trained(flags: argparse.Namespace, items: list[str]) -> tuple[Trained, list[str]]:
    """The run that is meant, and what else was named. Raises UserError."""
    if flags.best:
        folder, chosen = find.best(flags.best, flags.dataset, flags.runs)
        print(printable(chosen))
        rest = items
    elif flags.dataset:
        raise UserError("--dataset: only with --best METHOD")
    elif not items:
        raise UserError(f"{flags.verb}: RUN is missing: a run's folder or id, or --best METHOD")
    else:
        folder, rest = find.finished(items[0], flags.runs), items[1:]
    if flags.verb == "predict" and not rest:
        raise UserError("predict: IMAGES are missing: files or folders, after the run")
    from benchmarks.apply.trained import Trained

    return Trained.load(folder, devices(flags.device)[0], flags.plugin), rest


def evaluate(flags: argparse.Namespace) -> int:
    """`bench.py evaluate RUN --on NAME --corrupted`."""
    import pandas as pd

    from benchmarks.apply import corruptions, other_data, shift_figure
    from benchmarks.apply.predictions import write_csv

    if flags.own and not flags.corrupted:
        raise UserError("--own: only with --corrupted")
    if not flags.on and not flags.corrupted:
        raise UserError("evaluate: on what? --on NAME (another data set), --corrupted (its own test images), or both")
    others = parse_datasets(flags.on) if flags.on else ()
    trained, rest = _trained(flags, flags.items)
    if rest:
        raise UserError(f"evaluate: {rest[0]}: one run at a time")
    sets = [(name, other_data.load(trained, name, flags.data)) for name in others]
    own = None
    if flags.corrupted:
        name = dataset(flags.own or trained.spec.dataset)
        if not flags.own and ":" in name:
            raise UserError(f"--corrupted: where does {name} lie? give --own {name.partition(':')[0]}:PATH")
        own = other_data.own_test(trained, name, flags.data)
    out = flags.out or Path("evaluation") / trained.record.run_id
    files = [*(["other-data.csv"] if sets else []), *(["corrupted.csv", "corrupted.png"] if flags.corrupted else [])]
    for file in files:
        check_writable(out / file)
    print(printable(str(trained.spec)))
    if sets:
        for name, (test, notes) in sets:
            _print_notes(trained, printable(name), test, notes)
        rows = [other_data.evaluate(trained, name, test) for name, (test, _) in sets]
        write_csv(out / "other-data.csv", pd.DataFrame(rows))
        head = ("data set", "images", "accuracy %", "AUROC % of in against out, own score", "free score")
        print(
            table(
                head,
                [[str(row["dataset"]), f"{row['images']:,}", *map(_percent, list(row.values())[2:])] for row in rows],
            )
        )
        print(f"written: {printable(str(out / 'other-data.csv'))}")
    if own is not None:
        found = list(corruptions.evaluate(trained, own))
        write_csv(out / "corrupted.csv", pd.DataFrame(found))
        shift_figure.draw(out / "corrupted.png", found, str(trained.spec))
        keys = ("accuracy", "error_auroc", "free_error_auroc")
        head = ("corruption", "strength", "accuracy %", "AUROC % of errors, own score", "free score")
        print(
            table(
                head,
                [
                    [str(row["corruption"]), str(row["strength"]), *(_percent(row[key]) for key in keys)]
                    for row in found
                ],
            )
        )
        print(f"written: {printable(str(out / 'corrupted.csv'))}, .png")
    return 0


def _print_notes(trained: Trained, name: str, test: ImageSet, notes: Sequence[str]) -> None:
    """What a reader of the numbers must know: which images were scored, and why there is no accuracy."""
    from benchmarks.apply.other_data import strange

    print(f"note: {name}: scored are the {len(test):,} images of its test split")
    for note in notes:
        print(f"note: {note}")
    if unknown := strange(trained, test):
        shown = ", ".join(unknown[:SHOWN]) + (", ..." if len(unknown) > SHOWN else "")
        own = ", ".join(trained.class_names[:SHOWN]) + (", ..." if len(trained.class_names) > SHOWN else "")
        print(f"note: {name}: no accuracy, since {shown} are not among the run's classes ({own})")


def _percent(value: Any) -> str:
    return "" if value is None else f"{100 * value:.1f}"
