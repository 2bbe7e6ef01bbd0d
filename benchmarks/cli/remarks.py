"""What a user should know of a plan before it runs, beside what `launch.todo` knows: of data, methods and disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import methods
from benchmarks.launch import disk
from benchmarks.launch.estimate import LoadedSplits
from benchmarks.plan.spec import RunSpec
from benchmarks.train.context import RunContext
from datasets.noise import add_noise
from methods.registry import METHODS


def remarks(
    specs: Sequence[RunSpec], new: Sequence[RunSpec], splits: LoadedSplits, context: RunContext, at_once: int
) -> Iterator[str]:
    """Each in one line. new: the runs to start. Raises UserError where a list of labels does not fit its data set."""
    yield from _of_methods(specs, splits)
    yield from _of_data(specs, splits, context)
    if new and (warning := disk.warning(new, splits, context.runs, at_once)):
        yield warning


def _of_methods(specs: Sequence[RunSpec], splits: LoadedSplits) -> Iterator[str]:
    """What the methods themselves have to say of these data."""
    classes = {dataset: len(part.train.class_names) for (dataset, _), part in splits.items()}
    for spec in {(s.dataset, s.method, json.dumps(s.config)): s for s in specs}.values():
        method = METHODS.load(spec.method)
        config = methods.validate_config(spec.method, method, spec.config)
        if warning := method.warning(config, classes[spec.dataset]):
            yield f"{spec.dataset}, {spec.method}: {warning}"


def _of_data(specs: Sequence[RunSpec], splits: LoadedSplits, context: RunContext) -> dict[str, None]:
    """What a reader of the numbers must know of the data, each once."""
    notes = dict.fromkeys(note for loaded in splits.values() for note in loaded.notes)
    for name, size, kind in dict.fromkeys((s.dataset, s.recipe.image_size, s.noise.kind) for s in specs):
        noisy = add_noise(splits[name, size].train, context.sources.noise_kind(kind), 0.0, seed=0)
        notes |= dict.fromkeys(noisy.notes)
    return notes
