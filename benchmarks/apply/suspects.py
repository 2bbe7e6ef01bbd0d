"""Which labels of a training set are wrong? Every image judged by a network that has not seen its label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics.calibration import softmax
from benchmarks.metrics.ranking import auroc, precision_among
from benchmarks.plan.spec import RunSpec
from benchmarks.store.arrays import check, read_arrays
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store
from benchmarks.train.folds import parts, with_fold
from common.errors import UserError
from common.foreign import Unreadable
from datasets.base import ImageSet, fingerprint_of

if TYPE_CHECKING:
    import pandas as pd

TOP_PERCENT = (10, 20, 30)  # of the ranking, where its precision is measured


@dataclass(frozen=True)
class Suspects:
    """A training set with the out-of-fold predictions of one method."""

    method: str
    train: ImageSet
    given: np.ndarray  # [N] the labels to be judged
    wrong: np.ndarray | None  # [N] bool, where somebody knows
    logits: np.ndarray  # [N, K]
    uncertainty: np.ndarray  # [N] the method's own

    @property
    def probabilities(self) -> np.ndarray:
        """[N, K] by the softmax."""
        return softmax(self.logits)

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """[N] each, higher = more suspicious. The last two are of the image alone: they never see the label."""
        p = self.probabilities
        rows = np.arange(len(self.given))
        p_given = p[rows, self.given]
        others = p.copy()
        others[rows, self.given] = -1
        return {
            "one_minus_p_given": 1 - p_given,
            "margin": others.max(axis=1) - p_given,
            "uncertainty": self.uncertainty.astype(np.float64),
            "free_uncertainty": 1 - p.max(axis=1),
        }

    @property
    def order(self) -> np.ndarray:
        """Rows of the training set, the most suspicious first: by 1 - p(given label)."""
        return np.argsort(-self.scores["one_minus_p_given"], kind="stable")

    def frame(self) -> pd.DataFrame:
        """One row an image, the most suspicious first."""
        import pandas as pd

        names = np.array(self.train.class_names, dtype=object)
        columns: dict[str, Any] = {
            "rank": np.arange(1, len(self.given) + 1),
            "row": self.order,
            "given": names[self.given[self.order]],
            "suggested": names[self.logits.argmax(axis=1)[self.order]],
            **{name: score[self.order] for name, score in self.scores.items()},
        }
        if self.train.names is not None:
            columns["file"] = self.train.names[self.order]
        if self.wrong is not None:
            columns["wrong"] = self.wrong[self.order]
        return pd.DataFrame(columns)

    def quality(self) -> list[dict[str, Any]]:
        """How well each score finds the labels that are known to be wrong; none where nobody knows."""
        return [] if self.wrong is None else [quality(name, score, self.wrong) for name, score in self.scores.items()]


def quality(name: str, score: np.ndarray, wrong: np.ndarray) -> dict[str, Any]:
    """AUROC of telling wrong [N] from right labels, and the share of wrong ones at the top of the ranking.

    Of equal scores at the boundary, those above it count in expectation.
    """
    row: dict[str, Any] = {"score": name, "auroc": auroc(score, wrong)}
    for percent in TOP_PERCENT:
        row[f"precision_at_{percent}"] = precision_among(score, wrong, max(percent / 100, 1 / len(score)))
    return row


def folded(specs: Sequence[RunSpec], count: int) -> list[RunSpec]:
    """Every run as `count` runs, each without one part of the training set; members before what they are for."""
    return [with_fold(spec, (number, count)) for number in range(count) for spec in specs]


def collect(
    specs: Sequence[RunSpec], store: Store, train: ImageSet, given: np.ndarray, wrong: np.ndarray | None
) -> Suspects:
    """The out-of-fold predictions of one method, from its finished runs, one a fold. Raises UserError."""
    part = parts(specs[0], given)
    logits = np.full((len(given), len(train.class_names)), np.nan, dtype=np.float32)
    uncertainty = np.full(len(given), np.nan, dtype=np.float32)
    for spec in specs:
        assert spec.fold
        rows = part == spec.fold[0]
        folder = store.run(spec)
        arrays, record = _arrays(folder), folder.finished()
        same = len(arrays["test_logits"]) == rows.sum() and not (arrays["test_labels"] != train.labels[rows]).any()
        # Of other images, or of the same in another order, the ranking would name the wrong files.
        known = (record.provenance.get("data") or {}).get("test") if record else None
        if not same or known not in (None, fingerprint_of(train.images[rows], train.labels[rows])):
            raise UserError(
                f"{folder.path}: made of other data than there is now; move it away and give the command again"
            )
        logits[rows], uncertainty[rows] = arrays["test_logits"], arrays["test_uncertainty"]
    return Suspects(specs[0].method, train, given, wrong, logits, uncertainty)


def _arrays(folder: RunFolder) -> Mapping[str, np.ndarray]:
    try:
        arrays = read_arrays(folder.predictions)
        check(arrays)
    except (OSError, Unreadable) as error:
        raise UserError(
            f"{folder.predictions}: {error}; move the run's folder away and give the command again"
        ) from None
    return arrays


def cleanlab_issues(found: Suspects) -> np.ndarray:
    """[N] bool: what cleanlab's filter (Northcutt et al., JAIR 2021) takes for label errors. Raises UserError."""
    check_cleanlab()
    from cleanlab.filter import find_label_issues

    issues: np.ndarray = find_label_issues(labels=found.given, pred_probs=found.probabilities)
    return issues


def check_cleanlab() -> None:
    """Raise UserError where cleanlab is not installed."""
    try:
        import cleanlab.filter  # noqa: F401
    except ImportError as error:
        raise UserError(f"--cleanlab: {error}; `pip install cleanlab`, or leave the flag out") from None
