"""What a run needs to know of the machine. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.plan.paths import Sources


@dataclass(frozen=True)
class RunContext:
    """What a run needs to know of the machine: never part of its identity, all of it picklable."""

    runs: Path
    sources: Sources
    device: str = "cpu"
    threads: int = 1
    memory_share: float | None = None  # of the GPU's memory that the run may take, where several share one
    weights: Path | None = None
    plugins: tuple[Path, ...] = ()
    # Which command this is, and how often a run may start under it without ending an epoch before it counts as failed.
    launch: str = ""
    tries: int = 3
    redo: Mapping[str, str] = field(default_factory=dict)  # run id -> fingerprint of the record to be done again
    log: str | None = None  # "tensorboard": live curves
    provenance: dict[str, Any] = field(default_factory=dict)
