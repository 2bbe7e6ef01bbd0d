"""Names to classes, imported only when used, so that listing them costs nothing."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from common.errors import UserError
from common.text import folder_name

T = TypeVar("T", bound=type)


def unknown(kind: str, name: str, valid: Iterable[str]) -> UserError:
    """The error for a name that is not among `valid`, with the closest match first."""
    valid = sorted(valid)
    spelt = {choice.casefold(): choice for choice in valid}
    close = difflib.get_close_matches(name.casefold(), spelt, n=1)
    hint = f" (did you mean '{spelt[close[0]]}'?)" if close else ""
    return UserError(f"unknown {kind} '{name}'{hint}; valid: {', '.join(valid)}")


@dataclass(frozen=True)
class Entry:
    """Where a class lives (`package.module:Class`, or the class itself for a plug-in) and what it is in one line."""

    target: str | type
    summary: str


class Registry(Mapping[str, Entry]):
    """Registered names of one kind ("method", "data set")."""

    def __init__(self, kind: str, entries: Mapping[str, tuple[str, str]]) -> None:
        self.kind = kind
        self._entries = {name: Entry(target, summary) for name, (target, summary) in entries.items()}

    def __getitem__(self, name: str) -> Entry:
        if name not in self._entries:
            raise unknown(self.kind, name, self._entries)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, name: str) -> Any:
        """The class behind `name`, imported now. Raises UserError for an unknown name."""
        target = self[name].target
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            target = getattr(importlib.import_module(module), attribute)
        return target

    def register(self, name: str, summary: str) -> Callable[[T], T]:
        """Class decorator for plug-ins. Raises UserError when the name is taken by another class: one of another module
        or name. The same one again is taken, as where a notebook's cell is run twice."""

        def add(cls: T) -> T:
            try:
                folder_name(name)
            except (TypeError, AttributeError, ValueError) as error:
                raise UserError(f"{self.kind} {name!r:.80}: its name {error}") from None
            taken = self._entries.get(name)
            if taken is not None and _origin(taken.target) != _origin(cls):
                raise UserError(f"{self.kind} '{name}' is registered already; choose another name")
            self._entries[name] = Entry(cls, summary)
            return cls

        return add


def _origin(target: str | type) -> tuple[str, str]:
    """Module and name of a class; of one that is not imported yet, those that it is imported by."""
    if isinstance(target, str):
        module, _, name = target.partition(":")
        return module, name
    return target.__module__, target.__qualname__
