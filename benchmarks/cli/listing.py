"""What there is (`list`): answered without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.cli.terminal import table
from benchmarks.plan.plugins import load_plugins
from benchmarks.plan.recipe import RECIPES
from benchmarks.plan.suite import SUITES
from datasets.registry import DATASETS
from methods.registry import METHODS


def everything(data: Path, plugins: Sequence[Path] = ()) -> str:
    """Methods, data sets with where they are looked for, suites and recipes."""
    load_plugins(plugins)
    places = []
    for name, entry in DATASETS.items():
        dataset = DATASETS.load(name)(data)
        state = "embedded" if dataset.embedded else "present" if dataset.present() else "missing"
        places.append((name, state, entry.summary, "" if dataset.embedded else str(dataset.folder)))
    return "\n\n".join(
        [
            table(("method", "what it is"), [(name, entry.summary) for name, entry in METHODS.items()]),
            table(("data set", "state", "what it is", "looked for in"), places),
            table(("suite", "what it fills"), SUITES.titles()),
            table(("recipe", "what it is"), RECIPES.titles()),
        ]
    )


def methods_in_detail(plugins: Sequence[Path] = ()) -> str:
    """Every method with its reference, settings, defaults and where each default comes from."""
    from methods.core.settings import describe  # imports torch: settings are typed beside the code they configure

    load_plugins(plugins)
    return "\n\n".join(describe(name) for name in METHODS)
