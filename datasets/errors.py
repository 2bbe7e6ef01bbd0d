"""The one error of the data sets, and how names from disk are made printable."""

from common.errors import UserError

_LONGEST = 800  # characters of a message: what is quoted from a damaged file may be anything


class DataError(UserError):
    """A data set is absent or damaged: what is missing, where it was looked for, where to get it, on what terms."""

    def __init__(self, message: str) -> None:
        text = printable(message)
        super().__init__(text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}")


def printable(text: str) -> str:
    """Text that every terminal, file and figure can take: line ends, escapes and bytes that are no UTF-8 as `\\x..`.

    File names may hold any bytes. They are made printable once, where they become names of classes or of data sets.
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    code = ord(sign)
    return f"\\x{code & 0xFF:02x}" if code < 0x100 or 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
