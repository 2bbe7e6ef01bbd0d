"""Tables for people: they fit a terminal; in a pipe or a log nothing is wrapped or coloured."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Sequence

UNBOUNDED = 10_000  # columns of a pipe


def table(head: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> str:
    """Rows of text under their heads, as text. The last column is the one that wraps where the terminal is narrow."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(head):
        last = number == len(head) - 1
        grid.add_column(name, no_wrap=not last, overflow="fold", header_style="bold", ratio=1 if last else None)
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))  # text of ours and of others: no markup
    here = sys.stdout.isatty()
    console = Console(
        file=io.StringIO(),
        width=shutil.get_terminal_size().columns if here else UNBOUNDED,
        force_terminal=here,
        highlight=False,
        legacy_windows=False,
    )
    console.print(grid)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())
