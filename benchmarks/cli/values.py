"""Values of command-line flags: parsed, checked, with errors that say what is valid. Torch-free.

The first few are argparse's `type`: they raise its own error, which names the flag.
"""

from __future__ import annotations

import errno
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

from benchmarks.plan.spec import MOST_SEED, Noise
from common.errors import UserError
from common.files import user_path
from common.text import printable
from datasets import noise
from datasets.cache.walk import is_folder
from datasets.registry import DATASETS

MOST_SEEDS, MOST_JOBS, MOST_THREADS, MOST_TRIES = 1000, 4096, 512, 1000


def filled(text: str) -> str:
    """A text that says something: `--recipe=` is a variable that was not set in somebody's script."""
    if not text.strip():
        raise ArgumentTypeError("must not be empty")
    return text


def path(text: str) -> Path:
    """A path; `~` is the user's home also where the shell leaves it alone, as after `=`."""
    if "\0" in filled(text):
        raise ArgumentTypeError("holds a NUL character")
    found = user_path(text)
    try:
        found.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:  # `resolve` raises no OSError on it
            raise ArgumentTypeError(f"{printable(text)}: a link that leads back to itself") from None
    return found


def folder(text: str) -> Path:
    """The path of a folder, whether it is there or not."""
    found = path(text)
    try:
        other = found.exists() and not found.is_dir()
    except OSError as error:  # a name that is too long, a folder that nobody may look into
        raise ArgumentTypeError(f"{printable(text)}: {error.strerror}") from None
    if other:
        raise ArgumentTypeError(f"{printable(text)} is not a folder")
    return found


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number between two others, both included."""

    def number(text: str) -> int:
        if not _is_number(text) or not low <= int(text) <= high:
            raise ArgumentTypeError(f"{printable(text):.40}: must be a whole number from {low} to {high}")
        return int(text)

    return number


def jobs(text: str) -> int | None:
    """A number of runs at once, or None for "auto"."""
    try:
        return None if text == "auto" else whole(1, MOST_JOBS)(text)
    except ArgumentTypeError as error:
        raise ArgumentTypeError(f"{error}, or auto") from None


def parse_names(text: str) -> tuple[str, ...]:
    r"""`a,b` -> ("a", "b"), each once; `\,` is a comma within a name. Raises UserError when there is none."""
    parts = (part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", text))
    found = tuple(dict.fromkeys(part for part in parts if part))
    if not found:
        raise UserError(f"'{text}' names nothing; expected names separated by commas")
    return found


def parse_datasets(text: str) -> tuple[str, ...]:
    """Names of data sets as `parse_names` parts them. Raises UserError for a folder's path, with how it is written."""
    names = parse_names(text)
    for name in names:
        dataset(name)
    return names


def dataset(name: str) -> str:
    """A data set's name. Raises UserError for a folder's path, with how it is written."""
    if name not in DATASETS and is_folder(user_path(name)):
        raise UserError(f"data set '{name}': a folder of your own is written folder:{name}")
    return name


def parse_noise(text: str) -> tuple[Noise, ...]:
    """`0.1,0.3` (symmetric), `asymmetric:0.4`, `human:worse`, `file:PATH`. Raises UserError, also outside [0, 1)."""
    found = []
    for part in parse_names(text):
        try:
            kind, ratio = noise.parse(part)
            found.append(Noise(kind=kind, ratio=ratio))
        except ValueError as error:  # UserError, or pydantic's
            reason = error if isinstance(error, UserError) else "expected a ratio in [0, 1) or the name of a kind"
            raise UserError(f"--noise {printable(part):.80}: {reason}") from None
    return tuple(found)


def parse_seeds(text: str) -> tuple[int, ...]:
    """`3` -> (0, 1, 2); `0,5` -> (0, 5); `7,` -> (7,)."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(map(_is_number, parts)):
        shown = printable(text)
        raise UserError(f"--seeds {shown:.80}: expected a count (3 is 0,1,2) or seeds separated by commas (0,5)")
    numbers = [int(part) for part in parts]
    if "," in text:
        for number in numbers:
            if not 0 <= number < MOST_SEED:
                raise UserError(f"--seeds {number}: seeds are from 0 to {MOST_SEED - 1}")
        return tuple(dict.fromkeys(numbers))
    if not 1 <= numbers[0] <= MOST_SEEDS:
        raise UserError(f"--seeds {numbers[0]}: a count from 1 to {MOST_SEEDS} is needed; one seed is written `7,`")
    return tuple(range(numbers[0]))


def _is_number(text: str) -> bool:
    """Whether a text is a whole number that fits into a machine's. (`isdigit` takes ² for one.)"""
    return re.fullmatch(r"-?[0-9]{1,18}", text) is not None
