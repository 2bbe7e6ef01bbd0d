"""The document of claims as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from reports.paper.claim import Claim
from reports.render.markdown import escape_markdown
from reports.stats.outcome import MARGIN
from reports.tables.claim_results import ClaimResult
from reports.tables.claims_document import Document
from reports.tables.claims_grids import HEAD, Grid, finding_rows, statement

LINES = 150  # before the appendix
ROWS = 4  # of a section's table at most, fewer where the lines would not do; the appendix has all

HOW = (
    "Every number is of the last epoch and is read from the stored records; none is chosen on the test set. A "
    "comparison is made in the cell (data set, noise) where it was measured; cells are never averaged.",
    "One model for all cells of a comparison: method in cell, with the seed at random, one variance for all unless "
    "they differ, no smaller than what seeds make of single images. Runs of one seed share their flipped labels within "
    "a cell, and their first weights within a method. "
    "Intervals are 95 %, over seeds and test images; only those of the share of pairs (17) and of training labels (13, "
    "14) are over seeds alone. They hold for all comparisons of one measure in a claim together.",
    f"Margin: {MARGIN:g} point. supported, opposed: the interval excludes zero; equivalent: it lies within the margin; "
    "undecided: neither, with the smallest difference that these runs find with 80 % power; one seed: there is no "
    "interval and no outcome; not tested: there are no runs, or a reason is given. What cannot be below zero, and "
    "times, are described.",
    "A recipe says what its numbers may say: quick nothing, compact whether a claim holds in that setting, paper "
    "whether the paper is reproduced: its difference, with the error of the deviations that it prints, and ours are "
    "equal to within the margin by two one-sided tests. "
    "Where two recipes have runs of a claim, one that says nothing is shown in the appendix alone.",
    "A comparison is called the paper's only where the paper's own tables satisfy it; where it gives no number "
    "stands –. Stand-ins (drawn faces, digits) are no part of this document. A method is not compared with itself. "
    "What was looked at for a fault of ours where the released records do not show a claim: docs/checks.md.",
)


def introduction(whole: Document) -> list[str]:
    """How the numbers came about."""
    return [*HOW, *whole.evidence]


def quoted(claim: Claim) -> str:
    """The paper's words and where they stand."""
    return f"“{claim.quote}” ({claim.where})" if claim.quote else f"{claim.where[0].upper()}{claim.where[1:]}."


def paragraph(entry: ClaimResult) -> str:
    """A claim's words, what it is about, and why it is not tested where it is not."""
    parts = [quoted(entry.claim), entry.claim.remark, statement(entry.claim)]
    if not entry.parts:
        parts.append("Not tested: no finished run has what it compares.")
    for part in entry.telling:
        if not part.allowed:
            parts.append(f"Not tested (recipe {part.recipe}).")
        elif part.missing:
            parts.append(f"Not tested, since recipe {part.recipe} has no runs of it: {'; '.join(part.missing)}.")
        apart = sorted({one.comparison.text for one in part.findings if one.agree is not None and one.agree < 0.05})
        if apart:
            parts.append(f"The cells of recipe {part.recipe} disagree on {'; '.join(apart)}: each stands for itself.")
    return " ".join(text for text in parts if text)


def table(entry: ClaimResult, limit: int | None = None) -> Grid | None:
    """A claim's findings under all recipes. With a limit so many: one of each outcome, the most frequent first, then of
    each comparison; those with several seeds before those with one."""
    rows = [row for part in entry.parts for row in finding_rows(part.findings, part.recipe)]
    found = [one for part in entry.parts for one in part.findings]
    told = Counter(one.outcome for one in found)
    places = sorted(range(len(rows)), key=lambda place: found[place].runs == 1)
    outcomes = _firsts(places, [one.outcome for one in found])
    wanted = [outcomes[outcome] for outcome, _ in told.most_common()]
    wanted += [*_firsts(places, [row[0] for row in rows]).values(), *places]
    chosen = sorted(list(dict.fromkeys(wanted))[:limit])
    return Grid(HEAD, tuple(rows[place] for place in chosen)) if rows else None


