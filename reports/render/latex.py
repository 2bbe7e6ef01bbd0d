"""Tables as LaTeX that compiles. Text from records is escaped."""

from __future__ import annotations

from reports.tables.fields import Value, marked
from reports.tables.table import Table

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
    head = [*table.keys, *(column.title for group in table.groups for column in group.columns)]
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
    text = marked(Value(tex(value.text), value.mark), r"\textbf{{{}}}".format)
    return text.replace("≈", r"$\approx$") + (f" ({tex(value.remark)})" if value.remark else "")
