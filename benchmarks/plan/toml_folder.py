"""Folders of TOML files, one for recipes and one for suites. Nothing heavy is imported: `list` answers at once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from common.errors import UserError
from common.files import user_path
from common.foreign import Unreadable, read_text
from common.registry import unknown
from common.text import one_line, printable
from common.validation import Problem

Model = TypeVar("Model", bound=BaseModel)
SUFFIX = ".toml"


@dataclass(frozen=True)
class TomlFolder:
    """A folder of TOML files of one kind ("recipe", "suite"), each with a `title` of one line.

    A file is called by its name; what ends in `.toml` is the path of a file of the user's own.
    """

    kind: str
    folder: Path

    def names(self) -> list[str]:
        """Names of its files, sorted."""
        return sorted(path.stem for path in self.folder.glob(f"*{SUFFIX}"))

    def name_of(self, called: str) -> str:
        """What a file is called in records and tables. Raises UserError where a user's own takes a name of ours."""
        name = Path(called).stem if called.endswith(SUFFIX) else called
        if name != called and name in self.names():
            raise UserError(f"{self.kind} {called}: '{name}' is one of ours; give the file another name")
        return name

    @cache  # noqa: B019 -- two folders, which live as long as the process
    def read(self, called: str) -> dict[str, Any]:
        """The content of one file. Raises UserError for one that is not there or cannot be read."""
        path = user_path(called)
        if not called.endswith(SUFFIX):
            if called not in self.names():  # a name is no path, which could lead to a file of another kind
                raise unknown(self.kind, called, [*self.names(), f"a path that ends in {SUFFIX}"])
            path = self.folder / f"{called}{SUFFIX}"
        try:
            content = tomllib.loads(read_text(path))
        except FileNotFoundError:
            raise UserError(f"{self.kind} {called}: no such file") from None
        except RecursionError:
            raise UserError(f"{self.kind} '{called}': nested too deeply") from None
        except ValueError as error:  # Unreadable, or tomllib's
            reason = error if isinstance(error, Unreadable) else f"not valid TOML ({error})"
            raise UserError(f"{self.kind} '{called}': {printable(str(reason))}") from None
        title = content.get("title")
        if not isinstance(title, str) or not title.isprintable() or not title:
            raise UserError(f"{self.kind} '{called}': its `title`, one line of text, is missing")
        return content

    def validated(self, called: str, model: type[Model], **further: Any) -> Model:
        """The content of one file as a model. Raises UserError for the first bad key or value."""
        content, name = self.read(called), self.name_of(called)
        try:
            one_line(name)
            return model.model_validate({**content, **further})
        except ValidationError as error:
            wrong = Problem.of(error)
            if wrong.unknown:
                raise UserError(f"{self.kind} '{called}': {_unknown(wrong.place, model)}") from None
            reason = printable(str(wrong)).replace("a valid dictionary", "a table").replace("a valid tuple", "a list")
            raise UserError(f"{self.kind} '{called}': {reason}") from None
        except ValueError as error:
            raise UserError(f"{self.kind} '{called}': its name {error}") from None

    def titles(self) -> list[tuple[str, str]]:
        """Every name with its title, or why there is none."""
        return [(name, self._title(name)) for name in self.names()]

    def _title(self, name: str) -> str:
        try:
            return str(self.read(name)["title"])
        except UserError as error:
            return f"unreadable: {error}"


def _unknown(place: str, model: type[BaseModel]) -> str:
    valid = "" if "." in place else f"; valid: {', '.join(model.model_fields)}"
    return printable(f"unknown key '{place}'{valid}")
