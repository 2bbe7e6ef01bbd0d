"""What a command prints, whatever becomes of where it goes: a full disk or a closed pipe ends the printing, no run."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

BROKEN = (errno.EPIPE, errno.ESHUTDOWN)


class Output:
    """A text stream that goes silent with its first error, and keeps it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.error = stream, None if stream else OSError(errno.EBADF, os.strerror(errno.EBADF))

    def write(self, text: str) -> int:
        """As of any stream."""
        self._try(lambda: self.stream.write(text))
        return len(text)

    def flush(self) -> None:
        """As of any stream."""
        self._try(self.stream.flush)

    def _try(self, action: Any) -> None:
        if self.error is None:
            try:
                action()
            except OSError as error:
                self.error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def guarded() -> Iterator[Output]:
    """Standard output as an Output, and the other standard streams there and able to take any text.

    What cannot be encoded is printed as an escape: names of files may be of any bytes, a log's encoding ASCII.
    """
    _open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    before, output = sys.stdout, Output(sys.stdout)
    sys.stdout = output
    try:
        yield output
    finally:
        output.flush()
        sys.stdout = before
        if output.error and isinstance(before, io.TextIOWrapper):  # what is left in it, Python would try again at exit
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), before.fileno())


def _open_standard_streams() -> None:
    """A closed standard stream's number would be given to the next file that is opened, and printed into."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False, errors="backslashreplace"))  # noqa: SIM115 -- as long as the process
