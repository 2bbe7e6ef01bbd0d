"""Folders of TOML files, one for recipes and one for suites. Nothing heavy is imported: `list` answers at once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from common.registry import unknown


@dataclass(frozen=True)
class TomlFolder:
    """A folder of TOML files of one kind ("recipe", "suite"), each with a `title` of one line."""

    kind: str
    folder: Path

    def names(self) -> list[str]:
        """Names of its files, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.toml"))

    @cache  # noqa: B019 -- two shelves, which live as long as the process
    def read(self, name: str) -> dict[str, Any]:
        """The content of one file. Raises UserError for a name that is not there."""
        path = self.folder / f"{name}.toml"
        if not path.is_file():
            raise unknown(self.kind, name, self.names())
        return tomllib.loads(path.read_text(encoding="utf-8"))

    def titles(self) -> list[tuple[str, str]]:
        """Every name with its title."""
        return [(name, self.read(name)["title"]) for name in self.names()]
