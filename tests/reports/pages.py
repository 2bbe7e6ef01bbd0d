"""What tests of the site read: a page's links and words, and runs with arrays to show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from reports.build import build
from tests.reports.conftest import save

HISTORY = "epoch,loss,label_accuracy,test_accuracy\n1,2.0,0.9,0.5\n2,nan,0.9,\n3,1.0,0.9,0.7\n"


class Page(HTMLParser):
    """Links, anchors, remarks and table cells of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.ids += [values["id"]] if values.get("id") else []
        if tag == "a":
            self.links.append(values["href"] or "")
        elif values.get("src") or values.get("href"):
            self.loaded.append(values.get("src") or values.get("href") or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def site(tmp_path: Path, wanted: tuple[str, ...] = ("site",), **options: object) -> dict[str, Page]:
    """Every page by its name below the output folder."""
    out = tmp_path / "out"
    build(list(wanted), [tmp_path / "runs"], out, **options)  # type: ignore[arg-type]
    return {str(path.relative_to(out)): Page(path) for path in sorted(out.rglob("*.html"))}


def broken_links(pages: dict[str, Page]) -> Iterator[str]:
    for name, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), name
        for link in [*page.links, *page.loaded]:
            if link.startswith("data:"):
                continue
            file, _, anchor = unquote(link).partition("#")
            target = (page.path.parent / file).resolve() if file else page.path.resolve()
            if "://" in link or not target.is_file():
                yield f"{name}: {link}"
            elif anchor and anchor not in Page(target).ids:
                yield f"{name}: {link}: no such anchor"


def row(page: Page, start: str) -> str:
    """The words of the table row that begins with `start`."""
    text = re.sub(r"\s+", " ", page.path.read_text(encoding="utf-8"))
    rows = [re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", part)).strip() for part in re.findall(r"<tr.*?</tr>", text)]
    return next(part for part in rows if part.startswith(start))


def add(folder: Path, **values: np.ndarray) -> Path:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 60)
    arrays = {
        "test_logits": (4 * np.eye(3)[labels] + draw.normal(size=(60, 3))).astype(np.float32),
        "test_labels": labels,
        "test_uncertainty": draw.random(60).astype(np.float32),
        "test_features": draw.normal(size=(60, 4)).astype(np.float16),
        **values,
    }
    save(folder, **arrays)
    (folder / "history.csv").write_text(HISTORY)
    return folder
