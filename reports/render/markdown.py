"""Tables as GitHub Markdown. Text from records is escaped."""

from __future__ import annotations

from reports.tables.caption import Note
from reports.tables.fields import Value, marked
from reports.tables.table import Table


def markdown(table: Table) -> str:
    """GitHub Markdown: title, caption, one table, footnotes."""
    title = f"# {escape_markdown(table.heading)}. {escape_markdown(table.title)}"
    if table.empty:
        return "\n".join([title, "", escape_markdown(table.empty), "", *map(_md_note, table.notes), ""])
    several = len(table.groups) > 1
    head = list(table.keys)
    for group in table.groups:
        head += [f"{group.title}: {column.title}" if several else column.title for column in group.columns]
    lines = [title, ""]
    lines += [line for sentence in table.caption for line in (escape_markdown(sentence), "")]
    lines += [
        _md_row([escape_markdown(name) for name in head]),
        "|" + "---|" * len(table.keys) + "---:|" * (len(head) - len(table.keys)),
    ]
    for row in table.rows:
        lines.append(_md_row([*map(escape_markdown, row.keys), *(_md_value(value) for value in row.values)]))
    lines += ["", *(_md_note(note) for note in table.notes), ""]
    return "\n".join(lines)


def _md_value(value: Value) -> str:
    text = marked(Value(escape_markdown(value.text), value.mark), "**{}**".format)
    return f"{text} ({escape_markdown(value.remark)})" if value.remark else text


_MD = str.maketrans({"<": "&lt;", **{char: f"\\{char}" for char in r"\|_*`[]"}, "\n": " ", "\r": " "})


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a table too."""
    return text.translate(_MD)


def _md_note(note: Note) -> str:
    code = " `" + note.command.replace("`", "'").replace("\n", " ") + "`" if note.command else ""
    return f"- {escape_markdown(note.text)}{code}"


def _md_row(fields: list[str]) -> str:
    return "| " + " | ".join(fields) + " |"
