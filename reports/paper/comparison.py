"""What a claim comes down to: one number of a method against another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Side:
    """An arm's measure."""

    arm: str
    measure: str = "accuracy"


@dataclass(frozen=True)
class Comparison:
    """`a` minus `b` (or `a` itself, against zero), claimed to be above zero, or below where `sign` is -1; cell by cell.

    kind: "trend": how much it grows, in points per 10 points of noise, a data set at a time; "ratio": a over b, shown
    and not tested. less: the (data set, noise) of another cell, whose difference is subtracted; "" is that of the cell.
    datasets, levels: the cells that it is of, all of the claim's if empty. settled: why no test is needed.
    """

    text: str
    a: Side
    b: Side | None = None
    sign: int = 1
    kind: Literal["difference", "trend", "ratio"] = "difference"
    less: tuple[str, str] | None = None
    datasets: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    settled: str = ""

    @property
    def sides(self) -> tuple[Side, ...]:
        """What is compared."""
        return (self.a,) if self.b is None else (self.a, self.b)

    @property
    def same_network(self) -> bool:
        """Whether two numbers of one run are compared, e.g. by its own score and by the free one."""
        return self.b is not None and self.a.arm == self.b.arm
