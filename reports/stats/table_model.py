"""From runs to a table's model, with the chance of the test images where predictions are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import isfinite
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from benchmarks.metrics.calibration import softmax
from benchmarks.metrics.ranking import entropy
from benchmarks.store.run_folder import RunFolder
from common.errors import UserError
from reports.runs.predictions import predictions
from reports.stats.effects import Observed
from reports.stats.images.bootstrap import ImageDraws, RunKey, image_draws, images_part
from reports.stats.images.statistics import Judged, Statistic
from reports.stats.model import Model, fit

Score = Literal["own", "free"]
KNOWN = 2000  # draws that are kept, of a run and a statistic each: 80 MB


@dataclass(frozen=True)
class ResampledRuns:
    """What is taken of a resampled test set: a statistic, by the own uncertainty or by 1 - max softmax."""

    statistic: Statistic
    score: Score = "own"


@dataclass(frozen=True)
class RunValue:
    """A run's number, in the units of tables, where the run lies, and what its classes are called."""

    number: float
    folder: Path
    classes: tuple[str, ...] = ()


def model_of(runs: Mapping[RunKey, RunValue], terms: Sequence[tuple[int, ResampledRuns]] = ()) -> Model:
    """The model of these runs: (arm, cell, (data set, seed)) -> value.

    terms: signed parts that a value is the sum of, e.g. own minus free. With them the test images' chance is added,
    unless predictions of a run are missing: then intervals are over seeds alone. Raises UserError without any value.
    """
    runs = {key: run for key, run in runs.items() if isfinite(run.number)}
    model = fit(Observed(*key, run.number) for key, run in runs.items())
    if not terms:
        return model
    datasets = dict.fromkeys(key[2][0] for key in runs)  # type: ignore[index]
    try:
        parts = [_drawn({k: r for k, r in runs.items() if k[2][0] == name}, terms) for name in datasets]  # type: ignore[index]
    except UserError:  # other images, or nothing to rank
        return model
    if any(part is None for part in parts):
        return model
    return model.with_images(*images_part(model.points, [part for part in parts if part is not None]))


_known: dict[tuple[Path, int, ResampledRuns, int], np.ndarray] = {}  # what the claims and the tables ask for again


def _drawn(runs: Mapping[RunKey, RunValue], terms: Sequence[tuple[int, ResampledRuns]]) -> ImageDraws | None:
    total: dict[RunKey, np.ndarray] = {}
    for sign, term in terms:
        judged = {key: _judged(run, term.score) for key, run in runs.items()}
        known = {key: one for key, one in judged.items() if one is not None}
        if len(known) < len(judged):
            return None
        for key, draws in _draws(runs, known, term).items():
            total[key] = total.get(key, 0.0) + sign * draws
    return ImageDraws(total)


def _draws(
    runs: Mapping[RunKey, RunValue], judged: Mapping[RunKey, Judged], term: ResampledRuns
) -> dict[RunKey, np.ndarray]:
    """The draws of these runs, less their mean: [draws] float32 each. Of one seed, so that any two are paired."""
    names = {key: (run.folder, _changed(run.folder), term, len(judged[key].correct)) for key, run in runs.items()}
    if len({size for *_, size in names.values()}) > 1:
        raise UserError("runs that are paired by image need one test set")
    new = {key: judged[key] for key, name in names.items() if name not in _known}
    if len(_known) + len(new) > KNOWN:
        _known.clear()
        new = dict(judged)
    made = image_draws(new, term.statistic).values if new else {}
    _known.update({names[key]: draws.astype(np.float32) for key, draws in made.items()})
    return {key: _known[name] for key, name in names.items()}


def _changed(folder: Path) -> int:
    return RunFolder(folder).predictions.stat().st_mtime_ns


def _judged(run: RunValue, score: Score) -> Judged | None:
    path = RunFolder(run.folder).predictions
    found = _scores(run.folder, path.stat().st_mtime_ns) if path.is_file() else None
    if found is None:
        return None
    names = np.array([name.lower() for name in run.classes])
    known = len(names) > found.labels.max(initial=0)
    uncertainty = found.own if score == "own" else found.free
    classes = names[found.labels] if known else None
    return Judged(found.correct, uncertainty, classes, found.votes, partial(predictions, run.folder))


class _Scores(NamedTuple):
    """Of test images [N]: whether each is correct, own uncertainty, 1 - max softmax, label, entropy of the votes."""

    correct: np.ndarray
    own: np.ndarray
    free: np.ndarray
    labels: np.ndarray
    votes: np.ndarray | None


@lru_cache(maxsize=1024)
def _scores(folder: Path, changed: int) -> _Scores | None:
    arrays = predictions(folder)
    if arrays is None:
        return None
    logits, labels, soft = arrays["test_logits"], arrays["test_labels"], arrays.get("test_soft_labels")
    correct = logits.argmax(axis=1) == labels
    votes = None
    if soft is not None:
        votes = np.where(np.isnan(soft).any(axis=1), np.nan, entropy(np.nan_to_num(soft)))
    return _Scores(
        correct, arrays["test_uncertainty"].astype(np.float64), 1 - softmax(logits).max(axis=1), labels, votes
    )
