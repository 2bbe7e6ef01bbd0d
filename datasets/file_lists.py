"""A data set's image files, split by split, before any is decoded; and what was left out of its folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass
class Skipped:
    """What a walk has left out, by kind, with the first example of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """One more of a kind ("files that are no images")."""
        self.counts[kind] += 1
        self.examples.setdefault(kind, name)

    def notes(self, title: str) -> tuple[str, ...]:
        """One note that counts everything; none where nothing was left out."""
        what = [f"{count:,} {kind} (e.g. {self.examples[kind]})" for kind, count in sorted(self.counts.items())]
        return (f"{title}: left out: {', '.join(what)}",) if what else ()


@dataclass(frozen=True)
class ImageFile:
    """An image on disk, and which part of it counts (None: all)."""

    path: Path
    box: Box | None = None


@dataclass
class Files:
    """The images of one split, and what they show, row by row."""

    files: list[ImageFile] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # as the data set's own label lists name them

    def add(self, file: ImageFile, label: int, name: str) -> None:
        """One more row."""
        self.files.append(file)
        self.labels.append(label)
        self.names.append(name)

    def extend(self, more: Files) -> None:
        """More rows."""
        self.files += more.files
        self.labels += more.labels
        self.names += more.names

    def rows(self, rows: Iterable[int]) -> Files:
        """These rows, in this order."""
        chosen = list(rows)
        return Files(
            [self.files[row] for row in chosen],
            [self.labels[row] for row in chosen],
            [self.names[row] for row in chosen],
        )


@dataclass(frozen=True)
class Listing:
    """Every split's files, before any is decoded."""

    splits: Mapping[str, Files]
    class_names: tuple[str, ...]
    channels: int = 3
    notes: tuple[str, ...] = ()
    skipped: Skipped = field(default_factory=Skipped)
