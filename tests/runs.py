"""Tiny runs whose epochs last as long as one likes, and how their records are held against undisturbed ones."""

from __future__ import annotations

import json
import time
from pathlib import Path

from benchmarks.store.record import read_record
from common.files import atomic_write

CHECKOUT = Path(__file__).resolve().parent.parent
RUN = ("--plugin", str(Path(__file__).with_name("tiny_plugin.py")), "--datasets", "dots", "--methods", "slow")
RUN += ("--noise", "0.2", "--epochs", "8", "--seeds", "1")


def wait_for(condition, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


def metrics(runs: Path) -> dict[str, dict]:
    """Run id -> metrics of every record below a folder; each run has one, and nothing half-done lies beside it."""
    paths = [path for path in sorted(runs.rglob("record.json")) if ".aside-" not in str(path)]
    found = {record.run_id: record.metrics for record in map(read_record, paths)}
    assert len(found) == len(paths)
    for path in paths:
        assert path.with_name("predictions.npz").exists() and path.with_name("history.csv").exists()
        left = [one.name for one in path.parent.iterdir()]
        assert not [name for name in left if name.startswith(("lease-", "progress", "failure", "attempts", "."))], left
    return found


def same(runs: Path, undisturbed: dict[str, dict], count: int = 1) -> bool:
    """Whether there are so many records, all as they are undisturbed."""
    found = metrics(runs)
    return len(found) == count and all(undisturbed[run_id] == one for run_id, one in found.items())


def epochs(runs: Path) -> int:
    """The furthest epoch that an unfinished run has saved."""
    return max((json.loads(path.read_text())["epoch"] for path in runs.rglob("progress.json")), default=0)


class Pace:
    """How long an epoch lasts, in runs that have `variable` in their environment; changed at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.variable = {"SLOW_FILE": str(path)}
        self.set(0)

    def set(self, seconds: float) -> None:
        with atomic_write(self.path) as file:
            file.write(str(seconds))
