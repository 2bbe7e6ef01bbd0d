"""Which finished run is meant: a folder, an id, or the best of a method on a data set. Torch-free."""

from __future__ import annotations

import os
import re
from pathlib import Path

from benchmarks.plan.paths import RunPath
from benchmarks.store.record import BadRecord, Record, read_record
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store
from common.errors import UserError
from common.files import user_path
from common.registry import unknown
from datasets.cache.walk import is_folder


def finished(run: str, runs: Path) -> Path:
    """The folder of a finished run, given by its path or by its id below `runs`. Raises UserError."""
    path = user_path(run)
    if is_folder(path):
        path = place(path)
        read(path)
        return path
    if not re.fullmatch(r"[0-9a-f]{8}", run):
        raise UserError(f"run '{run}': no such folder, and no id (eight hex digits, as folders of runs end in)")
    found = [folder.path for folder in Store(runs).folders() if folder.path.name.endswith(f"-{run}")]
    if not found:
        raise UserError(f"run '{run}': none of this id below {runs}")
    path = place(found[0])
    read(path)
    return path


def place(path: Path) -> Path:
    """A run's folder, absolute, by the four names that say which run it is: those given, else where its links lead."""
    here = path.absolute()
    return here if RunPath.parse(here) and ".." not in here.parts else Path(os.path.realpath(path))


def best(method: str, dataset: str | None, runs: Path) -> tuple[Path, str]:
    """The method's run with the highest accuracy of the last epoch on the test split, and what it was chosen from.

    Runs that others are made of (members, folds) are left out, and records without an accuracy. Raises UserError where
    there is none.
    """
    whole = [(path, record) for path, record in Store(runs).records() if isinstance(record, Record)]
    whole = [(path, record) for path, record in whole if record.spec.is_whole]
    measured = [(accuracy, path, record) for path, record in whole if (accuracy := _accuracy(record)) is not None]
    if not measured:
        raise UserError(f"--best {method}: there are no finished runs with an accuracy under {runs}")
    of_method = [one for one in measured if one[2].spec.method == method]
    if not of_method:
        raise unknown("method with finished runs", method, {record.spec.method for *_, record in measured})
    found = [one for one in of_method if dataset in (None, one[2].spec.dataset)]
    if not found:
        raise unknown("data set of its finished runs", str(dataset), {record.spec.dataset for *_, record in of_method})
    names = sorted({record.spec.dataset for *_, record in found})
    if len(names) > 1:
        raise UserError(f"--best {method}: it has runs on {', '.join(names)}; give --dataset")
    accuracy, path, record = max(found, key=lambda one: (one[0], str(one[2].provenance.get("finished"))))
    count = f"the best of {len(found)} runs" if len(found) > 1 else "its only run"
    return place(path), f"{record.spec}: {accuracy:.1%} on its own test split, {count}"


def read(path: Path) -> Record:
    """The record in a run's folder. Raises UserError where the run is not finished, or its record is damaged."""
    folder = RunFolder(path)
    try:
        return read_record(folder.record)
    except FileNotFoundError:
        state = folder.status()
        if state.state == "absent":
            raise UserError(f"{path}: no run's folder: it has no {folder.record.name}") from None
        raise UserError(f"{path}: this run is not finished ({state.state}: {state.detail})") from None
    except (BadRecord, OSError) as error:
        copied = "" if RunPath.parse(path) else "; wherever it is copied to, a run's folder keeps its last four names"
        raise UserError(f"{path}: its record cannot be read ({error}){copied}") from None


def _accuracy(record: Record) -> float | None:
    return (record.metrics["last"] or {}).get("accuracy")
