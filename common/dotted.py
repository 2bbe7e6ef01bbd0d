"""Dotted keys, as `--set` and suites have them: {"relabel.epoch": 2} and {"relabel": {"epoch": 2}}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.errors import UserError
from common.text import printable


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """{"relabel": {"epoch": 2}} -> {"relabel.epoch": 2}; dotted keys stay, an empty table is a value.

    Raises UserError for a key that is given twice, as a part of a table and dotted.
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        parts = flatten(value) if isinstance(value, Mapping) else {}
        found = {f"{key}.{name}": part for name, part in parts.items()} or {key: value}
        if twice := next((name for name in found if name in flat), None):
            raise UserError(f"setting '{printable(twice)}' is given twice")
        flat |= found
    return flat


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """{"relabel.epoch": 2} -> {"relabel": {"epoch": 2}}; tables in it are taken as `flatten` takes them.

    Raises UserError where a value is given to what has parts.
    """
    tree: dict[str, Any] = {}
    flat = flatten(flat)
    for key, value in flat.items():
        *path, leaf = key.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise UserError(f"setting '{key.rpartition('.')[0]}' is a value: '{key}' cannot be given beside it")
        if isinstance(value, Mapping):  # an empty table: the caller's own stays as it is
            node.setdefault(leaf, {})
            continue
        if leaf in node:
            part = next(other for other in flat if other.startswith(f"{key}."))
            raise UserError(f"setting '{key}' takes no value, since it has parts; give those, as {part}=VALUE")
        node[leaf] = value
    return tree


def get(tree: Mapping[str, Any], key: str) -> Any:
    """The value at "relabel.epoch". Raises KeyError."""
    for part in key.split("."):
        tree = tree[part]
    return tree


def remove(tree: dict[str, Any], key: str) -> None:
    """Take the value at "relabel.epoch" out of its mapping. Raises KeyError."""
    *path, leaf = key.split(".")
    for part in path:
        tree = tree[part]
    del tree[leaf]
