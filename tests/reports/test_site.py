"""The site from generated records: whole, linked, escaped, and honest about what is wrong with the records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from benchmarks.plan.recipe import Recipe
from benchmarks.store.lease import Lease
from reports.build import build, names
from reports.runs.frame import load
from reports.site.index import index_page
from reports.tables.claims_document import Document
from reports.tables.claims_grids import Grid
from tests.reports.conftest import OWN, RECIPE, RUL, fill_table1, last_metrics, write
from tests.reports.pages import add, broken_links, row, site

Writer = Callable[..., Path]
HOSTILE = "<script>alert(1)</script>"


def test_every_page_is_there_and_every_link_resolves(tmp_path: Path, runs: Writer) -> None:
    fill_table1(runs)
    add(runs(method="conf", noise=0.0))
    pages = site(tmp_path, ())
    tables = [name for name in names() if name not in ("reproduction", "figures", "site")]
    assert {"index.html", "site/reproduction.html", "site/figures.html", "site/runs.html"} <= set(pages)
    assert {f"{name}.html" for name in tables} | {f"site/{name}.html" for name in tables} <= set(pages)
    records = list((tmp_path / "runs").rglob("record.json"))
    assert sum(name.startswith("site/run-") for name in pages) == len(records) > 30
    assert list(broken_links(pages)) == []
    assert pages["site/figures.html"].tags.count("img") > 3
    assert all(not link.startswith(("http:", "https:", "//")) for page in pages.values() for link in page.loaded)


def test_the_overview_begins_with_pictures_and_the_navigation_is_grouped(tmp_path: Path, runs: Writer) -> None:
    fill_table1(runs, "fer2013", recipe=OWN)
    for noise in (0.0, 0.1):
        add(runs(dataset="fer2013", method="conf", noise=noise, recipe=OWN))
    home = site(tmp_path, ("figures", "site"))["index.html"]
    text = home.path.read_text(encoding="utf-8")
    shown = [link for link in home.loaded if not link.startswith("data:")]
    pictures = ("forest", "accuracy-over-noise", "rejection-fer2013-noise-0")
    assert shown == [f"figures/{name}.png" for name in pictures]
    assert (
        text.index("accuracy-over-noise") < text.index("Average ranks by accuracy over 3 blocks") < text.index("Suites")
    )
    groups = re.findall(r'<div class="group">(.*?)</div>', text, re.DOTALL)
    titles = [re.findall(r"<b [^>]*>(.*?)</b>", group) for group in groups]
    assert titles == [[], ["Paper tables"], ["Beyond the paper"], ["Runs"]]
    assert "site/table6.html" in groups[1] and "site/uncertainty.html" in groups[2] and "site/runs.html" in groups[3]


def test_take_home_lines_and_the_forest_come_first(tmp_path: Path, runs: Writer) -> None:
    from reports.figures.make import MANIFEST
    from reports.site.figure_list import figure_list

    runs()
    site(tmp_path, ("figures", "site"))
    folder = tmp_path / "out" / "figures"
    listed = [
        {"name": name, "title": name, "caption": HOSTILE, "drawn": True} for name in ("rejection-a-noise-0", "forest")
    ]
    (folder / MANIFEST).write_text(json.dumps(listed))
    for one in listed:
        (folder / f"{one['name']}.png").write_bytes(b"\x89PNG" + bytes(12) + b"\x00\x00\x01\x00" * 2)
    figures = figure_list(tmp_path / "out")
    assert [one.name for one in figures.overview()] == ["forest", "rejection-a-noise-0"]
    text = index_page(
        (), load([tmp_path / "runs"]), (), {}, (), (), figures, Document((HOSTILE, "second"), (), Grid((), ()), (), ())
    )
    assert text.index("second") < text.index("forest.png") < text.index("rejection-a-noise-0.png")
    assert "<script>alert" not in text


@pytest.mark.parametrize(("recipe", "rows"), [(OWN, 1), (RECIPE, 0)])
def test_the_first_page_names_what_was_tested(tmp_path: Path, runs: Writer, recipe: Recipe, rows: int) -> None:
    for (method, accuracy), seed in product({"scn": 0.5, "rul": 0.6}.items(), range(2)):
        overrides = RUL if method == "rul" else {}
        accuracy = round(accuracy + 0.001 * seed * len(method), 4)
        runs(dataset="fer2013", method=method, seed=seed, accuracy=accuracy, overrides=overrides, recipe=recipe)
    pages = site(tmp_path, ("figures", "site"))
    first, claims = pages["index.html"], pages["site/reproduction.html"]
    assert first.links.count("site/reproduction.html#claim-1") == rows
    assert ("RUL is above SCN and DUL under label noise" in first.text) is bool(rows)
    assert "claim-1" in claims.ids and ("../figures/forest.png" in claims.loaded) is bool(rows)


def test_a_table_without_runs_says_so_in_one_line(tmp_path: Path, runs: Writer) -> None:
    runs(dataset="fer2013", method="rul", noise=0.0)
    page = site(tmp_path, ("table3", "site"))["site/table3.html"]
    assert "Nothing to show: no finished runs on RAF-DB." in page.text and "table" not in page.tags
    text = (tmp_path / "out" / "table3.md").read_text()
    assert "no finished runs on RAF-DB" in text and "\n|" not in text and "--suite table3" in text
    assert "table" in site(tmp_path)["site/table4.html"].tags


def test_without_any_runs(tmp_path: Path) -> None:
    pages = site(tmp_path, ())
    assert list(broken_links(pages)) == []
    assert "There are no runs." in pages["site/runs.html"].text and "report" in pages["site/figures.html"].text


def test_hostile_text_stays_text_on_every_page(tmp_path: Path, runs: Writer) -> None:
    folder = add(runs(dataset=HOSTILE, method="scn", overrides={"x": HOSTILE}, recipe=RECIPE))
    record = json.loads((folder / "record.json").read_text())
    record["provenance"] |= {
        "processor": HOSTILE,
        "commit": HOSTILE,
        "data": {"notes": [HOSTILE], "classes": [HOSTILE]},
    }
    (folder / "record.json").write_text(json.dumps(record))
    failed = tmp_path / "runs" / "faces" / "scn" / "noise-0.10" / "seed-0-00000000"
    failed.mkdir(parents=True)
    (failed / "failure.json").write_text(json.dumps({"message": HOSTILE, "traceback": HOSTILE}))
    pages = site(tmp_path, ())
    for name, page in pages.items():
        assert page.tags.count("script") <= 1 and "<script>alert" not in page.path.read_text(), name
    assert sum(HOSTILE in page.text for page in pages.values()) > 5
    assert list(broken_links(pages)) == [] and not (tmp_path / "run-").exists()


def test_states_are_counted_per_suite(tmp_path: Path, runs: Writer) -> None:
    runs(method="scn", seed=0)
    base = tmp_path / "runs" / "faces"
    failed = base / "dul" / "noise-0.20" / "seed-0-0badf00d"
    failed.mkdir(parents=True)
    (failed / "failure.json").write_text(json.dumps({"message": "Diverged: loss", "traceback": "Traceback X"}))
    running = base / "dul" / "noise-0.10" / "seed-0-0badf00e"
    running.mkdir(parents=True)
    (running / "progress.json").write_text(json.dumps({"epoch": 3, "epochs": 8}))
    assert Lease.take(running, 0)
    (base / "baseline" / "noise-0.10" / "seed-0-0badf00a").mkdir(parents=True)
    (write(tmp_path / "runs", method="baseline", noise=0.2) / "record.json").write_text('{"schema_version": 0}')
    pages = site(tmp_path)
    cells = row(pages["index.html"], "table1").split()
    size = int(cells[-1])
    assert cells[1:] == ["faces", "stand-in", "1", "1", "1", "1", str(size - 4), str(size)]
    text = pages["index.html"].text
    assert "Diverged: loss" in text and "epoch 3/8 on" in text and "schema 0" in text
    assert any("Traceback X" in page.text for name, page in pages.items() if name.startswith("site/folder-"))
    assert list(broken_links(pages)) == []


def test_an_unfinished_run_counts_for_the_arm_and_set_up_it_names(tmp_path: Path, runs: Writer) -> None:
    runs(method="scn", seed=0)
    states = {"rul": {"relabel.enabled": True}, "no arm": {"relabel.margin": 0.5}}
    for noise, overrides in zip((0.1, 0.2), states.values(), strict=True):
        record = write(tmp_path / "other", noise=noise, overrides=overrides) / "record.json"
        spec = json.loads(record.read_text())["spec"]
        folder = tmp_path / "runs" / "faces" / "rul" / f"noise-{noise:.2f}" / "seed-0-0badf00d"
        folder.mkdir(parents=True)
        (folder / "spec.json").write_text(json.dumps(spec))
        (folder / "failure.json").write_text(json.dumps({"message": "Diverged", "traceback": "Traceback"}))
    pages = site(tmp_path)
    assert row(pages["index.html"], "table1").split()[3:6] == ["1", "0", "1"]  # done, running, failed
    line = row(pages["site/runs.html"], "0badf00d")
    assert "relabel.enabled=true" in line and "quick 8" in line
    undone = [page.text for name, page in pages.items() if name.startswith("site/folder-")]
    assert len(undone) == 2 and any("relabel.enabled" in text and "batch_size" in text for text in undone)
    for path in (tmp_path / "runs").rglob("spec.json"):  # as older runs: it may be either arm's
        path.write_text("{")
    assert row(site(tmp_path)["index.html"], "table1").split()[3:6] == ["1", "0", "4"]  # two runs, two arms


def test_the_same_records_give_the_same_site_and_nothing_is_written_twice(tmp_path: Path, runs: Writer) -> None:
    add(runs())
    site(tmp_path)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "out").rglob("*.html")}
    site(tmp_path)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before


def test_one_table_alone_is_one_page_that_needs_no_other(tmp_path: Path, runs: Writer) -> None:
    fill_table1(runs)
    pages = site(tmp_path, ("table1",))
    assert set(pages) == {"table1.html"} and list(broken_links(pages)) == []


def test_what_is_wrong_is_said_at_the_cell(tmp_path: Path, runs: Writer) -> None:
    flat = {**last_metrics(0.8, uncertain=0.0), "error_auroc": 0.5}
    for seed in range(3):
        folder = runs(method="scn", noise=0.0, seed=seed, metrics={"last": flat, "best_on_test": None})
        flat_logits, labels = np.zeros((60, 3), np.float32), (np.arange(60) < 12).astype(int)  # 80 % are right
        add(folder, test_uncertainty=np.ones(60, np.float32), test_logits=flat_logits, test_labels=labels)
    add(runs(method="rul", noise=0.0, seed=0, accuracy=None))
    add(runs(method="rul", noise=0.0, seed=1, accuracy=0.7))
    (runs(method="rul", noise=0.0, seed=2) / "record.json").write_text('{"schema_version": 1, "run_')
    add(runs(method="dul", noise=0.0, seed=0, accuracy=None))
    pages = site(tmp_path)
    assert "80.00 ± 0.00 constant uncertainty" in row(pages["site/table2.html"], "10 scn")
    assert "constant" not in row(pages["site/table2.html"], "0 scn")
    assert "1 of 3 (1 undefined) 1 unreadable" in row(pages["site/table2.html"], "10 rul")
    assert row(pages["site/table2.html"], "10 dul").startswith("10 dul undefined")
    assert "100.00 undefined in 1 of 2" in row(pages["site/summary.html"], "faces 0 rul")
    assert "1 undefined" in row(pages["site/summary.html"], "faces 0 dul")
    assert "3 one class predicted" in row(pages["site/uncertainty.html"], "faces 0 scn own")
    assert row(pages["site/uncertainty.html"], "faces 0 scn own").count("constant") > 3
    build(["table2"], [tmp_path / "runs"], tmp_path / "out")
    for suffix in ("md", "tex"):
        assert "(constant uncertainty)" in (tmp_path / "out" / f"table2.{suffix}").read_text()


def test_conflicts_are_shown_on_the_first_page(tmp_path: Path, runs: Writer) -> None:
    runs(method="scn", accuracy=0.8)
    write(tmp_path / "other", method="scn", accuracy=0.6)
    build(["site"], [tmp_path / "runs", tmp_path / "other"], tmp_path / "out")
    assert "other results than" in (tmp_path / "out" / "index.html").read_text()
