"""What a reader of a run's numbers must know of its data: what the run recorded, and what is known of that copy."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _known() -> Mapping[str, tuple[str, ...]]:
    with open(Path(__file__).with_suffix(".toml"), "rb") as file:
        return {fingerprint: tuple(entry["notes"]) for fingerprint, entry in tomllib.load(file).items()}


def data_notes(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """The notes of a record's data set, each once; those of the record first."""
    data = provenance.get("data") or {}
    return tuple(dict.fromkeys((*(data.get("notes") or ()), *_known().get(str(data.get("train")), ()))))
