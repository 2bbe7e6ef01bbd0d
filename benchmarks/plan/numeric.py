"""Numbers as people write them, in TOML and on the command line: `true` is no 1, and -0.0 is 0.0."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def unsigned_zero(value: Any) -> Any:
    """The value with every -0.0 in it made 0.0, which is the same number and would be another run."""
    if isinstance(value, dict):
        return {key: unsigned_zero(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(unsigned_zero(part) for part in value)
    return value + 0.0 if isinstance(value, float) else value


Whole = Annotated[int, BeforeValidator(_no_boolean)]
Real = Annotated[float, BeforeValidator(_no_boolean), AfterValidator(unsigned_zero)]
Values = Annotated[dict[str, Any], AfterValidator(unsigned_zero)]
