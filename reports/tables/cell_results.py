"""A selection of runs to numbers: one `CellResult` a cell, with its published counterpart, verdict and significance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reports.paper.numbers import PaperNumber, lookup
from reports.paper.tables import Definition
from reports.runs.frame import settings_label
from reports.runs.predictions import predictions, reversed_accuracy
from reports.runs.select import Cell, Selection
from reports.stats.statistics import Summary, holm, paired_p, rank_marks, summary
from reports.stats.verdict import deviations, verdict


@dataclass(frozen=True)
class CellResult:
    """One cell. All accuracies in per cent; `noise` and `rejection` in per cent too."""

    dataset: str
    noise: int
    rejection: int
    arm: str
    method: str
    settings: str
    runs: int  # finished
    expected: int
    own: Summary  # accuracy of the last epoch, what is left after rejection by the method's own uncertainty
    free: Summary  # the same by 1 - max softmax
    reverse: Summary  # the same when the least uncertain are rejected
    free_p: float | None  # own against free, paired over seeds, Holm-corrected over the data set's cells
    oracle: Summary  # of the epoch that is best on the test set
    validation: Summary  # of the epoch that is best on the validation set
    published: PaperNumber | None
    verdict: str
    reason: str  # why not comparable
    mark: str  # "best", "tie" or ""
    constant: int  # runs whose uncertainty is the same for every image
    run_ids: tuple[str, ...]

    @property
    def difference(self) -> float | None:
        """Measured minus published, in points."""
        if self.published is None or self.own.mean is None:
            return None
        return self.own.mean - self.published.mean

    def record(self) -> dict[str, str | float | None]:
        """The cell as a row of the table's CSV: per cent; bounds are of the 95 % interval of the mean."""
        summaries = {
            "": self.own,
            "free_": self.free,
            "reversed_": self.reverse,
            "best_on_test_": self.oracle,
            "best_on_validation_": self.validation,
        }
        return {
            "dataset": self.dataset,
            "noise": self.noise,
            "rejected": self.rejection,
            "method": self.method,
            "arm": self.arm,
            "settings": self.settings,
            "n": self.own.n,
            "expected": self.expected,
            **{f"{name}{part}": getattr(item, part) for name, item in summaries.items() for part in ("mean", "sd")},
            "low": self.own.low,
            "high": self.own.high,
            "published": self.published.mean if self.published else None,
            "published_sd": self.published.sd if self.published else None,
            "difference": self.difference,
            "verdict": self.verdict,
            "reason": self.reason,
            "significance": self.mark,
            "own_against_free_p": self.free_p,
            "runs": " ".join(self.run_ids),
        }


def _percent(values: Mapping[int, float]) -> dict[int, float]:
    return {seed: 100 * value for seed, value in values.items()}


def _column(prefix: str, rate: int) -> str:
    return f"{prefix}accuracy" + (f"_at_{rate}" if rate else "")


def _constant(cell: Cell) -> int:
    """Runs whose uncertainty cannot rank anything: every rejection rate gives the plain accuracy, AUROC one half."""
    if "last.error_auroc" not in cell.runs or "last.accuracy_at_30" not in cell.runs:
        return 0
    flat = (cell.runs["last.accuracy_at_30"] - cell.runs["last.accuracy"]).abs() < 1e-12
    return int((flat & (cell.runs["last.error_auroc"] == 0.5)).sum())


def cell_results(definition: Definition, selection: Selection) -> list[CellResult]:
    """Every cell of a table: data sets, then the axis (noise or rejection), then arms; in the suite's order."""
    result = []
    for dataset in selection.datasets:
        cells = [
            (cell, rate)
            for noise in selection.suite.noise
            for rate in definition.rates
            for arm in selection.suite.arms
            for cell in [selection.cells[dataset, noise, arm.name]]
        ]
        setup = selection.setups.get(dataset)
        reasons = [] if setup is None else deviations(setup.resolved, dataset)
        column = [_measure(definition, cell, rate, "; ".join(reasons)) for cell, rate in cells]
        result += _with_free_p(_with_marks(column, cells), cells)
    return result


def _measure(definition: Definition, cell: Cell, rate: int, reason: str) -> CellResult:
    noise = round(100 * cell.noise)
    own = summary(list(_percent(cell.by_seed(_column("last.", rate))).values()))
    row = definition.published_rows.get(cell.arm.name, cell.arm.name)
    published = lookup(definition.name, cell.dataset, row, noise if definition.axis == "noise" else rate)
    told = "" if published is None or own.n == 0 else "not comparable" if reason else verdict(own, published)
    reverse = Summary(0)
    if definition.both_directions and rate:
        reverse = summary([100 * reversed_accuracy(predictions(folder), rate / 100) for folder in cell.runs["folder"]])
    return CellResult(
        dataset=cell.dataset,
        noise=noise,
        rejection=rate,
        arm=cell.arm.name,
        method=cell.arm.method,
        settings=settings_label(cell.arm.set),
        runs=len(cell.runs),
        expected=len(cell.expected),
        own=own,
        free=_summary(cell, _column("last.free_", rate)) if rate else Summary(0),
        reverse=reverse,
        free_p=None,
        oracle=_summary(cell, _column("best_on_test.", rate)),
        validation=_summary(cell, _column("best_on_validation.", rate)),
        published=published,
        verdict=told,
        reason=reason if told == "not comparable" else "",
        mark="",
        constant=_constant(cell),
        run_ids=tuple(cell.runs["run_id"]),
    )


def _summary(cell: Cell, column: str) -> Summary:
    return summary(list(_percent(cell.by_seed(column)).values()))


def _with_marks(column: list[CellResult], cells: list[tuple[Cell, int]]) -> list[CellResult]:
    """Mark the best of each table column: the arms under one data set, noise and rejection rate."""
    samples: dict[tuple[int, int], dict[str, dict[int, float]]] = {}
    for item, (cell, rate) in zip(column, cells, strict=True):
        samples.setdefault((item.noise, rate), {})[item.arm] = cell.by_seed(_column("last.", rate))
    marks = {key: rank_marks(arms) for key, arms in samples.items()}
    return [replace(item, mark=marks[item.noise, item.rejection][item.arm]) for item in column]


def _with_free_p(column: list[CellResult], cells: list[tuple[Cell, int]]) -> list[CellResult]:
    p_values = [
        paired_p(cell.by_seed(_column("last.", rate)), cell.by_seed(_column("last.free_", rate))) if rate else None
        for cell, rate in cells
    ]
    return [replace(item, free_p=p) for item, p in zip(column, holm(p_values), strict=True)]


def undefined(item: CellResult) -> int:
    """Finished runs of a cell that have no such number (a NaN, or a metric that is not defined)."""
    return item.runs - item.own.n
