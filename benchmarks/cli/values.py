"""Values of command-line flags: parsed, checked, with errors that say what is valid. Torch-free."""

from __future__ import annotations

import re

from benchmarks.plan.spec import Noise
from common.errors import UserError
from datasets import noise


def parse_names(text: str) -> tuple[str, ...]:
    r"""`a,b` -> ("a", "b"), each once; `\,` is a comma within a name. Raises UserError when there is none."""
    parts = (part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", text))
    found = tuple(dict.fromkeys(part for part in parts if part))
    if not found:
        raise UserError(f"'{text}' names nothing; expected names separated by commas")
    return found


def parse_noise(text: str) -> tuple[Noise, ...]:
    """`0.1,0.3` (symmetric), `asymmetric:0.4`, `human:worse`, `file:PATH`. Raises UserError, also outside [0, 1)."""
    found = []
    for part in parse_names(text):
        try:
            kind, ratio = noise.parse(part)
        except UserError as error:
            raise UserError(f"--noise {part}: {error}") from None
        found.append(Noise(kind=kind, ratio=ratio))
    return tuple(found)


def parse_seeds(text: str) -> tuple[int, ...]:
    """`3` -> (0, 1, 2); `0,5` -> (0, 5); `7,` -> (7,)."""
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts if part.strip()) or not text.strip(", "):
        raise UserError(f"--seeds {text}: expected a count (3 is 0,1,2) or seeds separated by commas (0,5)")
    if len(parts) == 1:
        if int(text) < 1:
            raise UserError("--seeds 0: at least one seed is needed")
        return tuple(range(int(text)))
    return tuple(dict.fromkeys(int(part) for part in parts if part.strip()))


def positive(flag: str, value: int) -> int:
    """The value, which must be at least 1."""
    if value < 1:
        raise UserError(f"{flag} {value}: must be at least 1")
    return value


def parse_jobs(asked: str) -> int | None:
    """A number of runs at once, or None for "auto". Raises UserError."""
    if asked == "auto":
        return None
    if not asked.isdigit():
        raise UserError(f"--jobs {asked}: expected a number or auto")
    return positive("--jobs", int(asked))