def _firsts(places: Sequence[int], values: Sequence[str]) -> dict[str, int]:
    """Each value, and the first of these places that it stands at."""
    found: dict[str, int] = {}
    for place in places:
        found.setdefault(values[place], place)
    return found


def mixed(entry: ClaimResult) -> bool:
    """Whether a claim's findings came out differently. Where they did not, the summary says it all."""
    return len({one.outcome for part in entry.parts for one in part.findings}) > 1


def left_out(entry: ClaimResult, shown: int) -> str:
    """How many findings a section leaves to the appendix, of which it shows so many; empty: none."""
    count = sum(len(part.findings) for part in entry.parts)
    if shown:
        return f"{shown} of {count} rows; the appendix has all." if shown < count else ""
    return f"The appendix has {f'all {count} rows' if count > 1 else 'the row'}." if count else ""


def details(entry: ClaimResult) -> Grid | None:
    """What the appendix says of the tests: standard error, degrees of freedom, p."""
    rows = [
        (
            one.comparison.text, _cell(entry, part.recipe, place), part.recipe, f"{effect.error:.3f}",
            f"{effect.freedom:.1f}", f"{effect.critical:.4f}", _p(effect.p), _p(one.agree),
        )
        for part in entry.parts
        for place, one in enumerate(part.findings)
        if one.ruling is not None and (effect := one.ruling.effect).error is not None
    ]  # fmt: skip
    head = ("comparison", "cell", "recipe", "error", "degrees of freedom", "critical t", "p", "p that cells agree")
    return Grid(head, tuple(rows)) if rows else None


def _cell(entry: ClaimResult, recipe: str, place: int) -> str:
    part = next(part for part in entry.parts if part.recipe == recipe)
    return finding_rows(part.findings, recipe)[place][1]


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def markdown(whole: Document) -> str:
    """The document as GitHub Markdown."""
    body = next((found for rows in range(ROWS, -1, -1) if len(found := _body(whole, rows)) <= LINES), _body(whole, 0))
    lines = [*body, "## Appendix: levels, tests, commands", ""]
    lines += ["Generated by `python bench.py report reproduction`; do not edit.", ""]
    for entry in whole.entries:
        lines += _appendix(entry)
    return "\n".join(lines).rstrip("\n") + "\n"


def _body(whole: Document, rows: int) -> list[str]:
    """What comes before the appendix, with so many rows of each section's table."""
    lines = ["# Reproduction: which of the paper's claims hold", ""]
    lines += [*(f"- {escape_markdown(text)}" for text in whole.take_home), "", *_grid(whole.summary), ""]
    lines += ["![What was tested, with intervals](figures/forest.png)", ""] if whole.forest else []
    lines += ["## How it was measured", *(f"- {escape_markdown(text)}" for text in introduction(whole)), ""]
    for asked, title in (("paper", "The paper's claims"), ("here", "What the paper does not show")):
        lines += [f"## {title}"]
        for entry in whole.entries:
            if entry.claim.asked == asked:
                lines += [f"### {entry.claim.number}. {escape_markdown(entry.claim.title)}"]
                found = table(entry, rows) if rows and mixed(entry) else None
                text = (paragraph(entry), left_out(entry, len(found.rows) if found is not None else 0))
                lines += [escape_markdown(" ".join(part for part in text if part)), ""]
                lines += _grid(found) if found is not None else ()  # a heading may follow a table at once
    return [*lines, ""]


def _appendix(entry: ClaimResult) -> Iterator[str]:
    if not entry.parts:
        return
    yield f"### {entry.claim.number}, in full"
    yield ""
    for found in (table(entry), details(entry)):
        if found is not None:
            yield from (*_grid(found), "")
    for part in entry.parts:
        yield from (f"**Recipe {escape_markdown(part.recipe)}.** {escape_markdown(' '.join(part.settings))}", "")
        if part.levels is not None:
            yield from (*_grid(part.levels), "")
        yield from ("```", *part.commands, "```", "")


def _grid(found: Grid) -> Iterator[str]:
    yield "| " + " | ".join(map(escape_markdown, found.head)) + " |"
    yield "|" + "|".join("---" if words else "---:" for words in found.words) + "|"
    for row in found.rows:
        yield "| " + " | ".join(map(escape_markdown, row)) + " |"
