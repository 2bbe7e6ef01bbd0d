"""Tables for people: they fit a terminal; in a pipe or a log nothing is wrapped or coloured."""

from __future__ import annotations

import io
import shutil
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from common.text import printable, printable_lines

UNBOUNDED = 10_000  # columns of a pipe
NARROWEST = 8  # columns that the one that wraps keeps


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", wrap: int = -1, right: Collection[str] = ()
) -> str:
    """Rows of text under their heads, as text; what would move the cursor is written as an escape.

    wrap: the column that wraps where the terminal is narrow, by default the last; right: heads of columns of numbers.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    title, head = printable_lines(title), [printable(name) for name in head]
    rows = [[printable_lines(cell) for cell in row] for row in rows]
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(head):
        wraps = number == wrap % len(head)
        grid.add_column(
            Text(name), no_wrap=not wraps, overflow="fold", header_style="bold", ratio=1 if wraps else None,
            justify="right" if name in right else "left",
        )  # fmt: skip
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))  # text of ours and of others: no markup
    here = sys.stdout.isatty()
    widths = [max(len(cell) for cell in column) + 2 for column in zip(head, *rows, strict=True)]
    widths[wrap] = min(widths[wrap], NARROWEST)
    console = Console(
        file=io.StringIO(),
        width=max(shutil.get_terminal_size().columns, sum(widths)) if here else UNBOUNDED,  # nothing is cut off
        force_terminal=here,
        highlight=False,
        legacy_windows=False,
    )
    if title:
        console.print(Text(title, style="bold"))
    console.print(grid)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def files(paths: Sequence[Path]) -> str:
    """Files that were written, a line a name: other formats of the same beside it, a folder of pictures as one line."""
    beside: dict[Path, list[str]] = {}
    pictures: Counter[Path] = Counter(path.parent for path in paths if path.suffix in (".png", ".pdf"))
    for path in paths:
        if path.parent not in pictures or path.suffix not in (".png", ".pdf"):
            beside.setdefault(path.with_suffix(""), []).append(path.suffix)
    lines = [
        f"{stem}{suffixes[0]}" + (f" (and {', '.join(suffixes[1:])})" if suffixes[1:] else "")
        for stem, suffixes in beside.items()
    ]
    lines += [f"{folder}: {count} pictures" for folder, count in pictures.items()]
    return "\n".join(map(printable, lines))
