"""Where things lie: the data sets behind the names that runs know them by, and the folders of runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from common.files import user_path
from datasets import noise
from datasets.registry import DATASETS

if TYPE_CHECKING:
    from datasets.base import Dataset


@dataclass(frozen=True)
class RunPath:
    """A run's folder below the runs folder, `DATASET/METHOD/noise-LEVEL/seed-SEED-ID`: made and read here alone."""

    dataset: str
    method: str
    noise: str
    seed: int
    run_id: str

    PATTERN: ClassVar[str] = "*/*/noise-*/seed-*"  # finds such folders below a runs folder

    @classmethod
    def parse(cls, folder: PurePath) -> RunPath | None:
        """The run that a folder is of; None where its name is no run's."""
        match = re.fullmatch(r"([^/]+)/([^/]+)/noise-([^/]+)/seed-(\d+)-([0-9a-f]{8})", "/".join(folder.parts[-4:]))
        return cls(match[1], match[2], match[3], int(match[4]), match[5]) if match else None

    @property
    def relative(self) -> PurePosixPath:
        """The path below the runs folder. Characters that file systems mind become dashes."""
        dataset, noise = (re.sub(r"[^\w.-]", "-", text) for text in (self.dataset, f"noise-{self.noise}"))
        return PurePosixPath(dataset, self.method, noise, f"seed-{self.seed}-{self.run_id}")

    @property
    def place(self) -> tuple[str, str, str, int]:
        """Data set, method, noise and seed as the folders name them; runs of other settings share it."""
        return (*self.relative.parts[:3], self.seed)  # type: ignore[return-value]


@dataclass(frozen=True)
class Sources:
    """Where the data sets and label lists of some runs lie on this machine."""

    data: Path
    typed: Mapping[str, str] = field(default_factory=dict)  # identity -> name with an absolute path, where it has one
    identities: Mapping[str, str] = field(default_factory=dict)  # name as typed -> identity, resolved once a command

    @classmethod
    def of(cls, data: Path, datasets: Iterable[str], kinds: Iterable[str]) -> Sources:
        """For names as typed (`faces`, `folder:PATH`, `human:worse`, `file:PATH`). Raises UserError."""
        places: dict[str, tuple[str, str]] = {}  # name as typed -> identity, name with an absolute path
        for name in datasets:
            dataset: Dataset = DATASETS.load(name)(data)
            places[name] = dataset.identity(), dataset.absolute()
        for kind in kinds:
            known = noise.identity(kind, data)
            places[kind] = known, known if known == kind else _absolute(kind)
        typed = {known: absolute for known, absolute in places.values() if known != absolute}
        return cls(data, typed, {name: known for name, (known, _) in places.items()})

    def dataset(self, identity: str) -> Dataset:
        """The data set a run calls by `identity`."""
        dataset: Dataset = DATASETS.load(self.typed.get(identity, identity))(self.data)
        return dataset

    def changed(self, dataset: str, kind: str) -> str:
        """Of a data set and a noise kind, by their identities, the first whose files are others now, as it is typed;
        empty where none is. Raises UserError for one that is not there."""
        if self.dataset(dataset).identity() != dataset:
            return self.typed.get(dataset, dataset)
        typed = self.noise_kind(kind)
        return typed if noise.identity(typed, self.data) != kind else ""

    def noise_kind(self, identity: str) -> str:
        """The noise kind a run calls by `identity`, with its path."""
        return self.typed.get(identity, identity)


def _absolute(name: str) -> str:
    """`file:PATH`, a list of labels, with the path made absolute: runs have working folders of their own."""
    kind, _, path = name.partition(":")
    return f"{kind}:{user_path(path).resolve()}"
