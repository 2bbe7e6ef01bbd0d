"""What there is (`list`): answered without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli.terminal import table
from benchmarks.plan import recipe as recipes
from benchmarks.plan.plugins import load_plugins
from benchmarks.plan.recipe import RECIPES
from benchmarks.plan.suite import SUITES
from common.text import printable
from datasets.registry import DATASETS
from methods.registry import METHODS


def everything(data: Path, plugins: Sequence[Path] = ()) -> str:
    """Methods, data sets with where they are looked for, suites and recipes."""
    load_plugins(plugins)
    places = []
    for name, entry in DATASETS.items():
        dataset = DATASETS.load(name)(data)
        state = "embedded" if dataset.embedded else "present" if dataset.present() else "missing"
        places.append((name, state, entry.summary, "" if dataset.embedded else printable(str(dataset.folder))))
    return "\n\n".join(
        [
            table(("method", "what it is"), [(name, entry.summary) for name, entry in METHODS.items()]),
            table(("data set", "state", "what it is", "looked for in"), places),
            table(("suite", "what it fills"), SUITES.titles()),
            table(("recipe", "what it is"), RECIPES.titles()),
        ]
    )


def resolved_recipe(called: str, dataset: str, plugins: Sequence[Path] = ()) -> str:
    """Every value that runs of a data set have under a recipe, as TOML: the content of a recipe file of your own.

    Raises UserError.
    """
    load_plugins(plugins)
    DATASETS.load(dataset)
    name = RECIPES.name_of(called)
    values = recipes.load(called, dataset).model_dump(mode="json", exclude={"name", "protocol"}, exclude_none=True)
    lines = [f"{key} = {_toml(value)}" for key, value in values.items() if value not in ({}, [])]
    return "\n".join([f"title = {_toml(f'{name}, as it is for {dataset}')}", "", "[default]", *lines])


def _toml(value: Any) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # numbers, truth values and texts are written alike


def _key(key: str) -> str:
    return key if key.replace("_", "").isalnum() else json.dumps(key)


def methods_in_detail(plugins: Sequence[Path] = ()) -> str:
    """Every method with its reference, settings, defaults and where each default comes from."""
    from methods.core.settings import describe  # imports torch: settings are typed beside the code they configure

    load_plugins(plugins)
    return "\n\n".join(describe(name) for name in METHODS)
