"""What a finished run leaves behind, and how it is read back: typed, versioned, torch-free."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.plan.spec import RunSpec, hash_of
from common.files import atomic_write
from common.foreign import Unreadable, read_json, validated

SCHEMA = 1


class BadRecord(Unreadable):
    """A record that cannot be used: truncated, foreign, of another schema or of another run. The message says which."""


class Record(BaseModel):
    """`record.json`. All accuracies and rates are fractions in [0, 1]; a metric that is not defined is null."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    schema_version: int = SCHEMA
    run_id: str
    status: Literal["done"] = "done"
    spec: RunSpec
    # {"last": {...}, "best_on_test": {...}, "best_on_validation": {...} | None}; see benchmarks/metrics/ for names
    metrics: dict[str, dict[str, float | int | None] | None]
    noise: dict[str, Any]  # requested, realised, flipped rows
    relabelling: list[dict[str, Any]]  # one row an epoch that relabelled: precision, recall, share of right labels
    # seconds, train_seconds, evaluation_seconds, images_per_second, peak_memory_mib; load: the machine's, median of the
    # one-minute averages at the epochs' ends
    timing: dict[str, float | None]
    provenance: dict[str, Any]  # commit, dirty, versions, hardware, device, precision, threads, data, weights


def write_record(path: Path, record: Record) -> None:
    """Write a record whole or not at all."""
    with atomic_write(path) as file:
        json.dump(record.model_dump(mode="json"), file, indent=1, allow_nan=False)
        file.write("\n")


def read_record(path: Path) -> Record:
    """The record at `path`, of the run that its folder is named for. Raises BadRecord with the reason,
    FileNotFoundError when there is none."""
    try:
        content = read_json(path)
        version = content.get("schema_version") if isinstance(content, dict) else None
        if version != SCHEMA:
            raise Unreadable(f"schema {version!r:.20}, this version reads schema {SCHEMA}")
        record = validated(content, Record)
    except Unreadable as error:
        raise BadRecord(str(error)) from None
    # What `write_record` wrote hashes as it stands, in a quarter of the time that it takes to build it again.
    if hash_of(content["spec"]) != record.run_id != record.spec.run_id:
        raise BadRecord(f"its settings are those of run {record.spec.run_id}, not of {record.run_id:.20}")
    own = record.spec.path_of(record.run_id)
    place = os.path.abspath(path).split(os.sep)[-5:-1]  # noqa: PTH100, PTH206 -- a tenth of pathlib's time
    if tuple(place) != own.parts:
        raise BadRecord(f"it is the record of another run: {own}")
    return record
