"""A selection of runs to numbers: one `CellResult` a cell, with its published counterpart and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.plan.recipe_file import Verdicts
from reports.paper.numbers import PaperNumber, lookup
from reports.paper.tables import Definition
from reports.runs.frame import settings_label
from reports.runs.predictions import predictions, reversed_accuracy
from reports.runs.select import Cell, Selection
from reports.stats.effects import Effect
from reports.stats.images.bootstrap import RunKey
from reports.stats.images.statistics import Accuracy, AfterRejection
from reports.stats.intervals import dunnett, marks, simultaneous
from reports.stats.outcome import Ruling, rule
from reports.stats.summary import Summary, summary
from reports.stats.table_model import ResampledRuns, RunValue, model_of
from reports.stats.verdict import allowed, deviations, verdict

CONTROLS = ("baseline", "rul")  # what the others of a column are held against: the first that a table has


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
    allows: Verdicts  # what the recipe allows to say of it
    oracle: Summary  # of the epoch that is best on the test set
    validation: Summary  # of the epoch that is best on the validation set
    published: PaperNumber | None
    verdict: str  # of the published number
    reason: str  # why not comparable
    mark: str  # "best", "tie" or ""
    constant: int  # runs whose uncertainty is the same for every image
    run_ids: tuple[str, ...]
    own_less_free: Ruling | None = None  # the intervals of all cells of a rate hold together
    control: str = ""
    against: Ruling | None = None  # this arm minus the control; the intervals of a column hold together

    @property
    def difference(self) -> float | None:
        """Measured minus published, in points; only where the recipe is the paper's."""
        if self.allows != "reproduction" or self.published is None or self.own.mean is None or self.reason:
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
            "allows": self.allows,
            **_ruled("own_less_free", self.own_less_free),
            "control": self.control,
            **_ruled("against_control", self.against),
            "runs": " ".join(self.run_ids),
        }


def _ruled(name: str, ruling: Ruling | None) -> dict[str, str | float | None]:
    if ruling is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high", f"{name}_outcome"))
    effect = ruling.effect
    numbers = {name: effect.estimate, f"{name}_low": effect.low, f"{name}_high": effect.high}
    return {**numbers, f"{name}_outcome": ruling.outcome}


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


Measured = list[tuple[CellResult, Cell]]


def cell_results(definition: Definition, selection: Selection) -> list[CellResult]:
    """Every cell of a table: data sets, then the axis (noise or rejection), then arms; in the suite's order."""
    found: Measured = []
    for dataset in selection.datasets:
        setup = selection.setups.get(dataset)
        told: Verdicts = "reproduction"
        reason = ""
        if setup is not None:
            told = allowed(setup.resolved, dataset, setup.method, setup.weights)
            reason = "; ".join(deviations(setup.resolved, dataset)) if told != "none" else ""
        for noise in selection.suite.noise:
            for rate in definition.rates:
                for arm in selection.suite.arms:
                    cell = selection.cells[dataset, noise, arm.name]
                    found.append((_measure(definition, cell, rate, told, reason), cell))
    result = {(item.dataset, item.noise, item.rejection, item.arm): item for item, _ in found}
    for rate in definition.rates:
        part = [(item, cell) for item, cell in found if item.rejection == rate and item.allows != "none" and item.runs]
        for item in _judged(definition, part, rate) if part else ():
            result[item.dataset, item.noise, item.rejection, item.arm] = item
    return list(result.values())


def _measure(definition: Definition, cell: Cell, rate: int, told: Verdicts, reason: str) -> CellResult:
    noise = round(100 * cell.noise)
    own = summary(list(_percent(cell.by_seed(_column("last.", rate))).values()))
    row = definition.published_rows.get(cell.arm.name, cell.arm.name)
    published = lookup(definition.name, cell.dataset, row, noise if definition.axis == "noise" else rate)
    if told == "none":
        published = None
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
        allows=told,
        oracle=_summary(cell, _column("best_on_test.", rate)),
        validation=_summary(cell, _column("best_on_validation.", rate)),
        published=published,
        verdict="",
        reason=reason if published is not None and len(cell.runs) else "",
        mark="",
        constant=_constant(cell),
        run_ids=tuple(cell.runs["run_id"]),
    )


def _summary(cell: Cell, column: str) -> Summary:
    return summary(list(_percent(cell.by_seed(column)).values()))


def _runs(part: Measured, rate: int, minus: str = "") -> dict[RunKey, RunValue]:
    """(arm, column, (data set, seed)) -> accuracy in per cent, or own minus free."""
    result: dict[RunKey, RunValue] = {}
    for item, cell in part:
        column = _percent(cell.by_seed(_column("last.", rate)))
        free = _percent(cell.by_seed(_column(minus, rate))) if minus else dict.fromkeys(column, 0.0)
        folders = dict(zip(cell.runs["seed"].astype(int), cell.runs["folder"], strict=True))
        for seed, number in column.items():
            key = (item.arm, (item.dataset, item.noise), (item.dataset, seed))
            result[key] = RunValue(number - free.get(seed, float("nan")), folders[seed])
    return {key: value for key, value in result.items() if value.number == value.number}


def _judged(definition: Definition, part: Measured, rate: int) -> list[CellResult]:
    """Marks, comparisons and verdicts of the cells at one rejection rate, from one model over all of them."""
    runs = _runs(part, rate)
    if not runs:
        return []
    statistic = AfterRejection(rate / 100) if rate else Accuracy()
    model = model_of(runs, [(1, ResampledRuns(statistic))])
    items = [item for item, _ in part]
    result = []
    for column in dict.fromkeys((item.dataset, item.noise) for item in items):
        mine = [item for item in items if (item.dataset, item.noise) == column]
        arms = model.arms(column)
        best = marks(model, column)
        control = next((arm for arm in CONTROLS if arm in arms), "")
        against = dunnett(model, column, control) if control and len(arms) > 1 else {}
        for item in mine:
            mark = best.of(item.arm) if best is not None else ""
            fewest = min(item.own.n, model.runs.get((control, column), 0))
            ruling = rule(against[item.arm], fewest) if item.arm in against else None
            told = ""
            if item.published is not None and item.own.n:
                told = "not comparable"
                if item.allows == "reproduction" and not item.reason:
                    told = verdict(model.mean(item.arm, column, images=False), item.own.n, item.published)
            result.append(replace(item, mark=mark, control=control if ruling else "", against=ruling, verdict=told))
    return _with_free(result, _runs(part, rate, "last.free_"), rate) if rate and definition.free_score else result


def _with_free(items: Sequence[CellResult], gaps: Mapping[RunKey, RunValue], rate: int) -> list[CellResult]:
    """Own minus free of every cell, each run against itself."""
    if not gaps:
        return list(items)
    kept = AfterRejection(rate / 100)
    model = model_of(gaps, [(1, ResampledRuns(kept)), (-1, ResampledRuns(kept, "free"))])
    repeated = [point for point, count in model.runs.items() if count > 1]
    effects: dict[object, Effect] = dict(
        zip(repeated, simultaneous(model, [{point: 1.0} for point in repeated]), strict=True)
    )
    found = ((item, effects.get((item.arm, (item.dataset, item.noise)))) for item in items)
    return [replace(item, own_less_free=None if effect is None else rule(effect, item.own.n)) for item, effect in found]


def undefined(item: CellResult) -> int:
    """Finished runs of a cell that have no such number (a NaN, or a metric that is not defined)."""
    return item.runs - item.own.n
