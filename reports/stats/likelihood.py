"""The variances of a mixed model by restricted maximum likelihood.

By Fisher scoring (Searle, Casella & McCulloch, *Variance Components*, 1992, 6.6). Those shared by several runs may come
out below zero, as they may in the analysis of variance: held at zero, they would make intervals too narrow in those
tables where chance made them small. Own code, since statsmodels' MixedLM has no degrees of freedom, holds variances at
zero and takes 0.1 s; the tests hold it against MixedLM.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Linear algebra on one thread: matrices this small are slower on two, and much slower on a busy machine."""
    return _controller().limit(limits=1)


def spread_over(pattern: np.ndarray, combinations: np.ndarray) -> np.ndarray:
    """Covariance [L, L] of linear combinations [L, N] of runs, a unit of a variance with this pattern."""
    if pattern.ndim == 1:
        return combinations * pattern @ combinations.T
    draws = combinations @ pattern
    return draws @ draws.T


class Likelihood:
    """The restricted likelihood of values [N] with fixed effects [N, P] and K variances.

    The pattern of a variance says which runs share a draw of it: 0 or 1 in [N, draws]; or, where each draw is in one
    run only, which runs have it: 0 or 1 in [N]. Nothing correlates over blocks (numbers [N]; seeds, say), so the
    covariance is inverted block by block.
    """

    def __init__(
        self, values: np.ndarray, design: np.ndarray, blocks: np.ndarray, patterns: Sequence[np.ndarray]
    ) -> None:
        self.values, self.design, self.patterns = values, design, patterns
        self.blocks = [np.flatnonzero(blocks == block) for block in np.unique(blocks)]
        self.kernels = [
            np.stack([spread_over(pattern[rows], np.eye(len(rows))) for pattern in patterns]) for rows in self.blocks
        ]
        rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
        self.unit = float(rest @ rest) / (len(values) - design.shape[1])

    def maximum(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The variances [K] and their covariance [K, K] by Fisher scoring; None: there is no such maximum."""
        theta = np.array([self.unit if pattern.ndim == 1 else 0.0 for pattern in self.patterns])
        inverse = self._inverse(theta)
        for _ in range(100):
            if inverse is None:
                return None
            weighted = inverse @ self.design
            try:
                project = inverse - weighted @ np.linalg.solve(self.design.T @ weighted, weighted.T)
            except np.linalg.LinAlgError:  # a variance at the edge of what is one
                return None
            information = self._information(project)
            if np.linalg.cond(information) > 1e10:
                return None
            scored = (project @ self.values)[None]
            target = np.array([spread_over(pattern, scored)[0, 0] for pattern in self.patterns])  # y' P K P y
            step = np.linalg.solve(information, target) - theta
            while (inverse := self._inverse(theta + step)) is None:
                step /= 2
                if np.abs(step).max() < 1e-6 * self.unit:
                    return None
            theta = theta + step
            if np.abs(step).max() < 1e-4 * self.unit:
                return theta, 2 * np.linalg.inv(information)
        return None

    def _information(self, project: np.ndarray) -> np.ndarray:
        """tr(P K P L) of all pairs of kernels, [K, K]; with K = Z Z' that is the sum of squares of Z_K' P Z_L."""
        count = len(self.patterns)
        result, squares = np.zeros((count, count)), project**2
        shared = {k: pattern.T @ project for k, pattern in enumerate(self.patterns) if pattern.ndim == 2}
        for k, one in enumerate(self.patterns):
            for m, other in enumerate(self.patterns[: k + 1]):
                if k in shared and m in shared:
                    found = ((shared[k] @ other) ** 2).sum()
                elif k in shared or m in shared:
                    half, mask = (shared[k], other) if k in shared else (shared[m], one)
                    found = ((half**2) @ mask).sum()
                else:
                    found = one @ squares @ other
                result[k, m] = result[m, k] = found
        return result

    def _inverse(self, theta: np.ndarray) -> np.ndarray | None:
        """Inverse [N, N] of the covariance under variances [K]; None where that is no covariance."""
        result = np.zeros((len(self.values),) * 2)
        for rows, kernels in zip(self.blocks, self.kernels, strict=True):
            block = np.tensordot(theta, kernels, 1)
            try:
                factor = np.linalg.inv(np.linalg.cholesky(block))
            except np.linalg.LinAlgError:
                return None
            result[np.ix_(rows, rows)] = factor.T @ factor
        return result
