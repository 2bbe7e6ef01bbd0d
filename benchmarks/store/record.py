"""What a finished run leaves behind, and how it is read back: typed, versioned, torch-free."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from benchmarks.plan.spec import RunSpec, hash_of
from common.files import atomic_write
from common.foreign import Foreign, Unreadable, read_json, validated
from common.validation import Problem

SCHEMA = 1
MOST = 1e12  # seconds, images a second, MiB: no run has so many, and what is computed from them stays a number
SLOWEST = 1e-6  # images a second


class BadRecord(Unreadable):
    """A record that cannot be used: truncated, foreign, of another schema or of another run. The message says which."""


class _Data(Foreign):
    classes: Sequence[str] = ()
    notes: Sequence[str] = ()


class _Provenance(Foreign):
    """What is read of where a run comes from; the rest is for people to read."""

    commit: str | None = None
    dirty: bool | None = None
    processor: str | None = None
    precision: str | None = None
    threads: int | None = Field(None, ge=0, le=10**6)
    parameters: int | None = Field(None, ge=0, le=10**15)
    machines: Sequence[Any] = ()
    plugins: Mapping[str, str] | None = None
    data: _Data | None = None


class _Noise(Foreign):
    requested: float = Field(0.0, ge=0, le=1)
    realised: float | None = Field(None, ge=0, le=1)


def _of(kind: type[Foreign]) -> AfterValidator:
    """The parts of a dictionary that are read are of these types; it stays as it is."""

    def check(content: dict[str, Any]) -> dict[str, Any]:
        try:
            kind.model_validate(content, strict=True)
        except ValidationError as error:
            raise ValueError(str(Problem.of(error))) from None
        return content

    return AfterValidator(check)


def _possible(metrics: Any) -> Any:
    """Metrics as a run can have them. Raises ValueError that names the first that is not."""
    if not isinstance(metrics, Mapping) or not all(isinstance(part, Mapping | None) for part in metrics.values()):
        raise ValueError("must be groups of numbers by name")
    if not metrics.get("last"):
        raise ValueError("has no numbers of the last epoch ('last')")
    for group, values in metrics.items():
        for name, value in (values or {}).items():
            low = -1 if name.endswith("spearman") else 0
            if value is None or (name == "epoch" and not isinstance(value, bool)):
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= 1:
                raise ValueError(f"{group}.{name} {value!r:.20}: must be a number from {low} to 1, or null")
    return metrics


def _measured(timing: dict[str, float | None]) -> dict[str, float | None]:
    """Times, rates and sizes as a run can have them. Raises ValueError that names the first that is not."""
    for name, value in timing.items():
        low = SLOWEST if name == "images_per_second" else 0
        if value is not None and not low <= value <= MOST:
            raise ValueError(f"{name} {value:g}: must be a number from {low:g} to {MOST:g}, or null")
    return timing


class Record(BaseModel):
    """`record.json`. All accuracies and rates are fractions in [0, 1]; a metric that is not defined is null."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    schema_version: int = SCHEMA
    run_id: str
    status: Literal["done"] = "done"
    spec: RunSpec
    # {"last": {...}, "best_on_test": {...}, "best_on_validation": {...} | None}; see benchmarks/metrics/ for names
    metrics: Annotated[dict[str, dict[str, float | int | None] | None], BeforeValidator(_possible)]
    noise: Annotated[dict[str, Any], _of(_Noise)]  # requested, realised, flipped rows
    relabelling: list[dict[str, Any]]  # one row an epoch that relabelled: precision, recall, share of right labels
    # seconds, train_seconds, evaluation_seconds, images_per_second, peak_memory_mib; load: the machine's, median of the
    # one-minute averages at the epochs' ends
    timing: Annotated[dict[str, float | None], AfterValidator(_measured)]
    # commit, dirty, versions, hardware, device, precision, threads, data, weights
    provenance: Annotated[dict[str, Any], _of(_Provenance)]

    @model_validator(mode="after")
    def _best_is_best(self) -> Self:
        """The best epoch is none below the last, where both were measured as the best was chosen: in a single view, and
        by one machine, since each rounds in its own way."""
        best, last = ((self.metrics.get(group) or {}).get("accuracy") for group in ("best_on_test", "last"))
        alike = self.spec.recipe.test_view == "single" and len(self.provenance.get("machines") or ()) < 2
        if alike and best is not None and last is not None and best < last:
            raise ValueError(f"best_on_test.accuracy {best:g} is below that of the last epoch, {last:g}")
        return self


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
