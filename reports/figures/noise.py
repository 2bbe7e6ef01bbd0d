"""Table 1 as a picture: accuracy over the share of wrong labels, a line a method."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from benchmarks.plan import suite as suites
from reports.figures.layout import grid, legend
from reports.figures.palette import Style, styles
from reports.figures.panels import data_notes
from reports.paper import numbers
from reports.paper.tables import DATASET_LABELS, STAND_INS, TABLES
from reports.runs.frame import Loaded, settings_label
from reports.runs.groups import seed_groups
from reports.runs.select import Selection, describe_setup, select
from reports.stats.effects import Observed
from reports.stats.model import fit
from reports.stats.verdict import as_published

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.plan.suite import Arm
    from reports.figures.panels import Drawing

NAME = "accuracy-over-noise"
_TABLE = TABLES["table1"]


def over_noise(loaded: Loaded, recipe: str | None = None, datasets: Sequence[str] | None = None) -> Drawing | str:
    """An axis a data set of Table 1; the reason where no data set has runs under two noises."""
    selection = select(loaded.runs, suites.load(_TABLE.suite), datasets, recipe)
    shown = [name for name in selection.datasets if _levels(selection, name) > 1]
    if not shown:
        return "it takes finished runs of Table 1 under two noise ratios of one data set."
    names = {arm.name: f"{arm.method} ({settings_label(arm.set)})" if arm.set else arm.method
             for arm in selection.suite.arms}  # fmt: skip
    known = styles([*(group.keys[2] for group in seed_groups(loaded)), *names.values()])
    figure, axes = grid(len(shown), width=4.2, height=3.2)
    for axis, dataset in zip(axes[0], shown, strict=True):
        _lines(axis, selection, dataset, {arm: known[name] for arm, name in names.items()})
    axes[0, 0].set_ylabel("test accuracy, last epoch (%)")
    legend(figure, axes.flat)
    published = any(as_published(selection.setups[name].resolved, name) for name in shown)
    setups = " ".join(
        f"{DATASET_LABELS.get(name, name)}{f' ({STAND_INS[name]}, a stand-in)' if name in STAND_INS else ''}: "
        f"{describe_setup(selection.setups[name])}."
        for name in shown
    )
    return (
        "Accuracy over label noise (Table 1)",
        "Mean over seeds; band: 95 % interval of the mean over seeds, from one model of all the data set's runs. "
        f"{'Thin lines with crosses: the paper. ' if published else ''}{setups} "
        f"{data_notes(selection.runs(name) for name in shown)}".strip(),
        figure,
    )


def _levels(selection: Selection, dataset: str) -> int:
    """How many noise ratios have a finished run with an accuracy."""
    cells = (cell for (name, _, _), cell in selection.cells.items() if name == dataset)
    return len({cell.noise for cell in cells if cell.runs["last.accuracy"].notna().any()})


def _lines(axis: Axes, selection: Selection, dataset: str, style: dict[str, Style]) -> None:
    measured: dict[str, dict[float, list[Observed]]] = {}
    for arm in selection.suite.arms:
        for noise in selection.suite.noise:
            cell = selection.cells[dataset, noise, arm.name]
            runs = [
                Observed(arm.name, noise, seed, 100 * value)
                for seed, value in cell.by_seed("last.accuracy").items()
                if isfinite(value)
            ]
            if runs:
                measured.setdefault(arm.name, {})[noise] = runs
    model = fit(run for found in measured.values() for runs in found.values() for run in runs)
    for arm in selection.suite.arms:
        if arm.name not in measured:
            continue
        levels = sorted(measured[arm.name])
        effects = [model.mean(arm.name, noise, images=False) for noise in levels]
        places = [100 * noise for noise in levels]
        drawn = style[arm.name]
        axis.plot(
            places, [one.estimate for one in effects], color=drawn.color, linestyle=drawn.dash, marker="o",
            markersize=3, label=arm.name,
        )  # fmt: skip
        bounds = [(one.low, one.high) for one in effects if one.low is not None and one.high is not None]
        if len(bounds) == len(places):
            low, high = zip(*bounds, strict=True)
            axis.fill_between(places, low, high, color=drawn.color, alpha=0.15, linewidth=0)
        if as_published(selection.setups[dataset].resolved, dataset):
            _published(axis, selection, dataset, arm, drawn.color)
    axis.set(title=DATASET_LABELS.get(dataset, dataset), xlabel="wrong labels in training (%)")
    axis.set_xticks([100 * noise for noise in selection.suite.noise])
    axis.grid(alpha=0.3)


def _published(axis: Axes, selection: Selection, dataset: str, arm: Arm, color: str) -> None:
    row = _TABLE.published_rows.get(arm.name, arm.name)
    levels = [round(100 * noise) for noise in selection.suite.noise]
    found = [(level, numbers.lookup(_TABLE.name, dataset, row, level)) for level in levels]
    points = [(level, value.mean) for level, value in found if value is not None]
    if points:
        axis.plot(*zip(*points, strict=True), color=color, linewidth=0.7, marker="x", markersize=4)
