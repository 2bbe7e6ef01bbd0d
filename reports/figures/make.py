"""The paper's figures and the ones it lacks, from stored predictions: PNG and PDF, colour-blind safe."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.files import atomic_write
from reports.figures.panels import Draw, panels
from reports.runs.frame import Loaded

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MANIFEST = "figures.json"


@dataclass(frozen=True)
class Drawn:
    """A figure on disk. `caption` says what it is of and how it was made; without paths, why there is none."""

    name: str
    title: str
    caption: str
    paths: tuple[Path, ...]


def draw_all(
    loaded: Loaded, out: Path, recipe: str | None = None, datasets: Sequence[str] | None = None
) -> Iterator[Drawn]:
    """Draw every figure there are runs for."""
    os.environ["MPLBACKEND"] = "Agg"  # before the import, which fails over a notebook's value of it
    import matplotlib

    matplotlib.use("Agg")
    from reports.figures import evaluation, features, mixing, ranks
    from reports.stats.ranks import average

    every: dict[str, Draw] = {
        "rejection": evaluation.rejection,
        "uncertainty-histogram": evaluation.histograms,
        "confusion": evaluation.confusion,
        "training": evaluation.training,
    }
    clean: dict[str, Draw] = {
        "mixing-pair": mixing.one_pair,
        "mixing-weight": mixing.many_pairs,
        "tsne": features.tsne,
        "examples": features.examples,
    }
    for panel in panels(loaded, recipe, datasets):
        for name, draw in {**every, **(clean if panel.cleanest else {})}.items():
            with matplotlib.rc_context(_STYLE):
                where = f"{name}-{_safe(panel.dataset)}-noise-{_safe(panel.noise)}"
                drawing = draw(panel, out / ".cache")
                if isinstance(drawing, str):
                    yield Drawn(where, f"{name}, {panel.label}", drawing, ())
                elif drawing:
                    title, caption, figure = drawing
                    caption = f"{caption} {panel.label}: {panel.setup}."
                    yield Drawn(where, title, caption, save(figure, out / "figures" / where))
    if not len(loaded.runs):
        return
    for name, ranked in average(loaded, recipe, datasets):
        where = f"critical-difference-{name}"
        if isinstance(ranked, str):
            yield Drawn(where, f"Average ranks by {name}", ranked, ())
            continue
        with matplotlib.rc_context(_STYLE):
            title, caption, figure = ranks.diagram(ranked)
            yield Drawn(where, title, caption, save(figure, out / "figures" / where))


_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
}


def _safe(text: str) -> str:
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in text)


def save(figure: Figure, stem: Path) -> tuple[Path, ...]:
    """Write PNG and PDF, without dates: the same runs give the same files."""
    paths = []
    for suffix, metadata in ((".png", {"Software": None}), (".pdf", {"CreationDate": None, "Producer": None})):
        path = stem.with_name(stem.name + suffix)
        with atomic_write(path, "wb") as file:
            figure.savefig(file, format=suffix[1:], metadata=metadata)
        figure.set_layout_engine("none")  # laid out now: the second format need not do it again
        paths.append(path)
    return tuple(paths)


def make_figures(
    loaded: Loaded, out: Path, recipe: str | None = None, datasets: Sequence[str] | None = None
) -> list[Drawn]:
    """Draw everything below `out/figures` and list it in `out/figures/figures.json`, for the site."""
    every = list(draw_all(loaded, out, recipe, datasets))
    listed = [{"name": i.name, "title": i.title, "caption": i.caption, "drawn": bool(i.paths)} for i in every]
    with atomic_write(out / "figures" / MANIFEST) as file:
        json.dump(listed, file, indent=1)
    return every
