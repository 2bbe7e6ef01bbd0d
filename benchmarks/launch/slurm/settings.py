"""What jobs ask of SLURM: from a `slurm.toml` that the user may keep, and from flags, which win. Torch-free."""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from benchmarks.launch import scheduler
from benchmarks.plan.numeric import Whole
from benchmarks.store.provenance import CHECKOUT
from common.errors import UserError
from common.foreign import Unreadable, parse_json, read_text
from common.text import printable
from common.validation import Problem

FILE = "slurm.toml"
MOST = 10**6  # of anything
TYPE = r"[A-Za-z][\w.-]*"  # of GPUs, as a cluster calls them
GPUS = "gpus_per_node"
OF_GPUS = ("gpus", "gpus_per_task", "gpus_per_socket", "num_gpus", "ntasks_per_gpu")  # which the suite does not count
LINES = ("setup", "teardown", "srun_args")  # of the script, and of its command
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
    gpus_per_node: str = Field("0", description="GPUs a job, 2 or a100:2; each does runs of its own")
    cpus_per_task: Whole = Field(1, ge=1, lt=MOST, description="cores a job; without GPUs, as many runs at once")
    mem: str | None = Field(None, description="memory a job, e.g. 16G")
    time: Whole | None = Field(
        None, ge=1, lt=100 * MOST, description="time limit a job: minutes or 2:30:00 (from measured images/s)"
    )
    constraint: str | None = Field(None, description="features of the nodes")
    array_parallelism: Whole = Field(256, ge=1, lt=MOST, description="jobs at once")
    runs_per_job: Whole | None = Field(None, ge=1, lt=MOST, description="runs a job (as many as fill ten minutes)")
    grace: Whole = Field(
        120, ge=10, lt=MOST, description="seconds before its time limit that a job ends and queues again"
    )
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

    @field_validator("gpus_per_node", mode="before")
    @classmethod
    def _gpus(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not re.fullmatch(rf"({TYPE}:)?[0-9]{{1,4}}", value):
            raise ValueError("expected a number of GPUs or TYPE:NUMBER, e.g. 2 or a100:2")
        return value

    @field_validator("mem", mode="before")
    @classmethod
    def _memory(cls, value: object) -> object:
        if value is not None and not (isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}[KMGTkmgt]?[Bb]?", value)):
            raise ValueError("expected a number with K, M, G or T, e.g. 16G")
        return value.upper() if isinstance(value, str) else value

    @field_validator("set", mode="before")
    @classmethod
    def _options(cls, value: object) -> object:
        if not isinstance(value, dict):
            raise ValueError("expected options of sbatch and their values")
        own = [name for name in cls.model_fields if name != "set"]
        options: dict[str, Any] = {}
        for key, content in _flat(value):
            key = str(key).replace("-", "_")
            if not re.fullmatch(r"[a-z][a-z0-9_]*", key):
                raise ValueError(f"'{printable(key):.80}' is no option of sbatch")
            if key in RESERVED:
                raise ValueError(f"'{key}' is the suite's own affair")
            if key in own or key in OF_GPUS or (key.startswith("tres_") and "gpu" in str(content)):
                raise ValueError(f"'{key}' has a flag of its own: --{(key if key in own else GPUS).replace('_', '-')}")
            if key in options:
                raise ValueError(f"'{key}' is given twice")
            options[key] = _value(key, content)
        return options

    @model_validator(mode="after")
    def _one_number_of_gpus(self) -> Self:
        if self.gpus_per_node != "0" and _gpus_of(self.set.get("gres", "")):
            raise ValueError("--gpus-per-node and gres both ask for GPUs; give one of them")
        return self

    @property
    def gpus(self) -> int:
        """GPUs a job, however they were asked for."""
        return int(self.gpus_per_node.rpartition(":")[2]) or _gpus_of(self.set.get("gres", ""))

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
        further = _together(_option(text) for text in flags.slurm_set)
        values = {**values, **chosen, "set": {**values.get("set", {}), **further}}
        return _validated(values, lambda key: f"--{'slurm-set' if key == 'set' else key.replace('_', '-')}")


def _file() -> dict[str, Any]:
    """The user's file: in the current folder, else in the checkout; empty where there is none."""
    path = next((folder / FILE for folder in (Path(), CHECKOUT) if (folder / FILE).is_file()), None)
    if path is None:
        return {}
    try:
        values = tomllib.loads(read_text(path))
    except (FileNotFoundError, RecursionError, ValueError) as error:  # ValueError: unreadable, or not TOML
        raise UserError(f"{path}: {printable(str(error))}") from None
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
        if not key:
            raise UserError(wrong.reason) from None
        given = "" if key == "set" else f" {wrong.value!s:.80}"
        raise UserError(printable(f"{called(key)}{given}: {wrong.reason}")) from None


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UserError(f"--slurm-set {printable(text):.80}: expected KEY=VALUE, e.g. reservation=night or hold=true")
    try:
        return key.replace("-", "_"), parse_json(value.encode(errors="surrogateescape"))
    except Unreadable:
        return key.replace("-", "_"), value


def _together(options: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Options as they were given one after the other: lines of `setup` add up, everything else is said once."""
    found: dict[str, Any] = {}
    for key, value in options:
        if key in LINES:
            lines = value if isinstance(value, list) else [value]
            found[key] = [*found.get(key, []), *lines]
        elif key in found:
            raise UserError(f"--slurm-set {printable(key):.80}: given twice")
        else:
            found[key] = value
    return found


def _flat(options: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Options, those that submitit would take as `additional_parameters` among them."""
    for key, value in options.items():
        if str(key).replace("-", "_") != "additional_parameters":
            yield key, value
        elif isinstance(value, dict):
            yield from value.items()
        else:
            raise ValueError("'additional_parameters' must hold options of sbatch and their values")


def _value(key: str, content: object) -> Any:
    """A value as sbatch or, of `setup` and the like, submitit takes it."""
    if key in LINES:
        lines = content if isinstance(content, list) else [content]
        if not all(isinstance(line, str) for line in lines):
            raise ValueError(f"'{key}' must be a line, or a list of lines")
        return lines
    if content is False or not isinstance(content, str | int | float):
        raise ValueError(f"'{key}' must be a text, a number or true")
    return content


def _gpus_of(gres: object) -> int:
    """GPUs in sbatch's `gres`: gpu, gpu:2, gpu:a100, gpu:a100:2, gres/gpu:2(S:0-1)."""
    count = 0
    for part in re.sub(r"\(.*?\)", "", str(gres)).split(","):
        name, *further = part.strip().removeprefix("gres/").split(":")
        if name == "gpu":
            count += int(further[-1]) if further and re.fullmatch("[0-9]{1,4}", further[-1]) else 1
    return count


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for part in (*value, *value.values()) for leaf in _leaves(part)]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]
