"""Users' own methods and data sets: Python files that register classes when they are imported."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import inspect
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from common.errors import UserError
from common.files import user_path
from common.text import printable
from datasets.registry import DATASETS
from methods.registry import METHODS

IMPORT_SECONDS = 120.0  # a file that registers classes takes as long as its imports


def load_plugins(paths: Iterable[Path]) -> list[str]:
    """Import each file once and return the names it registered. Raises UserError, one line, for a file that cannot be
    imported within two minutes, and for a method or data set that is none."""
    added: list[str] = []
    for path in paths:
        path = Path(os.path.realpath(user_path(str(path))))  # a link to itself has a name, too
        name = f"plugin_{hashlib.sha256(str(path).encode(errors='surrogateescape')).hexdigest()[:12]}"
        if name in sys.modules:
            continue
        if not path.is_file():
            raise UserError(f"--plugin {path}: no such file")
        before = {*METHODS, *DATASETS}
        try:
            with _time_limit(IMPORT_SECONDS):
                _import(name, path)
        except UserError as error:
            raise UserError(f"--plugin {path}: {error}") from error
        for method in set(METHODS) - before:
            from methods.core.contract import check_method

            check_method(METHODS.load(method))
        for dataset in set(DATASETS) - before:
            _check_dataset(dataset, path)
        new = {*METHODS, *DATASETS} - before
        if not new:
            raise UserError(
                f"--plugin {path}: registers no method and no data set (use methods.register or datasets.register)"
            )
        added += sorted(new)
    return added


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """What records know plug-ins by: the files' names, made printable, with their contents' sha256.

    Raises UserError for two files of one name, of which a record could hold one alone.
    """
    files: dict[str, Path] = {}
    for path in paths:
        first = files.setdefault(printable(path.name), path)
        if os.path.realpath(first) != os.path.realpath(path):
            raise UserError(f"--plugin {path}: {first} has the same name, by which records know it; rename one of them")
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def _import(name: str, path: Path) -> None:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, UserError | KeyboardInterrupt):
            raise
        raise UserError(_said(error)) from error  # SystemExit too: a script that calls sys.exit is no plug-in


def _check_dataset(name: str, path: Path) -> None:
    """Raise a UserError that names what a data set lacks. Nothing is loaded."""
    from datasets.base import Dataset

    cls: Any = DATASETS.load(name)
    if not (inspect.isclass(cls) and issubclass(cls, Dataset)):
        raise _none(name, "it must be a subclass of datasets.Dataset")
    if missing := sorted(cls.__abstractmethods__):
        raise _none(name, f"it must define {', '.join(missing)}")
    if getattr(cls, "name", None) != name:
        raise _none(name, f"its `name` must be '{name}'")
    classes = getattr(cls, "class_names", None)
    if not isinstance(classes, tuple) or not all(isinstance(one, str) and one.isprintable() for one in classes):
        raise _none(name, "its `class_names` must be a tuple of names")
    if not cls.takes and len(set(classes)) < max(2, len(classes)):
        raise _none(name, "its `class_names` must be two or more, each another")
    try:
        cls(Path("data")).present()
    except Exception as error:
        raise _none(name, f"`present()` must say whether it is there, and raised {_said(error)}") from error
    cls.load = _guarded(name, path, cls.load)  # type: ignore[method-assign]


def _guarded(name: str, path: Path, load: Callable[..., Any]) -> Callable[..., Any]:
    """The `load` of a data set in the file `path`, whose errors are one line that names the place, and whose result is
    a `Splits` that no run would misread."""
    from datasets.base import Dataset, Splits
    from datasets.contract import check_splits
    from datasets.errors import ContractError

    @functools.wraps(load)
    def guarded(self: Dataset, image_size: int | None = None) -> Splits:
        try:
            splits = load(self, image_size)
            if not isinstance(splits, Splits):
                raise _none(name, f"`load()` must return datasets.Splits, not {type(splits).__name__}")
            check_splits(splits, self.class_names)
        except ContractError as error:
            line = _line(error, path)
            where = f"{path.name}, line {line}" if line else path.name
            raise UserError(printable(f"data set '{name}' ({where}): {error}")) from error
        except UserError:
            raise
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            line = _line(error, path)
            where = f"line {line} of {path.name}" if line else f"line {last.lineno} of {Path(last.filename).name}"
            raise _none(name, f"`load()` raised {_said(error)} ({where})") from error
        side = splits.train.images.shape[1]
        if image_size in (None, side):
            return splits
        note = f"images are {side} pixels a side, not the {image_size} that were asked for"
        return dataclasses.replace(splits, notes=(*splits.notes, note))

    return guarded


def _line(error: Exception, path: Path) -> int | None:
    """The last line of the file `path` that led to an error."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return lines[-1] if lines else None


def _none(name: str, clause: str) -> UserError:
    return UserError(f"data set '{name}' breaks the contract: {clause}")


def _said(error: BaseException) -> str:
    """An error in one line."""
    text = printable(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text:.300}"


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise UserError where the block takes longer. Without effect outside the main thread, which alone has signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def too_long(number: int, frame: FrameType | None) -> None:
        where = f" (in line {frame.f_lineno} of {Path(frame.f_code.co_filename).name})" if frame else ""
        raise UserError(f"still importing after {seconds:g} seconds{where}; a plug-in only defines and registers")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
