"""What pydantic found wrong with a value, in words for one line. Pydantic itself is not imported here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def place(error: ErrorDetails) -> str:
    """Where the value stands, dotted: `schedule.gamma`."""
    return ".".join(str(part) for part in error["loc"])


def reason(error: ErrorDetails) -> str:
    """Why it is refused: `must be greater than 0`."""
    text = error["msg"].removeprefix("Value error, ")
    return re.sub(r"^\w+ should", "must", text[0].lower() + text[1:])
