"""The one error of the data sets."""

from common.errors import UserError


class DataError(UserError):
    """A data set is absent or damaged: what is missing, where it was looked for, where to get it, on what terms."""
