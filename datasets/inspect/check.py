"""What `data check` looks at: everything decoded once, for broken files, duplicates and counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from common.text import printable
from datasets.base import Dataset, Splits
from datasets.errors import DataError
from datasets.file_lists import ImageFile, Listing
from datasets.images.decode import Look, decode, in_parallel

_SHOWN = 5  # examples of anything


@dataclass
class Part:
    """One split: a label, a place and a digest of the decoded pixels per row; None for a file that is broken."""

    labels: np.ndarray
    where: list[str]
    digests: list[bytes | None]


@dataclass
class Survey:
    """A data set decoded at its own size, without keeping the pixels."""

    class_names: tuple[str, ...]
    parts: dict[str, Part]
    notes: tuple[str, ...] = ()
    broken: list[str] = field(default_factory=list)  # one line a file


def survey(dataset: Dataset) -> Survey:
    """Everything decoded: what is broken, labels and content digests. Raises DataError."""
    listing = dataset.files()
    return of_splits(dataset.load()) if listing is None else of_files(dataset.name, listing)


def of_splits(splits: Splits) -> Survey:
    """Of a data set that is not image files: it is loaded, hence nothing in it is broken."""
    parts = {}
    for name, part in splits.parts():
        where = [f"row {row:,}" for row in range(len(part))] if part.names is None else part.names.tolist()
        parts[name] = Part(part.labels, where, [_digest(image) for image in part.images])
    return Survey(splits.train.class_names, parts, splits.notes)


def of_files(title: str, listing: Listing) -> Survey:
    """Every listed file decoded at its own size, in parallel; broken ones are listed, not raised."""
    look, found = Look(listing.channels), Survey(listing.class_names, {}, listing.notes)
    for split, part in listing.splits.items():
        digests: list[bytes | None] = [None] * len(part.files)
        problems: dict[int, str] = {}

        def one(
            start: int,
            stop: int,
            files: list[ImageFile] = part.files,
            digests: list[bytes | None] = digests,
            problems: dict[int, str] = problems,
        ) -> None:
            for row in range(start, stop):
                try:
                    digests[row] = _digest(decode(files[row], look))
                except DataError as error:
                    problems[row] = str(error)

        for _ in in_parallel(len(part.files), one, f"{title} {split}"):
            pass
        found.broken += [problems[row] for row in sorted(problems)]
        where = [printable(str(file.path)) for file in part.files]
        found.parts[split] = Part(np.array(part.labels, dtype=np.int64), where, digests)
    return found


def report(survey: Survey, official: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """The findings, line by line."""
    for note in survey.notes:
        yield f"note: {note}"
    for split, part in survey.parts.items():
        yield from _counts(split, part, survey.class_names, official.get(split))
    yield f"broken files: {len(survey.broken):,}"
    yield from (f"  {problem}" for problem in survey.broken)
    seen: dict[bytes, tuple[str, int, str]] = {}
    inside: dict[str, list[str]] = {split: [] for split in survey.parts}
    across: dict[tuple[str, str], list[str]] = {}
    for split, part in survey.parts.items():
        for label, place, digest in zip(part.labels.tolist(), part.where, part.digests, strict=True):
            if digest is None:
                continue
            if digest not in seen:
                seen[digest] = (split, label, place)
                continue
            first_split, first_label, first_place = seen[digest]
            other = "" if label == first_label else f" with another label ({survey.class_names[first_label]}"
            other += f", {survey.class_names[label]})" if other else ""
            line = f"  {place} = {first_place}{other}"
            (inside[split] if first_split == split else across.setdefault((first_split, split), [])).append(line)
    for split, lines in inside.items():
        yield from _some(f"duplicates within {split}", lines)
    for (first, second), lines in across.items():
        yield from _some(f"{second} images that are in {first} too", lines)
    if not across:
        yield "duplicates across splits: 0"


def _some(title: str, lines: list[str]) -> Iterator[str]:
    conflicts = sum("another label" in line for line in lines)
    yield f"{title}: {len(lines):,}" + (f", {conflicts:,} of them with another label" if conflicts else "")
    yield from lines[:_SHOWN]
    if len(lines) > _SHOWN:
        yield f"  ... and {len(lines) - _SHOWN:,} more"


def _counts(split: str, part: Part, names: tuple[str, ...], official: tuple[int, ...] | None) -> Iterator[str]:
    if official is not None and len(official) != len(names):
        official = None  # some classes are missing, which a note says
    counts = np.bincount(part.labels, minlength=len(names)).tolist()
    verdict = "" if official is None else " (the official counts)" if tuple(counts) == official else ""
    filled = sum(count > 0 for count in counts)
    yield f"{split}: {len(part.labels):,} images in {filled} of {len(names)} classes{verdict}"
    if official is None or not verdict:
        wanted = official or (None,) * len(names)
        rows = list(zip(names, counts, wanted, strict=True))
        shown = rows if official is None and len(rows) <= 20 else [row for row in rows if row[2] not in (None, row[1])]
        for name, count, right in shown:
            yield f"  {name}: {count:,}" + ("" if right is None else f", official {right:,}")


def _digest(image: np.ndarray) -> bytes:
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()
