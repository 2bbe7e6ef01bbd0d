"""A panel's figures are drawn again only if something that they are made of has changed: runs, style or code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.store.run_folder import RunFolder
from common.files import atomic_write
from reports.runs.predictions import SHARED

if TYPE_CHECKING:
    from reports.figures.panels import Panel

_ROOT = Path(__file__).parents[2]
_CODE = ("reports/figures", "reports/runs", "reports/paper", "reports/stats", "benchmarks/metrics")


@cache
def _code() -> str:
    """Digest of the code and the paper's numbers that a figure depends on, and of the libraries' versions."""
    import matplotlib
    import numpy as np

    digest = hashlib.sha256(f"{matplotlib.__version__} {np.__version__}".encode())
    for folder in _CODE:
        for path in sorted((_ROOT / folder).glob("*.[pt][yo]*")):  # .py and .toml
            digest.update(path.read_bytes())
    return digest.hexdigest()


def key(panel: Panel) -> str:
    """Digest of all that the figures of a panel are made of, from the files as they lie: no array is read."""
    digest = hashlib.sha256(_code().encode())
    digest.update(repr((panel.dataset, panel.noise, panel.setup, panel.cleanest, panel.label, panel.notes)).encode())
    for arm in panel.arms:
        names = arm.group.runs["class_names"].iloc[0]
        digest.update(repr((arm.name, arm.color, arm.dash, sorted(arm.group.runs["seed"]), names)).encode())
        for folder in arm.group.runs["folder"]:
            for path in (RunFolder(folder).predictions, RunFolder(folder).history):
                digest.update(_digest([path]).encode())
    for root in sorted({folder.parents[3] for arm in panel.arms for folder in arm.group.runs["folder"]}):
        digest.update(_digest(sorted((root / SHARED).glob("*.npz"))).encode())
    return digest.hexdigest()


def _digest(paths: Iterable[Path]) -> str:
    """Of the files' content; a missing file counts as such."""
    found = [hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in paths]
    return hashlib.sha256(" ".join(found).encode()).hexdigest()


Listed = list[tuple[str, str, str, list[str]]]  # name, title, caption, files of each figure


def kept(memory: Path, wanted: str) -> Listed | None:
    """What was drawn the last time, where that was for the same `wanted` and its files are still as they were."""
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
        listed: Listed = [(name, title, caption, files) for name, title, caption, files in known["figures"]]
        if known["key"] == wanted and known["files"] == _digest(_files(listed)):
            return listed
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none yet, or a damaged one: drawn anew
    return None


def keep(memory: Path, wanted: str, listed: Listed) -> None:
    """Remember what was drawn, and how its files are."""
    with atomic_write(memory, sync=False) as file:
        json.dump({"key": wanted, "files": _digest(_files(listed)), "figures": listed}, file)


def _files(listed: Listed) -> list[Path]:
    return [Path(file) for *_, files in listed for file in files]
