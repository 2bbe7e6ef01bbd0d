"""Which epoch was best, on the test set (the oracle) and on the validation split, and what it was worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

EpochRow = dict[str, Any]
StateDict = dict[str, Tensor]


@dataclass
class BestEpochs:
    """The best epoch of each selector by single-view accuracy, with its test metrics in the recipe's own view.

    Where that view is another, the weights of a new best wait in `weights` until `measure` looks at them: ten crops of
    every new best on the way would cost a third of its epoch.
    """

    rows: dict[str, EpochRow] = field(default_factory=dict)  # "best_on_test", "best_on_validation"
    weights: dict[str, StateDict] = field(default_factory=dict)

    def offer(
        self, epoch: int, accuracies: Mapping[str, float | None], measured: EpochRow | None, method: nn.Module
    ) -> None:
        """Take the epoch for each selector where its accuracy is a new best. measured: its test metrics, if known."""
        new = [name for name, value in accuracies.items() if value is not None and value > self._accuracy(name)]
        for name in new:
            self.rows[name] = {"epoch": epoch, "selection_accuracy": accuracies[name], **(measured or {})}
        if new and measured is None:
            self.weights |= dict.fromkeys(new, _copy(method))

    def _accuracy(self, name: str) -> float:
        return float(self.rows[name]["selection_accuracy"]) if name in self.rows else -1.0

    def measure(self, method: nn.Module, last: tuple[int, EpochRow], metrics: Callable[[], EpochRow]) -> None:
        """Complete the rows whose weights wait; `method` has its own weights again afterwards.

        last: number and metrics of the last epoch, whose weights `method` holds. metrics: measures `method` as it is.
        """
        known = dict([last])
        own = _copy(method)
        for name, weights in self.weights.items():
            epoch = self.rows[name]["epoch"]
            if epoch not in known:
                method.load_state_dict(weights)
                known[epoch] = metrics()
            self.rows[name] |= known[epoch]
        method.load_state_dict(own)


def _copy(method: nn.Module) -> StateDict:
    return {name: value.clone() for name, value in method.state_dict().items()}
