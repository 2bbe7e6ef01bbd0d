"""The numbers of a run that claims are about, in the units that tables show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reports.runs.predictions import predictions, reversed_accuracy


@dataclass(frozen=True)
class Measure:
    """A number of a run. `read` gets the run's row of the frame and its scores; NaN where there is none."""

    title: str
    digits: int
    read: Callable[[Mapping[str, Any], Mapping[str, float]], float]


def _recorded(column: str, factor: float = 100, minus: str = "") -> Callable[..., float]:
    def read(row: Mapping[str, Any], scores: Mapping[str, float]) -> float:
        nan = float("nan")
        return factor * (row.get(column, nan) - (row.get(minus, nan) if minus else 0))

    return read


def _scored(name: str, factor: float) -> Callable[..., float]:
    return lambda row, scores: factor * scores.get(name, float("nan"))


def _parameters(row: Mapping[str, Any], scores: Mapping[str, float]) -> float:
    return float("nan") if row["parameters"] is None else float(row["parameters"])


MEASURES: Mapping[str, Measure] = {
    "accuracy": Measure("accuracy (%)", 2, _recorded("last.accuracy")),
    "at_10": Measure("accuracy, 10 % rejected (%)", 2, _recorded("last.accuracy_at_10")),
    "reversed_at_10": Measure(
        "accuracy, the 10 % least uncertain rejected (%)",
        2,
        lambda row, _: 100 * reversed_accuracy(predictions(row["folder"]), 0.1),
    ),
    "at_30": Measure("accuracy, 30 % rejected (%)", 2, _recorded("last.accuracy_at_30")),
    "free_at_30": Measure("accuracy, 30 % rejected by 1 − max softmax (%)", 2, _recorded("last.free_accuracy_at_30")),
    "rise": Measure("rise at 30 % rejected (points)", 2, _recorded("last.accuracy_at_30", minus="last.accuracy")),
    "free_rise": Measure(
        "rise at 30 % rejected by 1 − max softmax (points)",
        2,
        _recorded("last.free_accuracy_at_30", minus="last.accuracy"),
    ),
    "auroc": Measure("errors: AUROC (%)", 2, _recorded("last.error_auroc")),
    "free_auroc": Measure("errors: AUROC of 1 − max softmax (%)", 2, _recorded("last.free_error_auroc")),
    "aurc": Measure("AURC (·10³)", 1, _scored("own.aurc", 1000)),
    "free_aurc": Measure("AURC of 1 − max softmax (·10³)", 1, _scored("free.aurc", 1000)),
    "ambiguity": Measure("rank correlation with the votes' entropy", 3, _recorded("last.ambiguity_spearman", 1)),
    "free_ambiguity": Measure(
        "rank correlation of 1 − max softmax with the votes' entropy", 3, _recorded("last.free_ambiguity_spearman", 1)
    ),
    "flips": Measure("flipped labels: AUROC (%)", 2, _recorded("last.flip_auroc")),
    "oracle": Measure("accuracy, best-on-test (oracle) (%)", 2, _recorded("best_on_test.accuracy")),
    "validation": Measure("accuracy, best-on-validation (%)", 2, _recorded("best_on_validation.accuracy")),
    "precision": Measure("relabel precision, last epoch that relabelled (%)", 1, _recorded("relabel.precision")),
    "seconds": Measure(
        "training seconds an epoch", 1, lambda row, _: row.get("timing.train_seconds", float("nan")) / row["epochs"]
    ),
    "parameters": Measure("parameters", 0, _parameters),
}
