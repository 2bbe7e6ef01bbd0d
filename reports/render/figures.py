"""The list of figures as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from reports.figures.make import Drawn
from reports.render.markdown import escape_markdown


def markdown(figures: Sequence[Drawn]) -> str:
    """Every figure with its caption, and why the others are not drawn."""
    drawn, skipped = [item for item in figures if item.paths], [item for item in figures if not item.paths]
    lines = ["# Figures", ""]
    for item in drawn:
        lines += [f"## {escape_markdown(item.title)}", "", f"![{item.name}](figures/{item.name}.png)", ""]
        lines += [escape_markdown(item.caption), ""]
    if not drawn:
        lines += ["No finished runs with stored predictions.", ""]
    if skipped:
        lines += ["## Not drawn", "", *(f"- {escape_markdown(f'{i.title}: {i.caption}')}" for i in skipped), ""]
    return "\n".join(lines)
