"""What a finished run leaves behind, and how it is read back: typed, versioned, torch-free."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.plan.spec import RunSpec
from common.files import atomic_write
from common.validation import Problem

SCHEMA = 1


class BadRecord(ValueError):
    """A record that cannot be read: truncated, foreign or of another schema. The message says which."""


class Record(BaseModel):
    """`record.json`. All accuracies and rates are fractions in [0, 1]; a metric that is not defined is null."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA
    run_id: str
    status: Literal["done"] = "done"
    spec: RunSpec
    # {"last": {...}, "best_on_test": {...}, "best_on_validation": {...} | None}; see benchmarks/metrics/ for names
    metrics: dict[str, dict[str, float | int | None] | None]
    noise: dict[str, Any]  # requested, realised, flipped rows
    relabelling: list[dict[str, Any]]  # one row an epoch that relabelled: precision, recall, share of right labels
    timing: dict[str, float | None]  # seconds, train_seconds, evaluation_seconds, images_per_second, peak_memory_mib
    provenance: dict[str, Any]  # commit, dirty, versions, hardware, device, precision, threads, data, weights


def write_record(path: Path, record: Record) -> None:
    """Write a record whole or not at all."""
    with atomic_write(path) as file:
        json.dump(record.model_dump(mode="json"), file, indent=1, allow_nan=False)
        file.write("\n")


def read_record(path: Path) -> Record:
    """The record at `path`. Raises BadRecord with the reason, FileNotFoundError when there is none."""
    text = path.read_bytes()
    try:  # the usual case, four times as fast: thousands of finished runs are skipped by reading their records
        record = Record.model_validate_json(text)
        if record.schema_version == SCHEMA and "schema_version" in record.model_fields_set:
            return record
    except ValidationError:
        pass  # below, with its reason
    try:
        content = json.loads(text.decode("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadRecord(f"not valid JSON ({error})") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA:
        raise BadRecord(f"schema {version}, this version reads schema {SCHEMA}")
    try:
        return Record.model_validate(content)
    except ValidationError as error:
        raise BadRecord(str(Problem.of(error))) from None
