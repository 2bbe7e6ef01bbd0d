"""The findings as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from reports.render.markdown import escape_markdown
from reports.tables.findings import Section


def markdown(sections: Sequence[Section]) -> str:
    """The findings as `findings.md`."""
    lines = ["# Findings", ""]
    for section in sections:
        lines += [f"## {escape_markdown(section.title)}", "", escape_markdown(section.setting), ""]
        lines += [f"- **{finding.status}**: {escape_markdown(finding.text)}" for finding in section.findings]
        lines.append("")
    return "\n".join(lines)
