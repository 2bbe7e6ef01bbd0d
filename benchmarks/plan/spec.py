"""One run, fully resolved: what decides its numbers and nothing else (no paths, no device, no host)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from benchmarks.plan.numeric import Values
from benchmarks.plan.paths import RunPath
from benchmarks.plan.recipe import Recipe
from common import dotted
from common.text import folder_name, one_line, printable

# Raised by one whenever the same settings would give other numbers than before (a mended loss, another protocol).
PROTOCOL = 2  # 2: DUL reads its branch as log variance; partners are drawn without parity

MOST_SEED = 2**32  # what every generator of numbers takes

# Settings that came after the first release, with their defaults: at those they are no part of a run's identity, so
# that every run keeps the id that it had before there were such settings.
ADDED_LATER: dict[str, Any] = {
    "noise_seed": None,
    "recipe.compile": False,
    "recipe.sampler": "shuffle",
    "recipe.second_view": None,
    "recipe.protocol": "common",
    "config.pool": "global",
    "fold": None,
}


# Names that become folders are made fit for it by `RunPath`, but for a method's, which stands as it is.
Name = Annotated[str, AfterValidator(one_line)]


class Noise(BaseModel):
    """Label noise of the training set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Name = "symmetric"
    ratio: float = Field(0.0, ge=0, lt=1)

    def __str__(self) -> str:
        if self.kind != "symmetric" and not self.ratio:
            return self.kind  # its labels have the ratio that they have
        short = f"{self.ratio:.2f}"
        return self._with_kind(short if float(short) == self.ratio else f"{self.ratio:g}")

    @property
    def folder(self) -> str:
        """As a run's folder says it: two decimals, whatever the ratio (the id tells runs of 0.12 and 0.125 apart)."""
        return self._with_kind(f"{self.ratio:.2f}")

    def _with_kind(self, ratio: str) -> str:
        return ratio if self.kind == "symmetric" else f"{self.kind}-{ratio}"


class RunSpec(BaseModel):
    """A run's identity. Two specs with the same `run_id` give the same numbers on the same machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: int = PROTOCOL
    dataset: Name
    method: Annotated[str, AfterValidator(folder_name)]
    noise: Noise = Noise()
    seed: int = Field(ge=0, lt=MOST_SEED)
    recipe: Recipe
    weights: str | None = None  # sha256 of the pretrained file, "imagenet", or None: from scratch
    config: Values = Field(default_factory=dict)  # every method setting, defaults included
    overrides: Values = Field(default_factory=dict)  # those that the user or suite set; a label, not identity
    members: tuple[RunSpec, ...] = ()  # finished runs whose networks this one takes instead of training
    noise_seed: int | None = None  # set in such a member: the seed of its label noise, that of the run it is for

    # (k, K): trains on all of the training set but part k of K, and is measured on that part (`data suspects`).
    fold: tuple[int, int] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether its numbers stand for its method: not a part of another run, nor trained on a part of the data."""
        return self.noise_seed is None and self.fold is None

    @cached_property
    def run_id(self) -> str:
        """Eight hex digits of the resolved settings' hash."""
        return hash_of(self.model_dump(mode="json"))

    @property
    def folder(self) -> PurePosixPath:
        """Where the run lies below the runs folder: readable, and unique by the id."""
        return self.path_of(self.run_id)

    def path_of(self, run_id: str) -> PurePosixPath:
        """As `folder`, where the id is known already."""
        return RunPath(self.dataset, self.method, self.noise.folder, self.seed, run_id).relative

    def __str__(self) -> str:
        changed = "".join(f" {key}={value}" for key, value in self.overrides.items())
        of = "" if self.noise_seed is None else f" (labels of seed {self.noise_seed})"
        of += f" (without part {self.fold[0] + 1} of {self.fold[1]})" if self.fold else ""
        return printable(f"{self.dataset} {self.method}{changed} noise {self.noise} seed {self.seed}{of}")


def hash_of(spec: Mapping[str, Any]) -> str:
    """The id of a spec as it is written in JSON, every field in it."""
    left_out = ("overrides", "members")
    identity = {key: value for key, value in spec.items() if key not in left_out}
    identity["recipe"] = {key: value for key, value in spec["recipe"].items() if key != "source"}
    if spec.get("members"):
        identity["members"] = [hash_of(member) for member in spec["members"]]
    for key, default in ADDED_LATER.items():
        with suppress(KeyError):
            if dotted.get(identity, key) == default:
                dotted.remove(identity, key)
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
