"""What there is (`list`): answered without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.plan.plugins import load_plugins
from benchmarks.plan.recipe import RECIPES
from benchmarks.plan.suite import SUITES
from datasets.registry import DATASETS
from methods.registry import METHODS


def _block(title: str, rows: Sequence[tuple[str, str]]) -> str:
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in rows)])


def everything(data: Path, plugins: Sequence[Path] = ()) -> str:
    """Methods, data sets with where they are looked for, suites and recipes."""
    load_plugins(plugins)
    rows = []
    for name, entry in DATASETS.items():
        dataset = DATASETS.load(name)(data)
        state = "embedded" if dataset.embedded else "present" if dataset.present() else "missing"
        where = "" if dataset.embedded else f" [{dataset.folder}]"
        rows.append((name, f"{state:<8}  {entry.summary}{where}"))
    return "\n\n".join(
        [
            _block("methods", [(name, entry.summary) for name, entry in METHODS.items()]),
            _block("data sets", rows),
            _block("suites", SUITES.titles()),
            _block("recipes", RECIPES.titles()),
        ]
    )


def methods_in_detail(plugins: Sequence[Path] = ()) -> str:
    """Every method with its reference, settings, defaults and where each default comes from."""
    from methods.core.settings import describe  # imports torch: settings are typed beside the code they configure

    load_plugins(plugins)
    return "\n\n".join(describe(name) for name in METHODS)
