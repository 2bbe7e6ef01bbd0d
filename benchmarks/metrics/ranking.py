"""How well a score ranks: errors last, positives first, ambiguous samples high. None where it is not defined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # loads scipy.special and scipy.stats when they are first used; scikit-learn has to be told to


@dataclass(frozen=True)
class Ranking:
    """How a score ranks positives before negatives: of each, how many score at least as high as each distinct score,
    highest first. One sort for all numbers, which are those of scikit-learn to the last digit."""

    negatives: np.ndarray
    positives: np.ndarray

    @classmethod
    def of(cls, score: np.ndarray, positive: np.ndarray) -> Ranking | None:
        """Of scores [N] and which are positives [N]; None without both kinds, or where a score is not finite."""
        if not (positive.any() and not positive.all() and np.isfinite(score).all()):
            return None
        order = np.argsort(score)[::-1]
        ranked = score[order]
        last = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])  # of each distinct score
        positives = np.cumsum(positive[order], dtype=np.float64)[last]
        return cls(last + 1 - positives, positives)

    def auroc(self) -> float:
        """Probability that a positive scores above a negative, ties counting one half."""
        from sklearn.metrics import auc

        negatives, positives = self.negatives, self.positives
        if len(negatives) > 2:  # only corners, so that the sum has few terms
            corner = np.r_[True, (np.diff(negatives, 2) != 0) | (np.diff(positives, 2) != 0), True]
            negatives, positives = negatives[corner], positives[corner]
        return float(auc(np.r_[0, negatives] / negatives[-1], np.r_[0, positives] / positives[-1]))

    def average_precision(self) -> float:
        """Sum of precision times the step in recall over the distinct scores, highest first."""
        precision = self.positives / (self.positives + self.negatives)
        steps = np.diff(self.positives / self.positives[-1], prepend=0)
        return float((steps * precision)[::-1].sum())

    def false_positive_rate(self, found: float = 0.95) -> float:
        """Share of the negatives that score at least as high as the limit above which `found` of the positives lie.

        With errors as positives: the share of right answers that are questioned where 95 % of the wrong ones are.
        """
        at = np.argmax(self.positives / self.positives[-1] >= found - 1e-12)
        return float(self.negatives[at] / self.negatives[-1])


def auroc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Probability that a positive scores above a negative, ties counting one half. None without both kinds."""
    ranking = Ranking.of(score, positive)
    return ranking.auroc() if ranking else None


def precision_among(score: np.ndarray, positive: np.ndarray, share: float) -> float | None:
    """Share of positives among the round(share * N) highest scores, equal ones in expectation; None where that is 0.

    As `accuracy_after_rejection`, of what is rejected.
    """
    count = round(share * len(score))
    if count < 1 or not np.isfinite(score).all():
        return None
    limit = np.partition(score, len(score) - count)[len(score) - count]
    above, at = score > limit, score == limit
    return float((positive[above].sum() + (count - above.sum()) * positive[at].mean()) / count)


def spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    """Rank correlation of [N] and [N]; None when either is constant."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(scipy.stats.spearmanr(a, b).statistic)


def entropy(distribution: np.ndarray) -> np.ndarray:
    """Entropy in nats of each row of [N, K], to six decimals; 0 log 0 = 0.

    Rows with the same shares in another order have the same entropy: summed in the order of the classes they would
    differ by rounding, and a rank correlation would take that for an order.
    """
    return scipy.special.entr(np.sort(distribution.astype(np.float64), axis=1)).sum(axis=1).round(6)


def selective_risks(correct: np.ndarray, uncertainty: np.ndarray) -> np.ndarray:
    """Error rate among the k least uncertain of N images, k = 1..N; equal uncertainties in expectation.

    correct [N] bool, uncertainty [N] -> [N].
    """
    order = np.argsort(uncertainty, kind="stable")
    ranked = uncertainty[order]
    errors = (~correct[order]).astype(np.float64)
    start = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])[: len(ranked)]  # of equal uncertainties
    counts = np.diff(start, append=len(ranked))
    shared = np.repeat(np.add.reduceat(errors, start) / counts, counts)
    return np.cumsum(shared) / np.arange(1, len(errors) + 1)


def aurc(correct: np.ndarray, uncertainty: np.ndarray) -> float:
    """Area under the risk-coverage curve: the mean selective risk over all coverages (Geifman et al., ICLR 2019)."""
    return float(selective_risks(correct, uncertainty).mean()) if len(correct) else float("nan")


def excess_aurc(correct: np.ndarray, uncertainty: np.ndarray) -> float:
    """AURC above that of an uncertainty that ranks every error last (same paper); 0 is perfect."""
    return aurc(correct, uncertainty) - aurc(correct, (~correct).astype(np.float64))


def augrc(correct: np.ndarray, uncertainty: np.ndarray) -> float:
    """Area under the generalized risk-coverage curve: P(error and accepted), averaged over coverage (NeurIPS 2024).

    Traub et al.; unlike AURC it does not overweigh the few most certain images. Trapezoids from coverage 0, so that it
    is (1 - AUROC) a (1 - a) + (1 - a)^2 / 2 with accuracy a. In [0, 1/2]; correct [N] bool, uncertainty [N].
    """
    size = len(correct)
    if not size:
        return float("nan")
    accepted = selective_risks(correct, uncertainty) * np.arange(1, size + 1) / size  # at coverages 1/N, ..., 1
    return float((accepted.sum() - accepted[-1] / 2) / size)


def coverage_at_risk(correct: np.ndarray, uncertainty: np.ndarray, risk: float = 0.05) -> float:
    """Largest share of images, the least uncertain first, whose error rate is at most `risk`; 0 if there is none."""
    fine = np.flatnonzero(selective_risks(correct, uncertainty) <= risk + 1e-12)
    return float(fine[-1] + 1) / len(correct) if len(fine) else 0.0
