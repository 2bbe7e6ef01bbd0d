"""Typed hyper-parameters: how a method declares them, how values from outside are checked, how they are listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from common.errors import UserError
from common.registry import unknown
from common.validation import Problem
from methods.registry import METHODS


def setting(default: Any, description: str, source: str, **constraints: Any) -> Any:
    """A hyper-parameter: default, meaning, and where the default comes from (paper, released code, ours)."""
    return Field(default, description=description, json_schema_extra={"source": source}, **constraints)


class Settings(BaseModel):
    """A frozen group of settings that refuses unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _keep_nested_defaults(cls, values: Any) -> Any:
        """{"relabel": {"epoch": 3}} changes one nested setting and leaves the method's other nested defaults alone."""
        if not isinstance(values, Mapping):
            return values
        merged = dict(values)
        for name, field in cls.model_fields.items():
            if isinstance(field.default, Settings) and isinstance(merged.get(name), Mapping):
                merged[name] = field.default.model_dump() | merged[name]
        return merged

    @classmethod
    def checked(cls, values: Mapping[str, Any], prefix: str) -> Self:
        """The settings with `values` over the defaults. Raises UserError, one line, for the first bad name or value."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _one_line(cls, Problem.of(error), prefix) from None


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One hyper-parameter as `list --methods` prints it."""

    name: str  # dotted: "relabel.threshold"
    default: Any
    choices: str  # "paper | released", "" where any value of the default's type may be given
    description: str
    source: str


def rows(settings: type[Settings], defaults: Settings | None = None, prefix: str = "") -> Iterator[SettingRow]:
    """Every setting of a group, nested ones last and dotted, with the defaults that hold where the group is used."""
    defaults = defaults or settings()
    for name, field in sorted(settings.model_fields.items(), key=lambda item: isinstance(item[1].default, Settings)):
        default = getattr(defaults, name)
        if isinstance(default, Settings):
            yield from rows(type(default), default, f"{prefix}{name}.")
            continue
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        choices = " | ".join(get_args(field.annotation)) if get_origin(field.annotation) is Literal else ""
        yield SettingRow(prefix + name, default, choices, field.description or "", str(extra.get("source", "")))


def _one_line(settings: type[Settings], wrong: Problem, prefix: str) -> UserError:
    path = f"{prefix}.{wrong.place}"
    if wrong.unknown:
        return unknown("setting", path, [f"{prefix}.{row.name}" for row in rows(settings)])
    return UserError(f"{path} = {wrong.value!r}: {wrong.reason}")


def settings_of(name: str) -> list[SettingRow]:
    """Every setting of a registered method; nested ones dotted ("relabel.threshold"). Raises UserError if unknown."""
    return list(rows(METHODS.load(name).Config))


def describe(name: str) -> str:
    """One method as a block of text: summary, reference, note, and one line a setting. Raises UserError if unknown."""
    cls = METHODS.load(name)
    lines = [f"{name}: {METHODS[name].summary}", f"  {cls.reference}"]
    if cls.note:
        lines.append(f"  note: {cls.note}")
    table = [(f"{name}.{row.name}", _as_typed(row.default), row) for row in settings_of(name)]
    left = max(len(key) for key, _, _ in table)
    middle = max(len(default) for _, default, _ in table)
    for key, default, row in table:
        choices = f" ({row.choices})" if row.choices else ""
        lines.append(f"  {key:<{left}}  {default:<{middle}}  {row.description}{choices} [{row.source}]")
    return "\n".join(lines)


def _as_typed(default: object) -> str:
    """As `--set` takes it: true, 0.2, paper, [0, 1, 2]."""
    if isinstance(default, bool):
        return str(default).lower()
    return str(list(default)) if isinstance(default, tuple) else str(default)
