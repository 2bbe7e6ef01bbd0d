"""The errors of the data sets."""

from common.errors import UserError
from common.text import printable

_LONGEST = 800  # characters of a message: what is quoted from a damaged file may be anything


class DataError(UserError):
    """A data set is absent or damaged: what is missing, where it was looked for, where to get it, on what terms."""

    def __init__(self, message: str) -> None:
        text = printable(message)
        super().__init__(text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}")


class ContractError(DataError):
    """A data set gave arrays that are no splits: what they are, and what is wanted."""
