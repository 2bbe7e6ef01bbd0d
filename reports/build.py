"""The way in: which reports there are, and making them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.plan import suite as suites
from common.files import atomic_write
from common.registry import unknown
from common.text import printable
from reports.paper.tables import TABLES

if TYPE_CHECKING:
    from reports.runs.frame import Loaded
    from reports.tables.table import Table

OVERVIEWS = ("summary", "convergence", "uncertainty", "calibration", "wrong-labels")
REPRODUCTION = "reproduction"  # the paper's claims, over all data sets
SITE = "site"  # index.html and a page for everything

RELEASED = Path(__file__).with_name("released")  # records that come with the repository


def names() -> list[str]:
    """The reports there are, in the order they are made."""
    return [*TABLES, *OVERVIEWS, REPRODUCTION, "figures", SITE]


def build(
    wanted: Sequence[str],
    runs: Sequence[Path],
    out: Path,
    recipe: str | None = None,
    datasets: Sequence[str] | None = None,
    prefix: str = "python bench.py",
    released: Sequence[Path] = (),
    loaded: Loaded | None = None,
    tables: Sequence[Table] | None = None,
) -> list[Path]:
    """Make reports from the records below `runs` and `released`; returns the files, each table's Markdown first.

    Of the site only `index.html` is returned: it has a page a run.

    wanted: names of reports (`names()`), all of them if empty. recipe: whose runs to show; by default the recipe with
    most finished runs. datasets: which to show; by default those with finished runs. prefix: how the user calls
    bench.py, for the commands that fill missing cells. released: folders of released records, which own runs come
    before. loaded: what is in all of them, where it has been read already; tables: `make_tables` of the same arguments.
    Raises UserError for an unknown report.
    """
    _check(wanted)
    prefix = printable(prefix)  # paths may hold any bytes, a page may not

    from reports.render.csv import comma_separated
    from reports.render.latex import latex
    from reports.render.markdown import markdown
    from reports.runs.frame import load, write_runs_csv
    from reports.runs.results import write_results
    from reports.site.html import run_links, table_page

    loaded = loaded or load(runs, released)
    chosen = list(dict.fromkeys(wanted or names()))
    written = []
    finish_figures = None
    if "figures" in chosen:  # first: other processes draw while the tables are made
        from reports.figures.make import start_figures

        finish_figures = start_figures(loaded, out, recipe, datasets)
    links = run_links(loaded)
    formats = (
        ("md", markdown), ("csv", comma_separated), ("tex", latex), ("html", lambda table: table_page(table, links)),
    )  # fmt: skip
    if tables is None:
        tables = make_tables(wanted, loaded, recipe, datasets, prefix)
    for table in tables:
        for suffix, render in formats if table.name in chosen else ():
            written.append(_write(out / f"{table.name}.{suffix}", render(table)))
    claims = None
    if {REPRODUCTION, SITE} & set(chosen):
        from reports.tables.claims_document import document

        claims = document(loaded)
    if finish_figures is not None:
        from reports.render import figures as figure_list

        figures = finish_figures()
        written += [
            _write(out / "figures.md", figure_list.markdown(figures)),
            *(path for one in figures for path in one.paths),
        ]
    if claims is not None:
        from reports.figures.make import make_forest
        from reports.render import claims as claim_text

        if REPRODUCTION in chosen:
            written.append(_write(out / f"{REPRODUCTION}.md", claim_text.markdown(claims)))
        written += make_forest(claims, out)
        if SITE in chosen:
            from reports.site.make import make_site

            roots = list(dict.fromkeys((*runs, *released)))
            written.append(make_site(tables, claims, loaded, roots, out, recipe, datasets, prefix))
    return [*written, write_runs_csv(out / "runs.csv", loaded.runs), *write_results(out, loaded.runs)]


def make_tables(
    wanted: Sequence[str],
    loaded: Loaded,
    recipe: str | None = None,
    datasets: Sequence[str] | None = None,
    prefix: str = "python bench.py",
) -> list[Table]:
    """The tables of these reports: all of them where none is named, and for the site. Raises UserError as `build`."""
    _check(wanted)
    chosen = list(dict.fromkeys(wanted or names()))
    return list(_tables(names() if SITE in chosen else chosen, loaded, recipe, datasets, printable(prefix)))


def _check(wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in names():
            raise unknown("report", name, names())


def _write(path: Path, text: str) -> Path:
    with atomic_write(path) as file:
        file.write(text)
    return path


def _tables(
    chosen: Sequence[str], loaded: Loaded, recipe: str | None, datasets: Sequence[str] | None, prefix: str
) -> Iterator[Table]:
    from reports.runs.select import select
    from reports.tables import summary as overview
    from reports.tables import uncertainty
    from reports.tables.table import build_table

    for name in chosen:
        if name in TABLES:
            suite = suites.load(TABLES[name].suite)
            yield build_table(TABLES[name], select(loaded.runs, suite, datasets, recipe), loaded, prefix)
    if "summary" in chosen:
        yield overview.runs_table(loaded, datasets, recipe)
    if "convergence" in chosen:
        from reports.tables.convergence import convergence_table

        yield convergence_table(loaded, datasets, recipe)
    if {"uncertainty", "calibration", "wrong-labels"} & set(chosen):
        parts = uncertainty.scored(loaded, datasets, recipe)
        if "uncertainty" in chosen:
            yield uncertainty.uncertainty_table(parts, loaded)
        if "calibration" in chosen:
            yield uncertainty.calibration_table(parts, loaded)
        if "wrong-labels" in chosen:
            from reports.tables.label_errors import label_error_table

            yield label_error_table(parts, loaded)
