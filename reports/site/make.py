"""The site: `index.html` and `site/`, one page per table, figure list and run; opens from a file, needs no network."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.plan.paths import RunPath
from benchmarks.store.run_folder import RunStatus
from common.files import atomic_write
from common.foreign import MIB, Unreadable, read_text
from common.text import printable
from reports.figures.make import FOREST
from reports.render import claims as claim_text
from reports.runs.completeness import coverage, spec_of, unfinished
from reports.runs.frame import Loaded, settings_label
from reports.site.figure_list import figure_list
from reports.site.html import NavGroup, page, run_links, table_page
from reports.site.index import FOLDER, REPRODUCTION, index_page, navigation, rank_sentences
from reports.site.run_page import done_page, undone_page
from reports.tables.claims_document import Document
from reports.tables.table import Table

# Which files of `site/` are ours: what is no longer made is removed, what somebody else put there is not.
_PAGES = ".pages"
LARGEST_LIST = 64 * MIB
PART = 500  # run pages that a process writes at a time: a second or two, as long as it takes to start one


def make_site(
    tables: Sequence[Table],
    claims: Document,
    loaded: Loaded,
    roots: Sequence[Path],
    out: Path,
    recipe: str | None = None,
    datasets: Sequence[str] | None = None,
    prefix: str = "python bench.py",
) -> Path:
    """Write the site of these tables, claims and of every run below `roots`; returns `out/index.html`.

    Figures are those of `out/figures`, as last drawn.
    """
    undone = unfinished(loaded, roots)
    pages = {run_id: _page_name(run_id) for run_id in loaded.runs["run_id"]}
    marked = {status.path: f"folder-{_digest(str(status.path))}.html" for status in undone}
    nav = navigation(tables, "", "../index.html")
    site = _SiteFolder(out / FOLDER)
    links = run_links(loaded, pages)
    for table in tables:
        here = f"{table.name}.html"
        site.write(here, table_page(table, links, nav=nav, here=here))
    here = f"{REPRODUCTION}.html"
    parts: dict[str, Any] = {name: getattr(claim_text, name) for name in ("paragraph", "table", "details")}
    introduction = claim_text.introduction(claims)
    figures = figure_list(out)
    parts["forest"] = next((one for one in figures.shown if one.name == FOREST and claims.forest), None)
    site.write(here, page("reproduction.html", nav=nav, here=here, claims=claims, introduction=introduction, **parts))
    site.write("figures.html", page("figures.html", nav=nav, here="figures.html", figures=figures, prefix=prefix))
    site.write("runs.html", page("runs.html", nav=nav, here="runs.html", runs=_runs(loaded, pages, undone, marked)))
    done = loaded.runs[["run_id", "folder", "released"]].itertuples(index=False, name=None)
    site.write_runs([(pages[run_id], run_id, folder, public) for run_id, folder, public in done], nav)
    for status in undone:
        site.write(marked[status.path], undone_page(status.path.name, status, spec_of(status.path), nav))
    covered = list(coverage(loaded, undone, recipe, datasets, prefix))
    hrefs = {folder: f"{FOLDER}/{name}" for folder, name in marked.items()}
    _write(
        out / "index.html",
        index_page(
            tables,
            loaded,
            undone,
            hrefs,
            covered,
            roots,
            figures,
            claims=claims,
            ranks=rank_sentences(loaded, recipe, datasets),
        ),
    )  # last, so that whatever it links to is there
    site.finish()
    return out / "index.html"


class _SiteFolder:
    """Pages of ours in one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written: set[str] = set()
        path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, text: str) -> None:
        self.written.add(name)
        _write(self.path / name, text)

    def write_runs(self, runs: Sequence[tuple[str, str, Path, bool]], nav: Sequence[NavGroup]) -> None:
        """The pages of finished runs (page, run id, folder, whether released), thousands of them on all cores."""
        from joblib import Parallel, cpu_count, delayed

        self.written.update(name for name, *_ in runs)
        parts = [runs[start : start + PART] for start in range(0, len(runs), PART)]
        jobs = min(cpu_count(), len(parts)) if len(parts) > 2 else 1
        Parallel(n_jobs=jobs, batch_size=1)(delayed(_write_runs)(self.path, part, nav) for part in parts)

    def finish(self) -> None:
        """Remove the pages of an earlier time that were not made now."""
        memory = self.path / _PAGES
        before: list[str] = []
        with suppress(FileNotFoundError, Unreadable):  # whose pages they were is not known then: they stay
            before = read_text(memory, LARGEST_LIST).split()
        for name in set(before) - self.written:
            if re.fullmatch(r"[\w-]+\.html", name):
                (self.path / name).unlink(missing_ok=True)
        _write(memory, "\n".join(sorted(self.written)) + "\n")


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and only if it differs: ten thousand run pages seldom change."""
    try:
        if path.read_bytes() == text.encode():
            return
    except OSError:
        pass
    with atomic_write(path, sync=False) as file:
        file.write(text)


def _write_runs(folder: Path, runs: Sequence[tuple[str, str, Path, bool]], nav: Sequence[NavGroup]) -> None:
    for name, run_id, run, public in runs:
        _write(folder / name, done_page(run_id, run, nav, released=public))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]  # paths may hold any bytes


def _page_name(run_id: str) -> str:
    """File name of a run's page. An id that is no id (a foreign record) is hashed: it may hold anything."""
    return f"run-{run_id if re.fullmatch('[0-9a-f]{8}', run_id) else _digest(run_id)}.html"


def _runs(
    loaded: Loaded, pages: Mapping[str, str], undone: Sequence[RunStatus], marked: Mapping[Path, str]
) -> Iterator[dict[str, Any]]:
    names = ["run_id", "released", "dataset", "noise", "noise_kind", "method", "settings", "seed", "recipe", "epochs"]
    numbers = ["last.accuracy", "best_on_test.accuracy", "timing.seconds"]
    for row in loaded.runs[names + numbers].itertuples(index=False, name=None):
        run_id, public, dataset, noise, kind, method, settings, seed, recipe, epochs, accuracy, oracle, seconds = row
        yield {
            "id": run_id, "href": pages[run_id], "state": "released" if public else "done", "dataset": dataset,
            "noise": f"{noise:.3g}" if kind == "symmetric" else f"{noise:.3g} {kind}", "method": method,
            "settings": settings, "seed": seed, "recipe": recipe, "epochs": epochs,
            "accuracy": _number(100 * accuracy, 2), "oracle": _number(100 * oracle, 2),
            "seconds": _number(seconds, 0),
        }  # fmt: skip
    empty = dict.fromkeys(("settings", "recipe", "epochs", "accuracy", "oracle", "seconds"), "")
    for status in undone:
        dataset, method, noise, name = status.path.parts[-4:]
        run = RunPath.parse(status.path) or RunPath(dataset, method, noise.removeprefix("noise-"), 0, name)
        settings = {}
        if spec := spec_of(status.path):
            settings["settings"] = settings_label(spec.overrides)
            settings |= {"recipe": spec.recipe.name, "epochs": spec.recipe.epochs}
        yield {
            **empty, **settings, "id": printable(run.run_id), "href": marked[status.path], "state": status.state,
            "dataset": printable(run.dataset), "noise": printable(run.noise), "method": printable(run.method),
            "seed": run.seed,
        }  # fmt: skip


def _number(value: float, digits: int) -> str:
    return "undefined" if value != value else f"{value:.{digits}f}"
