"""The one error a user is meant to read."""


class UserError(ValueError):
    """Bad input: one line that names the item and what is valid. The command line prints it and exits with 2."""
