"""Methods in words, for `list --methods`: reference, settings, defaults and where each default comes from."""

from __future__ import annotations

from methods.core.settings import SettingRow, rows
from methods.registry import METHODS


def settings_of(name: str) -> list[SettingRow]:
    """Every setting of a registered method; nested ones dotted ("relabel.threshold"). Raises UserError if unknown."""
    return list(rows(METHODS.load(name).Config))


def describe(name: str) -> str:
    """One method as a block of text: summary, reference, note, and one line a setting. Raises UserError if unknown."""
    cls = METHODS.load(name)
    lines = [f"{name}: {METHODS[name].summary}", f"  {cls.reference}"]
    if cls.note:
        lines.append(f"  note: {cls.note}")
    table = [(f"{name}.{row.name}", _value(row.default), row) for row in settings_of(name)]
    left = max(len(key) for key, _, _ in table)
    middle = max(len(default) for _, default, _ in table)
    for key, default, row in table:
        choices = f" ({row.choices})" if row.choices else ""
        lines.append(f"  {key:<{left}}  {default:<{middle}}  {row.description}{choices} [{row.source}]")
    return "\n".join(lines)


def _value(default: object) -> str:
    """As `--set` takes it: true, 0.2, paper, [0, 1, 2]."""
    if isinstance(default, bool):
        return str(default).lower()
    return str(list(default)) if isinstance(default, tuple) else str(default)
