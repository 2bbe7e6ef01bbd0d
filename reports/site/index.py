"""The first page: what the runs say, the way to everything else, and what is done, running, failed and missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.store.run_folder import RunStatus
from common.text import printable
from reports.paper.tables import DATASET_LABELS, TABLES
from reports.runs.completeness import UNDONE, Coverage
from reports.runs.frame import Loaded
from reports.site.figure_list import FigureList
from reports.site.html import Link, NavGroup, page
from reports.stats.ranks import average
from reports.tables.claims_document import Document
from reports.tables.table import Table

FOLDER = "site"
REPRODUCTION = "reproduction"
_OF_RUNS = ("summary",)  # tables of whatever runs there are
_LISTED = 100  # unfinished runs on this page


def navigation(tables: Sequence[Table], pages: str, home: str) -> list[NavGroup]:
    """Links to every page, grouped. pages: the way to their folder; home: to the first page."""
    paper = [(table.heading, table.name) for table in tables if table.name in TABLES]
    beyond = [(table.heading, table.name) for table in tables if table.name not in (*TABLES, *_OF_RUNS)]
    runs = [(table.heading, table.name) for table in tables if table.name in _OF_RUNS]
    groups = (
        ("", [("Claims", REPRODUCTION), ("Figures", "figures")]),
        ("Paper tables", paper),
        ("Beyond the paper", beyond),
        ("Runs", [*runs, ("All runs", "runs")]),
    )
    found = [NavGroup(title, tuple(Link(text, f"{pages}{name}.html") for text, name in links))
             for title, links in groups if links]  # fmt: skip
    return [NavGroup("", (Link("Overview", home), *found[0].links)), *found[1:]]


def rank_sentences(loaded: Loaded, recipe: str | None = None, datasets: Sequence[str] | None = None) -> list[str]:
    """How the methods rank over data sets and noises, or why that cannot be said."""
    if not len(loaded.runs):
        return []
    ranked = (text if isinstance(text, str) else text.sentence for _, text in average(loaded, recipe, datasets))
    return list(dict.fromkeys(ranked))


def index_page(
    tables: Sequence[Table],
    loaded: Loaded,
    undone: Sequence[RunStatus],
    hrefs: Mapping[Path, str],
    covered: Sequence[Coverage],
    roots: Sequence[Path],
    figures: FigureList,
    claims: Document | None = None,
    ranks: Sequence[str] = (),
) -> str:
    """The first page: what the runs say, then the reports, then how far the suites are.

    hrefs: where the page of each unfinished run is. ranks: sentences.
    """
    counts: Counter[str] = Counter(status.state for status in undone)
    missing = sum(row.counts["missing"] for row in covered)
    tiles = [_tile(len(loaded.runs), "done", "good"), _tile(counts["running"], "running", "running")]
    tiles += [_tile(counts["failed"], "failed", "failed")]
    tiles += [_tile(counts[state], state, state) for state in ("stale", "corrupt") if counts[state]]
    tiles += [_tile(missing, "missing in the suites", "")]
    states = ["done", "running", "failed"]
    states += [state for state in ("stale", "corrupt") if any(row.counts[state] for row in covered)]
    known = {table.name for table in tables}
    rows = [
        {
            "suite": row.suite,
            "dataset": DATASET_LABELS.get(row.dataset, row.dataset),
            "stand_in": row.stand_in,
            "href": f"{FOLDER}/{row.suite if row.suite in known else 'runs'}.html",
            "expected": row.expected,
            **{state: row.counts[state] for state in ("done", *UNDONE, "missing")},
        }
        for row in covered
    ]
    titles = {f"{FOLDER}/{table.name}.html": table.title for table in tables} | {
        f"{FOLDER}/{REPRODUCTION}.html": "The paper's claims over all runs: numbers, tests, outcomes",
        f"{FOLDER}/figures.html": "Accuracy, rejection, uncertainty, features, training",
        f"{FOLDER}/runs.html": "Every run: settings, curves, hardware, commit",
    }
    nav = navigation(tables, f"{FOLDER}/", "index.html")
    cards = [
        (group.title, [{"href": link.href, "heading": link.text, "title": titles[link.href]} for link in links])
        for group in nav
        if (links := [link for link in group.links if link.href in titles])
    ]
    undone = sorted(undone, key=lambda status: (UNDONE.index(status.state), status.path))
    listed = [
        {
            "href": hrefs[status.path],
            "text": printable(" / ".join(status.path.parts[-4:])),
            "state": status.state,
            "detail": status.detail,
        }
        for status in undone[:_LISTED]
    ]
    finished = [text for text in loaded.runs["finished"] if text]
    return page(
        "index.html",
        nav=nav,
        here="index.html",
        folders=[printable(str(root)) for root in roots],
        newest=max(finished, default="")[:16].replace("T", " "),
        tiles=tiles,
        take_home=claims.take_home if claims is not None else (),
        tested=[(entry.claim, part) for entry in claims.entries for part in entry.tested] if claims is not None else [],
        figures=list(figures.overview()),
        ranks=ranks,
        cards=cards,
        states=[*states, "missing"],
        coverage=rows,
        commands=[row.command for row in covered if row.command],
        unfinished=listed,
        more=max(0, len(undone) - _LISTED),
        conflicts=loaded.conflicts,
    )


def _tile(number: int, text: str, style: str) -> dict[str, Any]:
    return {"number": number, "text": text, "style": style if number else "none"}
