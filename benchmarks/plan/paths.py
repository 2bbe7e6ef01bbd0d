"""Names as users type them and as runs are known by: an identity holds no path, a machine needs one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from datasets import noise
from datasets.registry import DATASETS

if TYPE_CHECKING:
    from datasets.base import Dataset


@dataclass(frozen=True)
class Sources:
    """Where the data sets and label lists of some runs lie on this machine."""

    data: Path
    typed: Mapping[str, str] = field(default_factory=dict)  # identity -> name with an absolute path, where it has one

    @classmethod
    def of(cls, data: Path, datasets: Iterable[str], kinds: Iterable[str]) -> Sources:
        """For names as typed (`faces`, `folder:PATH`, `human:worse`, `file:PATH`). Raises UserError."""
        found = {DATASETS.load(name)(data).identity(): name for name in datasets}
        found |= {noise.identity(kind, data): kind for kind in kinds}
        return cls(data, {identity: _absolute(name) for identity, name in found.items() if identity != name})

    def dataset(self, identity: str) -> Dataset:
        """The data set a run calls by `identity`."""
        dataset: Dataset = DATASETS.load(self.typed.get(identity, identity))(self.data)
        return dataset

    def noise_kind(self, identity: str) -> str:
        """The noise kind a run calls by `identity`, with its path."""
        return self.typed.get(identity, identity)


def _absolute(name: str) -> str:
    """`folder:PATH` with the path made absolute: runs have working folders of their own."""
    kind, _, path = name.partition(":")
    return f"{kind}:{Path(path).expanduser().resolve()}"
