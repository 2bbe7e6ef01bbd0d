"""One run, fully resolved: what decides its numbers and nothing else (no paths, no device, no host)."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from benchmarks.plan.paths import RunPath
from benchmarks.plan.recipe import Recipe
from common import dotted

# Raised by one whenever the same settings would give other numbers than before (a mended loss, another protocol).
PROTOCOL = 2  # 2: DUL reads its branch as log variance; partners are drawn without parity

# Settings that came after the first release, with their defaults: at those they are no part of a run's identity, so
# that every run keeps the id that it had before there were such settings.
ADDED_LATER: dict[str, Any] = {"noise_seed": None, "recipe.compile": False, "fold": None}


class Noise(BaseModel):
    """Label noise of the training set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = "symmetric"
    ratio: float = Field(0.0, ge=0, lt=1)

    def __str__(self) -> str:
        return f"{self.ratio:.2f}" if self.kind == "symmetric" else f"{self.kind}-{self.ratio:.2f}"


class RunSpec(BaseModel):
    """A run's identity. Two specs with the same `run_id` give the same numbers on the same machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: int = PROTOCOL
    dataset: str
    method: str
    noise: Noise = Noise()
    seed: int = Field(ge=0)
    recipe: Recipe
    weights: str | None = None  # sha256 of the pretrained file, "imagenet", or None: from scratch
    config: dict[str, Any] = Field(default_factory=dict)  # every method setting, defaults included
    overrides: dict[str, Any] = Field(default_factory=dict)  # those that the user or suite set; a label, not identity
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
        identity = self.model_dump(mode="json", exclude={"overrides": True, "recipe": {"source"}, "members": True})
        if self.members:
            identity["members"] = [member.run_id for member in self.members]
        for key, default in ADDED_LATER.items():
            if dotted.get(identity, key) == default:
                dotted.remove(identity, key)
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def folder(self) -> PurePosixPath:
        """Where the run lies below the runs folder: readable, and unique by the id."""
        return RunPath(self.dataset, self.method, str(self.noise), self.seed, self.run_id).relative

    def __str__(self) -> str:
        changed = "".join(f" {key}={value}" for key, value in self.overrides.items())
        of = "" if self.noise_seed is None else f" (labels of seed {self.noise_seed})"
        of += f" (without part {self.fold[0] + 1} of {self.fold[1]})" if self.fold else ""
        return f"{self.dataset} {self.method}{changed} noise {self.noise} seed {self.seed}{of}"
