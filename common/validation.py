"""What pydantic found wrong with a value, in words for one line. Pydantic itself is not imported here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing wrong with a value; as text `schedule.gamma: must be greater than 0`."""

    place: str  # dotted: "schedule.gamma"; "" for the whole value
    reason: str  # "must be greater than 0"
    value: Any
    unknown: bool  # whether the key itself is not known

    @classmethod
    def of(cls, error: ValidationError) -> Problem:
        """The first of an error's findings."""
        first = error.errors()[0]
        text = first["msg"].removeprefix("Value error, ")
        reason = re.sub(r"^\w+ should", "must", text[0].lower() + text[1:])
        return cls(".".join(map(str, first["loc"])), reason, first["input"], first["type"] == "extra_forbidden")

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" if self.place else self.reason
