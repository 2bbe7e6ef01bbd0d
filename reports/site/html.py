"""Pages: Jinja2 with autoescape, style and script inlined, so that each opens from a file without a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.paper.tables import DATASET_LABELS
from reports.runs.frame import Loaded, noise_label
from reports.tables.fields import Value
from reports.tables.table import Row, Table

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Link:
    """An entry of the navigation."""

    text: str
    href: str


@dataclass(frozen=True)
class NavGroup:
    """Links that belong together; without a title they stand alone."""

    title: str
    links: tuple[Link, ...]


@dataclass(frozen=True)
class RunLink:
    """How pages name a run. `title` is what it has in common with its other seeds; no `href`: plain text."""

    title: str
    text: str
    href: str = ""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,  # text from records is text, whatever it holds
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    # Our own two files are the only text that is not escaped.
    for name, file in (("style", "style.css"), ("script", "page.js")):
        environment.globals[name] = Markup((TEMPLATES / file).read_text(encoding="utf-8"))
    return environment


def page(template: str, *, nav: Sequence[NavGroup] = (), here: str = "", **values: Any) -> str:
    """One whole page. nav: no header if empty; here: the `href` of the page itself."""
    return _environment().get_template(template).render(header=_header(tuple(nav), here), **values)


@lru_cache
def _header(nav: tuple[NavGroup, ...], here: str) -> Markup:
    """The navigation, which ten thousand run pages have in common."""
    return Markup(_environment().get_template("navigation.html").render(nav=nav, here=here))


@lru_cache(maxsize=1024)
def section(name: str, pairs: tuple[tuple[str, str, bool], ...]) -> Markup:
    """A titled table of settings, of which whole ones are the same for many runs: (key, value, whether changed)."""
    return Markup(_environment().get_template("section.html").render(name=name, pairs=pairs))


def run_links(loaded: Loaded, pages: Mapping[str, str] | None = None) -> dict[str, RunLink]:
    """run id -> how to name it; with `pages` (run id -> file) as a link."""
    found = {}
    names = ("run_id", "dataset", "noise", "noise_kind", "method", "settings", "seed", "last.accuracy")
    for run_id, dataset, noise, kind, method, settings, seed, accuracy in loaded.runs[list(names)].itertuples(
        index=False, name=None
    ):
        noise = noise_label(noise, kind, " %")
        title = f"{DATASET_LABELS.get(dataset, dataset)} · noise {noise} · {method}" + (
            f" ({settings})" if settings else ""
        )
        value = "undefined" if accuracy != accuracy else f"{100 * accuracy:.2f}"
        text = f"seed {seed}: {value}" if pages else f"seed {seed} {run_id}: {value}"
        found[run_id] = RunLink(title, text, pages.get(run_id, "") if pages else "")
    return found


def table_page(table: Table, runs: Mapping[str, RunLink], *, nav: Sequence[NavGroup] = (), here: str = "") -> str:
    """A table with every measured number linked to the runs behind it."""
    behind: dict[tuple[str, ...], int] = {}
    rows = []
    block = table.rows[0].block if table.rows else ""
    for row in table.rows:
        cells = list(_cells(table, row, runs, behind))
        rows.append({"heads": row.keys, "cells": cells, "block": row.block != block})
        block = row.block
    lists = [
        {"number": number, "label": known[0].title, "runs": known}
        for ids, number in behind.items()
        if (known := [runs[run_id] for run_id in ids if run_id in runs])
    ]
    return page("table.html", nav=nav, here=here, table=table, rows=rows, behind=lists)


def _cells(
    table: Table, row: Row, runs: Mapping[str, RunLink], behind: dict[tuple[str, ...], int]
) -> Iterator[dict[str, Any]]:
    values = iter(row.values)
    for group in table.groups:
        mine = [next(values) for _ in group.columns]
        ids = next((value.run_ids for value in mine if value.run_ids), ())
        for place, (column, value) in enumerate(zip(group.columns, mine, strict=True)):
            measured = column.measured and (value.number is not None or value.run_ids)
            yield {
                "text": value.text + (" ≈" if value.mark == "tie" else ""),
                "best": value.mark == "best",
                "remark": value.remark,
                "number": value.number,
                "href": _href(ids, runs, behind) if measured and ids else "",
                "style": _style(value, first=place == 0),
            }


def _href(ids: tuple[str, ...], runs: Mapping[str, RunLink], behind: dict[tuple[str, ...], int]) -> str:
    number = behind.setdefault(ids, len(behind) + 1)
    known = [runs[run_id] for run_id in ids if run_id in runs]
    return known[0].href if len(known) == 1 and known[0].href else f"#runs-{number}"


def _style(value: Value, *, first: bool) -> str:
    return " ".join(["n", *(["first"] if first else []), *([value.kind] if value.kind else [])])
