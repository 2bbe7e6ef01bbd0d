"""Suites: which runs a table needs, as data (`benchmarks/suites/*.toml`). Torch-free: the reports read them too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.plan.toml_folder import TomlFolder
from common.errors import UserError
from common.validation import Problem

SUITES = TomlFolder("suite", Path(__file__).parent / "suites")


class Arm(BaseModel):
    """One line of a table: a method, and the settings that differ from its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    label: str | None = None  # how the tables name it; the method's name if absent
    set: dict[str, Any] = Field(default_factory=dict)  # dotted keys: {"relabel.enabled": true}

    @property
    def name(self) -> str:
        """Label of the arm in tables and progress."""
        return self.label or self.method


class Suite(BaseModel):
    """A named grid: arms x data sets x noise ratios x seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    arms: tuple[Arm, ...] = Field(min_length=1)
    datasets: tuple[str, ...] = Field(min_length=1)
    stand_in: str | None = None  # embedded data set used where none of `datasets` is present
    noise: tuple[float, ...] = (0.0,)
    noise_kind: str = "symmetric"
    seeds: tuple[int, ...] = (0, 1, 2)


def load(name: str) -> Suite:
    """The suite called `name`. Raises UserError when there is none, or a value is out of range."""
    values = SUITES.read(name)
    try:
        return Suite(name=name, **values)
    except ValidationError as error:
        raise UserError(f"suite '{name}': {Problem.of(error)}") from None
