"""Suites: which runs a table needs, as data (`benchmarks/plan/suites/*.toml`). Torch-free: reports read them too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from benchmarks.plan.numeric import Real, Whole
from benchmarks.plan.spec import MOST_SEED
from benchmarks.plan.toml_folder import TomlFolder
from common.dotted import flatten
from common.text import one_line

Text = Annotated[str, AfterValidator(one_line)]
Seed = Annotated[Whole, Field(ge=0, lt=MOST_SEED)]
Dotted = Annotated[dict[str, Any], AfterValidator(flatten)]  # as tables or dotted, a setting has one name
SUITES = TomlFolder("suite", Path(__file__).parent / "suites")


class Arm(BaseModel):
    """One line of a table: a method, and the settings that differ from its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Text
    label: Text | None = None  # how the tables name it; the method's name if absent
    set: Dotted = Field(default_factory=dict)  # {"relabel.enabled": true}

    @property
    def name(self) -> str:
        """Label of the arm in tables and progress."""
        return self.label or self.method


class Suite(BaseModel):
    """A named grid: arms x data sets x noise ratios x seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    title: str
    arms: tuple[Arm, ...] = Field(min_length=1)
    datasets: tuple[Text, ...] = Field(min_length=1)
    stand_in: Text | None = None  # embedded data set used where none of `datasets` is present
    stand_in_seeds: tuple[Seed, ...] = ()  # its own: a demonstration needs fewer
    noise: tuple[Annotated[Real, Field(ge=0, lt=1)], ...] = Field((0.0,), min_length=1)
    noise_kind: Text = "symmetric"
    seeds: tuple[Seed, ...] = Field((0, 1, 2), min_length=1)

    def seeds_of(self, dataset: str) -> tuple[int, ...]:
        """The seeds of a data set's runs."""
        return (self.stand_in_seeds or self.seeds) if dataset == self.stand_in else self.seeds


def load(name: str) -> Suite:
    """The suite called `name`, or in the file of that path. Raises UserError when there is none, or a key or value in
    it is not valid."""
    return SUITES.validated(name, Suite, name=SUITES.name_of(name))
