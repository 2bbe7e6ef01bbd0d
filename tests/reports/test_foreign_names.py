"""Folders of any bytes, and settings that hold anything: reports show them as text and end well."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench import main
from benchmarks.store.arrays import read_arrays
from common.foreign import Unreadable
from reports.build import build
from reports.release import release
from reports.runs.frame import load
from reports.runs.predictions import read_predictions
from tests.reports import test_release
from tests.reports.conftest import write
from tests.reports.pages import add, broken_links, site

Writer = Callable[..., Path]


def odd(parent: Path, name: bytes) -> Path:
    return Path(os.fsdecode(bytes(parent) + b"/" + name))


@pytest.mark.parametrize("out", [b"out", b"o\xff"])
def test_paths_that_are_no_utf8_are_shown_and_written_about(
    tmp_path: Path, out: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    root = odd(tmp_path, b"r\xff")
    add(write(root))
    (write(root, seed=1) / "record.json").write_text("{")
    write(odd(tmp_path, b"s\xfe"), accuracy=0.6)  # another result of the first run
    failed = odd(root, b"d\xff/rul/noise-0.00/seed-0-deadbeef")
    failed.mkdir(parents=True)
    (failed / "failure.json").write_text('{"message": "lost"}')
    target = odd(tmp_path, out)
    roots = [str(root), str(odd(tmp_path, b"s\xfe"))]
    flags = ["--from", *roots, "--out", str(target), "--no-released"]
    assert main(["report", "table1", "summary", "figures", "site", *flags]) == 0
    printed = capsys.readouterr().out
    assert r"note: not used: " in printed and r"r\udcff/faces/rul" in printed and "\udcff" not in printed
    text = (target / "table1.md").read_text(encoding="utf-8")
    assert r"Not read: " in text and r"r\\udcff/faces/rul" in text and r"s\\udcfe/faces/rul" in text
    first = (target / "index.html").read_text(encoding="utf-8")
    assert r"r\udcff" in first and r"d\udcff / rul / noise-0.00" in first
    assert r"d\udcff" in (target / "site" / "runs.html").read_text(encoding="utf-8")
    flags = ["--runs", str(root), "--out", str(target), "--no-released"]
    assert main(["report", "table1", "site", *flags]) == 0
    assert r"--runs '" in (text := (target / "table1.md").read_text(encoding="utf-8")) and r"r\udcff" in text
    pages = [path.read_text(encoding="utf-8") for path in (target / "site").glob("folder-*.html")]
    assert len(pages) == 2 and any(r"d\udcff · rul" in page and "lost" in page for page in pages)


def test_a_list_of_pages_that_is_no_utf8_is_made_anew_and_removes_nothing(tmp_path: Path, runs: Writer) -> None:
    runs()
    site(tmp_path)
    folder = tmp_path / "out" / "site"
    (folder / ".pages").write_bytes(b"mine.html\nsummary.html\xff\n")
    (folder / "mine.html").write_text("mine")
    assert list(broken_links(site(tmp_path))) == []
    assert (folder / "mine.html").read_text() == "mine"
    assert "summary.html" in (folder / ".pages").read_text(encoding="utf-8").split()


def test_settings_that_hold_anything_are_text_in_every_table(tmp_path: Path, runs: Writer) -> None:
    add(runs(overrides={"x\x1b[31m": "y\x1b]0;z\x07\n"}))
    assert load([tmp_path / "runs"]).runs["settings"].tolist() == [r"x\x1b[31m=y\x1b]0;z\x07\n"]
    build([], [tmp_path / "runs"], tmp_path / "out")
    for path in (path for path in (tmp_path / "out").rglob("*") if path.suffix in (".md", ".csv", ".tex")):
        if path.name != "results.csv":
            assert "\x1b" not in path.read_text(encoding="utf-8"), path.name


def test_a_name_cannot_make_a_link_in_markdown(tmp_path: Path, runs: Writer) -> None:
    runs(overrides={"x": r"\[click\](http://evil.example)"})
    build(["summary"], [tmp_path / "runs"], tmp_path / "out")
    assert r"x=\\\[click\\\](http://evil.example)" in (tmp_path / "out" / "summary.md").read_text()


def test_an_array_that_runs_share_is_the_one_that_its_name_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.release.embed", lambda features: features[:, :2].astype(np.float32))
    for seed in (0, 1):
        test_release.add(tmp_path / "runs", seed=seed)
    release([tmp_path / "runs"], tmp_path / "released")
    folders = sorted(path.parent for path in (tmp_path / "released").rglob("record.json"))
    shared = {path: read_arrays(path)["array"] for path in (tmp_path / "released" / "shared").iterdir()}
    path, flipped = next((path, values) for path, values in shared.items() if values.dtype == bool)
    assert (flipped != flipped[::-1]).any()
    with open(path, "wb") as file:  # another seed's noise: every number of the test set stays as it was
        np.savez(file, array=flipped[::-1])
    for folder in folders:
        with pytest.raises(Unreadable, match=f"shared/{path.name}: it holds another array"):
            read_predictions(folder)
    build(["uncertainty"], [tmp_path / "released"], tmp_path / "out")
    assert "0 of 2" in (tmp_path / "out" / "uncertainty.md").read_text()
    with open(path, "wb") as file:
        np.savez(file, array=flipped)
    assert all((read_predictions(folder)["train_flipped"] == flipped).all() for folder in folders)
