"""A run's page: its settings, curves and pictures; pages come and go with their runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reports.build import build
from reports.runs.frame import load
from tests.reports.conftest import fill_table1
from tests.reports.pages import add, row, site

Writer = Callable[..., Path]


def test_numbers_link_to_their_runs(tmp_path: Path, runs: Writer) -> None:
    fill_table1(runs)
    page = site(tmp_path)["site/table1.html"]
    text = page.path.read_text(encoding="utf-8")
    number = row(page, "10 rul")[len("10 rul ") :].split(" 3 ")[0].removesuffix(" ≈")
    (target,) = re.findall(rf'<a href="#(runs-\d+)">(?:<strong>)?{number}', text)
    part = re.search(rf'<li id="{target}">(.*?)</li>', text, re.DOTALL)
    assert part and "faces · noise 10 % · rul (relabel.enabled=true)" in part[1]
    linked = [tmp_path / "out" / "site" / name for name in re.findall(r'href="(run-\w+\.html)"', part[1])]
    assert len(linked) == 3 and all("faces · rul · noise 10 % · seed" in path.read_text() for path in linked)


def test_a_run_page_shows_settings_curves_hardware_and_commit(tmp_path: Path, runs: Writer) -> None:
    add(runs(method="rul", overrides={"relabel.enabled": True}, config={"relabel": {"enabled": True, "share": 0.3}}))
    (page,) = (page for name, page in site(tmp_path).items() if name.startswith("site/run-"))
    for text in (
        "relabel.share",
        "batch_size",
        "0123456789abcdef",
        "Test CPU",
        "images_per_second",
        "best-on-test (oracle)",
    ):
        assert text in page.text
    html = page.path.read_text()
    assert html.count("<polyline") == 2 and "nan" not in "".join(re.findall(r'points="([^"]*)"', html))
    assert re.search(r'class="changed"><th scope="row">relabel.enabled', html)


@pytest.mark.parametrize("history", ["", "epoch,loss\n", "epoch,loss\n1,nan\n", "\x00\xff", "loss\n1\n"])
def test_a_damaged_history_leaves_the_run_page_whole(tmp_path: Path, runs: Writer, history: str) -> None:
    (runs() / "history.csv").write_bytes(history.encode("latin-1"))
    assert any(name.startswith("site/run-") for name in site(tmp_path))


def test_run_pages_are_the_same_from_several_processes(tmp_path: Path, runs: Writer, monkeypatch) -> None:
    for seed in range(4):
        runs(seed=seed)
    pages = []
    for name, part in (("one", 500), ("several", 1)):
        monkeypatch.setattr("reports.site.make.PART", part)
        build(["site"], [tmp_path / "runs"], tmp_path / name)
        pages.append({path.name: path.read_bytes() for path in (tmp_path / name / "site").iterdir()})
    assert pages[0] == pages[1] and sum(name.startswith("run-") for name in pages[0]) == 4


def test_pages_of_vanished_runs_go_and_foreign_files_stay(tmp_path: Path, runs: Writer) -> None:
    folder = runs(seed=0)
    runs(seed=1)
    before = set(site(tmp_path))
    (tmp_path / "out" / "site" / "mine.html").write_text("<p>")
    (folder / "record.json").unlink()
    after = set(site(tmp_path))
    assert len(before - after) == 1 and after - before == {"site/mine.html"}


def test_figure_2_marks_the_methods_own_weight_or_says_why_not(tmp_path: Path, runs: Writer) -> None:
    from reports.figures.mixing import one_pair
    from reports.figures.panels import panels

    weights = np.linspace(0, 1, 101)
    pair = {
        "figure2_weight": weights, "figure2_loss_certain": weights**2, "figure2_loss_uncertain": (1 - weights) ** 2,
        "figure2_own_weight": np.array(0.62), "figure2_index": np.array([3, 5]), "figure2_labels": np.array([0, 2]),
        "figure2_images": np.zeros((2, 8, 8, 1), np.uint8),
    }  # fmt: skip
    folder = add(runs(method="rul", noise=0.0))
    (panel,) = panels(load([tmp_path / "runs"]))
    assert "older runs" in str(one_pair(panel, tmp_path))
    pages = site(tmp_path, ("figures", "site"))
    assert "Not drawn" in pages["site/figures.html"].text
    add(folder, **pair)
    (panel,) = panels(load([tmp_path / "runs"]))
    drawing = one_pair(panel, tmp_path)
    assert isinstance(drawing, tuple)
    texts = {text.get_text() for axis in drawing[2].axes for text in axis.texts}
    assert texts == {"least 0.50", "own 0.62"}
    assert len(drawing[2].axes[0].child_axes) == 5  # the mixed images
