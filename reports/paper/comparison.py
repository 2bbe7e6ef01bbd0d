"""What a claim of the paper comes down to: one number of a method against another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LITTLE = 1.1  # the most that counts as "little or no" extra cost: the bound is ours, the words are the paper's


@dataclass(frozen=True)
class Side:
    """An arm's measure, under the noise of the cell or under one of its own."""

    arm: str
    measure: str = "accuracy"
    level: str = ""


@dataclass(frozen=True)
class Comparison:
    """`a` minus `b` (or minus nothing), which the claim needs to be above zero, or below where `sign` is -1.

    kind: "difference"; "trend", whether the difference grows with the noise, in points per 10 points of noise; "ratio",
    whether `a` is at most LITTLE times `b`. Only those that `decides` count for the claim's verdict.
    """

    text: str
    a: Side
    b: Side | None = None
    sign: int = 1
    kind: Literal["difference", "trend", "ratio"] = "difference"
    decides: bool = True
    only: tuple[str, ...] = ()  # the noises it is of, all of the claim's if empty

    @property
    def sides(self) -> tuple[Side, ...]:
        """What is compared."""
        return (self.a,) if self.b is None else (self.a, self.b)
