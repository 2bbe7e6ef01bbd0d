"""What jobs ask of SLURM: from a `slurm.toml` that the user may keep, and from flags, which win. Torch-free."""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from benchmarks.launch.slurm import scheduler
from benchmarks.store.provenance import CHECKOUT
from common.errors import UserError
from common.validation import Problem

FILE = "slurm.toml"
# What the suite itself says of its jobs; another value would break finding, collecting or resuming them.
RESERVED = {
    *("array", "chdir", "error", "export", "job_name", "nodes", "no_requeue", "ntasks", "ntasks_per_node", "open_mode"),
    *("output", "requeue", "signal", "signal_delay_s", "stderr_to_stdout", "use_srun"),
}


class SlurmSettings(BaseModel):
    """Flags of `run --slurm` and keys of `slurm.toml`; `set` holds every other option of sbatch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partition: str | None = Field(None, description="partition to queue in")
    account: str | None = Field(None, description="account to charge")
    qos: str | None = Field(None, description="quality of service")
    gpus_per_node: int = Field(0, ge=0, description="GPUs a job; each does runs of its own")
    cpus_per_task: int = Field(1, ge=1, description="cores a job; without GPUs, it does as many runs at once")
    mem: str | None = Field(None, pattern=r"^\d+[KMGT]?B?$", description="memory a job, e.g. 16G")
    time: int | None = Field(None, ge=1, description="time limit a job: minutes or 2:30:00 (from measured images/s)")
    constraint: str | None = Field(None, description="features of the nodes")
    array_parallelism: int = Field(256, ge=1, description="jobs at once")
    runs_per_job: int | None = Field(None, ge=1, description="runs a job (as many as fill ten minutes)")
    grace: int = Field(120, ge=10, description="seconds before its time limit that a job ends and queues again")
    set: dict[str, Any] = Field(default_factory=dict)

    @field_validator("time", mode="before")
    @classmethod
    def _minutes(cls, value: object) -> object:
        if isinstance(value, str):
            found = scheduler.minutes(value)
            if found is None:
                raise ValueError("expected minutes, hours:minutes:seconds or days-hours:minutes:seconds")
            return found
        return value

    @field_validator("set")
    @classmethod
    def _options(cls, value: dict[str, Any]) -> dict[str, Any]:
        own = [name for name in cls.model_fields if name != "set"]
        options = {}
        for key, content in value.items():
            key = key.replace("-", "_")
            if not re.fullmatch(r"[a-z][a-z0-9_]*", key):
                raise ValueError(f"'{key}' is no option of sbatch")
            if key in RESERVED:
                raise ValueError(f"'{key}' is the suite's own affair")
            if key in own:
                raise ValueError(f"'{key}' has a flag of its own: --{key.replace('_', '-')}")
            options[key] = content
        return options

    @field_validator("*")
    @classmethod
    def _one_line(cls, value: object) -> object:
        """A line break would end the line of the script that a value stands in."""
        if any(char in str(part) for part in _leaves(value) for char in "\n\r\0"):
            raise ValueError("must be one line")
        return value

    @classmethod
    def from_flags(cls, flags: argparse.Namespace) -> SlurmSettings:
        """The flags over the file over the defaults. Raises UserError that names the flag, or the file and key."""
        values = _file()
        chosen = {name: getattr(flags, name) for name in cls.model_fields if name != "set"}
        chosen = {name: value for name, value in chosen.items() if value is not None}
        further = dict(_option(text) for text in flags.slurm_set)
        values = {**values, **chosen, "set": {**values.get("set", {}), **further}}
        return _validated(values, lambda key: f"--{'slurm-set' if key == 'set' else key.replace('_', '-')}")


def _file() -> dict[str, Any]:
    """The user's file: in the current folder, else in the checkout; empty where there is none."""
    path = next((folder / FILE for folder in (Path(), CHECKOUT) if (folder / FILE).is_file()), None)
    if path is None:
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}") from None
    return _validated(values, lambda key: f"{path}: {key}").model_dump(exclude_unset=True)


def _validated(values: dict[str, Any], called: Any) -> SlurmSettings:
    try:
        return SlurmSettings.model_validate(values)
    except ValidationError as error:
        wrong = Problem.of(error)
        key = wrong.place.partition(".")[0]
        if wrong.unknown:
            valid = ", ".join(SlurmSettings.model_fields)
            raise UserError(f"{called(key)}: no such key; valid: {valid} (options of sbatch go below [set])") from None
        given = "" if key == "set" else f" {wrong.value}"
        raise UserError(f"{called(key)}{given}: {wrong.reason}") from None


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UserError(f"--slurm-set {text}: expected KEY=VALUE, e.g. reservation=night or hold=true")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for part in (*value, *value.values()) for leaf in _leaves(part)]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]
