"""The paper's figures and the ones it lacks, from stored predictions: PNG and PDF, colour-blind safe."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.files import atomic_write
from reports.figures import reuse
from reports.figures.forest import Tested, forest
from reports.figures.panels import Draw, Drawing, Panel, panels
from reports.runs.frame import Loaded

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MANIFEST = "figures.json"
FOREST = "forest"
DPI = 200


@dataclass(frozen=True)
class Drawn:
    """A figure on disk. `caption` says what it is of and how it was made; without paths, why there is none."""

    name: str
    title: str
    caption: str
    paths: tuple[Path, ...]


def start_figures(
    loaded: Loaded, out: Path, recipe: str | None = None, datasets: Sequence[str] | None = None
) -> Callable[[], list[Drawn]]:
    """Begin to draw below `out/figures`, panels in other processes: the caller may do something else meanwhile.

    What is returned waits for all figures, lists them in `out/figures/figures.json` for the site and returns them, in
    an order that is always the same.
    """
    drawn = _panels(list(panels(loaded, recipe, datasets)), out)

    def finish() -> list[Drawn]:
        every: list[Drawn] = []
        ranked: list[Drawn] = []
        if len(loaded.runs):
            with _drawing():
                from reports.figures import noise

                over = noise.over_noise(loaded, recipe, datasets)
                every = [_drawn(noise.NAME, "Accuracy over label noise", over, out)]
                ranked = list(_ranks(loaded, out, recipe, datasets))
            every += [*chain.from_iterable(drawn()), *ranked]
        _list(out, [{"name": i.name, "title": i.title, "caption": i.caption, "drawn": bool(i.paths)} for i in every])
        return every

    return finish


def _panels(found: Sequence[Panel], out: Path) -> Callable[[], list[list[Drawn]]]:
    """The figures of each panel: those on disk where nothing has changed since they were drawn, else drawn now."""
    from joblib import Parallel, cpu_count, delayed

    keys = [reuse.key(panel) for panel in found]
    memories = [out / ".cache" / f"panel-{_safe(panel.dataset)}-noise-{_safe(panel.noise)}.json" for panel in found]
    known = [reuse.kept(memory, key) for memory, key in zip(memories, keys, strict=True)]
    # The largest first, so that no process is left alone with it at the end.
    todo = [place for place, listed in enumerate(known) if listed is None]
    todo.sort(key=lambda place: (not found[place].cleanest, -len(found[place].arms)))
    # A process takes seconds to start, which a panel or two are not worth.
    jobs = min(cpu_count(), len(todo)) if len(todo) > 3 else 1
    drawing = Parallel(n_jobs=jobs, batch_size=1, return_as="generator")(
        delayed(_redraw)(found[place], out, memories[place], keys[place]) for place in todo
    )

    def finish() -> list[list[Drawn]]:
        done = {**dict(enumerate(known)), **dict(zip(todo, drawing, strict=True))}
        return [[Drawn(name, title, about, tuple(map(Path, files))) for name, title, about, files in done[place] or ()]
                for place in range(len(found))]  # fmt: skip

    return finish


def _redraw(panel: Panel, out: Path, memory: Path, key: str) -> reuse.Listed:
    """Draw a panel and remember what of."""
    readable = panel.readable()
    drawn = draw_panel(readable, out) if readable is not None else []
    listed = [(one.name, one.title, one.caption, [str(path) for path in one.paths]) for one in drawn]
    reuse.keep(memory, key, listed)
    return listed


def draw_panel(panel: Panel, out: Path) -> list[Drawn]:
    """Every figure of one data set and noise."""
    from reports.figures import distribution, evaluation, features, mixing, wrong_labels

    every: dict[str, Draw] = {
        "rejection": evaluation.rejection,
        "uncertainty-histogram": distribution.histograms,
        "confusion": evaluation.confusion,
        "training": evaluation.training,
        "wrong-labels": wrong_labels.wrong_labels,
    }
    clean: dict[str, Draw] = {
        "mixing-pair": mixing.one_pair,
        "mixing-weight": mixing.many_pairs,
        "tsne": features.tsne,
        "examples": features.examples,
    }
    found = []
    with _drawing():
        for name, draw in {**every, **(clean if panel.cleanest else {})}.items():
            drawing = draw(panel, out / ".cache")
            if isinstance(drawing, tuple):
                title, caption, figure = drawing
                about = f"{caption} {panel.label}: {panel.setup}. {panel.notes}".strip()
                drawing = title, about, figure
            if drawing:
                where = f"{name}-{_safe(panel.dataset)}-noise-{_safe(panel.noise)}"
                found.append(_drawn(where, f"{name}, {panel.label}", drawing, out))
    return found


def _ranks(loaded: Loaded, out: Path, recipe: str | None, datasets: Sequence[str] | None) -> Iterator[Drawn]:
    from reports.figures.ranks import diagram
    from reports.stats.ranks import average

    for name, ranked in average(loaded, recipe, datasets):
        drawing = ranked if isinstance(ranked, str) else diagram(ranked)
        yield _drawn(f"critical-difference-{name}", f"Average ranks by {name}", drawing, out)


def _drawn(name: str, title: str, drawing: Drawing | str, out: Path) -> Drawn:
    """Write a drawing, or note under `title` why there is none."""
    if isinstance(drawing, str):
        return Drawn(name, title, drawing, ())
    title, caption, figure = drawing
    return Drawn(name, title, caption, save(figure, out / "figures" / name))


@contextmanager
def _drawing() -> Iterator[None]:
    """Matplotlib without a screen, in our style."""
    os.environ["MPLBACKEND"] = "Agg"  # before the import, which fails over a notebook's value of it
    import matplotlib

    matplotlib.use("Agg")
    with matplotlib.rc_context(_STYLE):
        yield


_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
}


def _safe(text: str) -> str:
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in text)


def save(figure: Figure, stem: Path) -> tuple[Path, ...]:
    """Write PNG and PDF, without dates: the same runs give the same files.

    By the canvases themselves: `savefig` draws everything once more, to no effect, before each format.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    png, pdf = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.pdf")
    figure.dpi = DPI
    with atomic_write(png, "wb") as file:
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    figure.set_layout_engine("none")  # laid out now: the second format need not do it again
    with atomic_write(pdf, "wb") as file:
        FigureCanvasPdf(figure).print_pdf(file, metadata={"CreationDate": None, "Producer": None})
    return png, pdf


def make_forest(document: Tested, out: Path) -> tuple[Path, ...]:
    """Draw the forest plot of the document of claims as `out/figures/forest.png` and list it first.

    Where nothing is tested, one of before goes.
    """
    listed = _listed(out)
    others = [one for one in listed if one["name"] != FOREST]
    with _drawing():
        drawing = forest(document)
        if drawing is not None:
            paths = save(drawing, out / "figures" / FOREST)
            sentences = ("Every tested comparison with its 95 % interval; the claims have the numbers.", *document.data)
            caption = " ".join(sentences)
            entry = {"name": FOREST, "title": "What was tested", "caption": caption, "drawn": True}
            _list(out, [entry, *others])
            return paths
    for suffix in (".png", ".pdf"):
        (out / "figures" / f"{FOREST}{suffix}").unlink(missing_ok=True)
    if len(others) < len(listed):
        _list(out, others)
    return ()


def _listed(out: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads((out / "figures" / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return []


def _list(out: Path, figures: Sequence[dict[str, Any]]) -> None:
    with atomic_write(out / "figures" / MANIFEST) as file:
        json.dump(list(figures), file, indent=1)
