"""Dotted keys, as `--set` and suites have them: {"relabel.epoch": 2} and {"relabel": {"epoch": 2}}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.errors import UserError


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """{"relabel.epoch": 2} -> {"relabel": {"epoch": 2}}. Raises UserError where a value is given to what has parts."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *path, leaf = key.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise UserError(f"setting '{key.rpartition('.')[0]}' is a value: '{key}' cannot be given beside it")
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
