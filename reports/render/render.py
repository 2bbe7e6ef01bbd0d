"""Tables to Markdown, CSV and LaTeX. Text from records is escaped for each format."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from reports.tables.caption import Note
from reports.tables.table import Table, Value


def markdown(table: Table) -> str:
    """GitHub Markdown: title, caption, one table, footnotes."""
    several = len(table.groups) > 1
    head = list(table.keys)
    for group in table.groups:
        head += [f"{group.title}: {column}" if several else column for column in group.columns]
    lines = [f"# {escape_markdown(table.heading)}. {escape_markdown(table.title)}", ""]
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
    text = _marked(Value(escape_markdown(value.text), value.mark), "**{}**".format)
    return f"{text} ({escape_markdown(value.remark)})" if value.remark else text


def _marked(value: Value, bold: Callable[[str], str]) -> str:
    if value.mark == "best":
        return bold(value.text)
    return f"{value.text} ≈" if value.mark == "tie" else value.text


_MD = str.maketrans({"<": "&lt;", "|": r"\|", "_": r"\_", "*": r"\*", "`": r"\`", "\n": " "})


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a table too."""
    return text.translate(_MD)


def _md_note(note: Note) -> str:
    code = " `" + note.command.replace("`", "'").replace("\n", " ") + "`" if note.command else ""
    return f"- {escape_markdown(note.text)}{code}"


def _md_row(fields: list[str]) -> str:
    return "| " + " | ".join(fields) + " |"


def comma_separated(table: Table) -> str:
    """The numbers behind the table, one row a cell; empty where there is nothing."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(table.records[0]) if table.records else ["dataset"], lineterminator="\n")
    writer.writeheader()
    for record in table.records:
        writer.writerow({key: _number(value) for key, value in record.items()})
    return buffer.getvalue()


def _number(value: str | float | None) -> str:
    """Six decimals at most: more are noise, and platforms differ in them."""
    if value is None or value != value:
        return ""
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", "−": r"$-$", "≈": r"$\approx$",
    "“": "``", "”": "''", "–": "--", "`": "'", "\n": " ", "×": r"$\times$", '"': "''",
}  # fmt: skip


def tex(text: str) -> str:
    """Text as LaTeX; a character that plain LaTeX does not know becomes a question mark."""
    return "".join(_TEX.get(c, c if c.isascii() and c.isprintable() else "?") for c in text)


# A file that compiles as it stands and can also be \input into a paper: the preamble is skipped inside a document.
_TEX_HEAD = r"""% {name}: `pdflatex {name}.tex`, or \input{{{name}}} in a paper that loads booktabs and graphicx.
\makeatletter
\ifx\@nodocument\relax\expandafter\@gobble\else\expandafter\@firstofone\fi
{{\documentclass{{article}}\usepackage{{booktabs,graphicx}}\def\reportstandalone{{1}}\begin{{document}}}}
\makeatother"""


def latex(table: Table) -> str:
    """A booktabs table. Wide ones are scaled to the line."""
    widths = [len(group.columns) for group in table.groups]
    keys = len(table.keys)
    lines = [_TEX_HEAD.format(name=table.name), r"\begin{table}", r"\centering", rf"\caption{{{tex(table.title)}}}"]
    lines += [rf"\label{{tab:{table.name}}}", r"\resizebox{\linewidth}{!}{%"]
    lines += [r"\begin{tabular}{" + "l" * keys + "".join("r" * width for width in widths) + "}", r"\toprule"]
    spans = [rf"\multicolumn{{{w}}}{{c}}{{{tex(g.title)}}}" for w, g in zip(widths, table.groups, strict=True)]
    lines.append(" & ".join([""] * keys + spans) + r" \\")
    start = keys + 1
    for width in widths:
        lines.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    head = [*table.keys, *(column for group in table.groups for column in group.columns)]
    lines += [" & ".join(tex(name) for name in head) + r" \\", r"\midrule"]
    block = table.rows[0].block if table.rows else ""
    for row in table.rows:
        if row.block != block:
            lines.append(r"\midrule")
            block = row.block
        fields = [tex(key) for key in row.keys] + [_tex_value(value) for value in row.values]
        lines.append(" & ".join(fields) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}", r"\par\medskip\raggedright\footnotesize"]
    lines += [tex(sentence) for sentence in table.caption]
    lines += [tex(note.text) + (rf" \texttt{{{tex(note.command)}}}" if note.command else "") for note in table.notes]
    lines += [r"\end{table}", r"\ifdefined\reportstandalone\end{document}\fi", ""]
    return "\n".join(lines)


def _tex_value(value: Value) -> str:
    text = _marked(Value(tex(value.text), value.mark), r"\textbf{{{}}}".format)
    return text.replace("≈", r"$\approx$") + (f" ({tex(value.remark)})" if value.remark else "")
