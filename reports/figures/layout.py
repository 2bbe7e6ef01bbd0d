"""How figures are laid out: grids of axes outside pyplot's global state, and legends that lie beside the data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reports.figures.panels import MethodRuns

ACROSS = 5  # arms side by side: more could not be read on paper


def grid(
    columns: int,
    rows: int = 1,
    *,
    width: float = 2.4,
    height: float = 2.3,
    layout: Literal["constrained"] | None = "constrained",
    **options: Any,
) -> tuple[Any, np.ndarray]:
    """A figure with a grid of axes [rows, columns], outside pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns + 0.5, height * rows + 0.3), layout=layout)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def per_arm(count: int, rows: int = 1, **options: Any) -> tuple[Any, np.ndarray]:
    """A figure with axes [rows, count], one column an arm; no more than ACROSS side by side, the rest below them.

    The lines of arms are as even as they can be: eight are four and four, not five and three.
    """
    blocks = -(-count // ACROSS)
    across = -(-count // blocks)
    figure, axes = grid(across, rows * blocks, **options)
    ordered = np.concatenate([axes[rows * block : rows * (block + 1)] for block in range(blocks)], axis=1)
    for axis in ordered[:, count:].flat:
        axis.remove()
    return figure, ordered[:, :count]


def legend(figure: Figure, axes: Iterable[Axes], *, columns: int = 5, scale: float = 1) -> None:
    """One legend for all axes, each label once, below them: it hides no data and takes no width from a single axis.

    scale: of its markers, where those of the points are too small to tell.
    """
    found: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if not found:
        return
    rows = -(-len(found) // columns)
    where: Any = {"loc": "outside lower center", "ncols": -(-len(found) // rows), "handlelength": 2.2}
    figure.legend(
        found.values(), found.keys(), frameon=False, fontsize=8, columnspacing=1.2, markerscale=scale, **where
    )


def class_names(arm: MethodRuns, count: int) -> list[str]:
    """The classes' names, or their numbers where a record does not name them."""
    names = arm.group.runs["class_names"].iloc[0]
    return list(names) if len(names) == count else [str(number) for number in range(count)]
