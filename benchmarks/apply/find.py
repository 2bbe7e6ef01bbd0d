"""Which finished run is meant: a folder, an id, or the best of a method on a data set. Torch-free."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.store.record import BadRecord, Record, read_record
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store
from common.errors import UserError
from common.registry import unknown


def finished(run: str, runs: Path) -> Path:
    """The folder of a finished run, given by its path or by its id below `runs`. Raises UserError."""
    path = Path(run).expanduser()
    if path.is_dir():
        read(path)
        return path.resolve()
    if not re.fullmatch(r"[0-9a-f]{8}", run):
        raise UserError(f"run '{run}': no such folder, and no id (eight hex digits, as folders of runs end in)")
    found = [folder.path for folder in Store(runs).folders() if folder.path.name.endswith(f"-{run}")]
    if not found:
        raise UserError(f"run '{run}': none of this id below {runs}")
    read(found[0])
    return found[0].resolve()


def best(method: str, dataset: str | None, runs: Path) -> tuple[Path, str]:
    """The method's run with the highest accuracy of the last epoch on the test split, and what it was chosen from.

    Runs that others are made of (members, folds) are left out. Raises UserError where there is none.
    """
    records = [(path, record) for path, record in Store(runs).records() if isinstance(record, Record)]
    records = [(path, record) for path, record in records if record.spec.is_whole]
    of_method = [(path, record) for path, record in records if record.spec.method == method]
    if not of_method:
        raise unknown("method with finished runs", method, {record.spec.method for _, record in records} or {"none"})
    found = [(path, record) for path, record in of_method if dataset in (None, record.spec.dataset)]
    if not found:
        raise unknown("data set of its finished runs", str(dataset), {record.spec.dataset for _, record in of_method})
    names = sorted({record.spec.dataset for _, record in found})
    if len(names) > 1:
        raise UserError(f"--best {method}: it has runs on {', '.join(names)}; give --dataset")
    path, record = max(found, key=lambda pair: (_accuracy(pair[1]), str(pair[1].provenance.get("finished"))))
    count = f"the best of {len(found)} runs" if len(found) > 1 else "its only run"
    return path.resolve(), f"{record.spec}: {_accuracy(record):.1%} on its own test split, {count}"


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
        raise UserError(f"{path}: its record cannot be read ({error})") from None


def _accuracy(record: Record) -> float:
    return float((record.metrics["last"] or {}).get("accuracy") or 0)
