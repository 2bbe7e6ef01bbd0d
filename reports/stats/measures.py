"""The numbers of a run that claims are about, in the units that tables show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.runs.predictions import predictions, reversed_accuracy
from reports.runs.stored import stored
from reports.stats.images.first_order import ClassGap, ErrorAuroc, Geometry, HardAuroc, VotesCorrelation
from reports.stats.images.statistics import Accuracy, AfterRejection, Rise
from reports.stats.table_model import ResampledRuns


@dataclass(frozen=True)
class Measure:
    """A number of a run. `read` gets the run's row of the frame and its scores; NaN where there is none.

    drawn: how it is taken of a resampled test set; None: its intervals are over seeds alone.
    """

    title: str
    digits: int
    read: Callable[[Mapping[str, Any], Mapping[str, float]], float]
    drawn: ResampledRuns | None = None


def _recorded(column: str, factor: float = 100, minus: str = "") -> Callable[..., float]:
    def read(row: Mapping[str, Any], scores: Mapping[str, float]) -> float:
        nan = float("nan")
        return factor * (row.get(column, nan) - (row.get(minus, nan) if minus else 0))

    return read


def _scored(name: str, factor: float) -> Callable[..., float]:
    return lambda row, scores: factor * scores.get(name, float("nan"))


HARD = ("disgust", "fear")  # the paper's rare classes (4.6)


def _hard_classes(row: Mapping[str, Any], scores: Mapping[str, float]) -> float:
    """Mean accuracy of the rare classes minus that of the others."""
    names = [str(name).lower() for name in row["class_names"]]
    values = {name: scores.get(f"class_accuracy.{place}", NAN) for place, name in enumerate(names)}
    if not set(HARD) < set(values):
        return NAN
    hard, other = ([value for name, value in values.items() if (name in HARD) is flag] for flag in (True, False))
    return 100 * (float(np.mean(hard)) - float(np.mean(other)))


def _stored(name: str) -> Callable[..., float]:
    return lambda row, _: stored(row["folder"]).get(name, NAN)


NAN = float("nan")
MEASURES: Mapping[str, Measure] = {
    "accuracy": Measure("accuracy (%)", 2, _recorded("last.accuracy"), ResampledRuns(Accuracy())),
    **{
        f"at_{rate}": Measure(
            f"accuracy, {rate} % rejected (%)",
            2,
            _recorded(f"last.accuracy_at_{rate}"),
            ResampledRuns(AfterRejection(rate / 100)),
        )
        for rate in (10, 20, 30)
    },
    "reversed_at_10": Measure(
        "accuracy, the 10 % least uncertain rejected (%)",
        2,
        lambda row, _: 100 * reversed_accuracy(predictions(row["folder"]), 0.1),
    ),
    "free_at_30": Measure(
        "accuracy, 30 % rejected by 1 − max softmax (%)",
        2,
        _recorded("last.free_accuracy_at_30"),
        ResampledRuns(AfterRejection(0.3), "free"),
    ),
    "rise": Measure(
        "rise at 30 % rejected (points)",
        2,
        _recorded("last.accuracy_at_30", minus="last.accuracy"),
        ResampledRuns(Rise(0.3)),
    ),
    "auroc": Measure("errors: AUROC (%)", 2, _recorded("last.error_auroc"), ResampledRuns(ErrorAuroc())),
    "free_auroc": Measure(
        "errors: AUROC of 1 − max softmax (%)",
        2,
        _recorded("last.free_error_auroc"),
        ResampledRuns(ErrorAuroc(), "free"),
    ),
    "ambiguity": Measure(
        "rank correlation with the votes' entropy (·100)",
        2,
        _recorded("last.ambiguity_spearman"),
        ResampledRuns(VotesCorrelation()),
    ),
    "free_ambiguity": Measure(
        "rank correlation of 1 − max softmax with the votes' entropy (·100)",
        2,
        _recorded("last.free_ambiguity_spearman"),
        ResampledRuns(VotesCorrelation(), "free"),
    ),
    "flips": Measure("wrong labels: AUROC of the own uncertainty (%)", 2, _recorded("last.flip_auroc")),
    "label_flips": Measure("wrong labels: AUROC of 1 − p(given label) (%)", 2, _scored("label.flip_auroc", 100)),
    "hard_classes": Measure(
        "accuracy of disgust and fear minus the other classes' (points)",
        2,
        _hard_classes,
        ResampledRuns(ClassGap(HARD)),
    ),
    "balanced": Measure("balanced accuracy (%)", 2, _scored("balanced_accuracy", 100)),
    "selected": Measure(
        "best-on-test (oracle) minus last epoch (points)", 2, _recorded("best_on_test.accuracy", minus="last.accuracy")
    ),
    "precision": Measure("relabel precision, last epoch that relabelled (%)", 1, _recorded("relabel.precision")),
    "labels_gained": Measure("right training labels gained (points)", 2, _stored("labels_gained")),
    "silhouette": Measure(
        "silhouette of the test features (·100)", 2, _stored("silhouette"), ResampledRuns(Geometry("silhouette"))
    ),
    "centre": Measure(
        "uncertain images' distance to the centre, above the certain ones' (%)",
        2,
        _stored("centre"),
        ResampledRuns(Geometry("centre")),
    ),
    **{
        f"above_{level}": Measure(f"images with an uncertainty above {level / 100:g} (%)", 2, _stored(f"above_{level}"))
        for level in (40, 60)
    },
    "hard_auroc": Measure(
        "images that annotators agree on least: AUROC of the uncertainty (%)",
        2,
        _stored("hard_auroc"),
        ResampledRuns(HardAuroc()),
    ),
    "surer": Measure("pairs whose gradient favours the surer image (%)", 2, _stored("surer")),
    "seconds": Measure(
        "training seconds an epoch, alone on the machine",
        1,
        lambda row, _: row.get("timing.train_seconds", NAN) / row["epochs"] if row["alone"] else NAN,
    ),
}
