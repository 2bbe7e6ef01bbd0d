"""The first page: what is done, running, failed and missing, and the way to everything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.store.run_folder import RunStatus
from reports.paper.tables import DATASET_LABELS
from reports.runs.completeness import UNDONE, Coverage
from reports.runs.frame import Loaded
from reports.site.html import Link, page
from reports.tables.table import Table

FOLDER = "site"
REPRODUCTION = "reproduction"
_LISTED = 100  # unfinished runs on this page


def navigation(tables: Sequence[Table], pages: str, home: str) -> list[Link]:
    """Links to every page. pages: the way to their folder; home: to the first page."""
    names = [("Findings", "findings"), ("Claims", REPRODUCTION), *((table.heading, table.name) for table in tables)]
    names += [("Figures", "figures"), ("Runs", "runs")]
    return [Link("Overview", home), *(Link(text, f"{pages}{name}.html") for text, name in names)]


def index_page(
    tables: Sequence[Table],
    loaded: Loaded,
    undone: Sequence[RunStatus],
    hrefs: Mapping[Path, str],
    covered: Sequence[Coverage],
    roots: Sequence[Path],
) -> str:
    """The first page. hrefs: where the page of each unfinished run is."""
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
    cards = [
        {"href": f"{FOLDER}/findings.html", "heading": "Findings", "title": "What holds and what does not, in words"}
    ]
    title = "The paper's claims over all runs: numbers, tests, verdicts"
    cards.append({"href": f"{FOLDER}/{REPRODUCTION}.html", "heading": "Claims", "title": title})
    cards += [
        {"href": f"{FOLDER}/{table.name}.html", "heading": table.heading, "title": table.title} for table in tables
    ]
    cards += [
        {"href": f"{FOLDER}/figures.html", "heading": "Figures", "title": "Losses, features, faces, curves"},
        {"href": f"{FOLDER}/runs.html", "heading": "Runs", "title": "Every run: settings, curves, hardware, commit"},
    ]
    undone = sorted(undone, key=lambda status: (UNDONE.index(status.state), status.path))
    listed = [
        {
            "href": hrefs[status.path],
            "text": " / ".join(status.path.parts[-4:]),
            "state": status.state,
            "detail": status.detail,
        }
        for status in undone[:_LISTED]
    ]
    finished = [text for text in loaded.runs["finished"] if text]
    return page(
        "index.html",
        nav=navigation(tables, f"{FOLDER}/", "index.html"),
        here="index.html",
        folders=[str(root) for root in roots],
        newest=max(finished, default="")[:16].replace("T", " "),
        tiles=tiles,
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
