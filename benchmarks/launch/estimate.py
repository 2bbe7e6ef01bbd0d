"""How long a plan takes on this machine: from runs measured here, or from a few steps timed now."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch

from benchmarks.plan.spec import RunSpec
from benchmarks.store.provenance import collect
from benchmarks.store.runs import Store
from benchmarks.train.build import build_method
from benchmarks.train.context import RunContext
from benchmarks.train.step.precision import Precision, device_name
from datasets.base import Splits
from methods.core.base import Batch, Clock

# A forward pass is about a third of a training step's work; ten crops count as ten images.
EVALUATION_COST = 1 / 3
PROBE_IMAGES = 16


ImageRates = dict[tuple, float]  # what decides a run's speed -> images/s
LoadedSplits = Mapping[tuple[str, int | None], Splits]


def each(specs: Sequence[RunSpec], context: RunContext, splits: LoadedSplits) -> dict[str, float]:
    """Estimated seconds of each spec by itself (run id -> seconds), on the context's device and number of threads."""
    return _from_rates(
        specs, splits, _measured(context) if specs else {}, lambda spec, data: _probe(spec, data, context)
    )


def each_elsewhere(
    specs: Sequence[RunSpec], context: RunContext, splits: LoadedSplits, *, gpu: bool, unknown: float
) -> dict[str, float]:
    """As `each`, for machines that cannot be asked: the slowest that finished runs were on such a device anywhere.

    Without such a run a CPU is taken to be like this one, and a run on a GPU to take `unknown` seconds.
    """
    rates: ImageRates = {}
    for _, record in Store(context.runs).records():
        if isinstance(record, Exception) or (record.provenance.get("device") != "cpu") is not gpu:
            continue
        if speed := record.timing.get("images_per_second"):
            key = _key(record.spec)
            rates[key] = min(speed, rates.get(key, speed))
    found = _from_rates(
        [spec for spec in specs if not gpu or _key(_trained(spec)) in rates],
        splits,
        rates,
        lambda spec, data: _probe(spec, data, replace(context, device="cpu")),
    )
    return {spec.run_id: found.get(spec.run_id, unknown) for spec in specs}


def _from_rates(
    specs: Sequence[RunSpec], splits: LoadedSplits, rates: ImageRates, probe: Callable[[RunSpec, Splits], float]
) -> dict[str, float]:
    found = {}
    for spec in specs:
        data = splits[spec.dataset, spec.recipe.image_size]
        key = _key(_trained(spec))
        rates[key] = rates.get(key) or probe(_trained(spec), data)
        evaluated = len(data.test) + (len(data.validation) if data.validation else 0)
        images = spec.recipe.epochs * (len(data.train) + EVALUATION_COST * evaluated)
        if spec.members:
            images = len(spec.members) * EVALUATION_COST * (len(data.train) + evaluated)
        found[spec.run_id] = images / rates[key]
    return found


def _trained(spec: RunSpec) -> RunSpec:
    return spec.members[0] if spec.members else spec


def _key(spec: RunSpec) -> tuple:
    recipe = spec.recipe
    network = spec.method, recipe.backbone, recipe.image_size, recipe.crop, recipe.batch_size
    return spec.dataset, network, recipe.precision, recipe.compile


def _measured(context: RunContext) -> ImageRates:
    """Images/s of finished runs on this processor and device."""
    here = (collect()["processor"], device_name(torch.device(context.device)), context.threads)
    rates: ImageRates = {}
    for _, record in Store(context.runs).records():
        if isinstance(record, Exception):
            continue
        made = record.provenance
        if (made.get("processor"), made.get("device"), made.get("threads")) == here:
            rates[_key(record.spec)] = record.timing.get("images_per_second") or 0.0
    return rates


def _probe(spec: RunSpec, data: Splits, context: RunContext) -> float:
    """Images/s of a step on random images, in the recipe's precision: the second of two, the first a warm-up."""
    device = torch.device(context.device)
    threads = torch.get_num_threads()
    torch.set_num_threads(context.threads)
    try:
        method = build_method(spec, data.train).to(memory_format=torch.channels_last).to(device).train()
        size = spec.recipe.input_size(data.train.images.shape[1])
        images = torch.randn(PROBE_IMAGES, data.train.images.shape[3], size, size, device=device)
        labels = torch.arange(PROBE_IMAGES, device=device) % len(data.train.class_names)
        batch = Batch(images.contiguous(memory_format=torch.channels_last), labels, labels)
        precision = Precision.of(spec.recipe, device)
        for _ in range(2):
            started = time.perf_counter()
            with precision.autocast():
                loss = method.training_step(batch, Clock(0, 0, 1, 1)).loss
            loss.backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            elapsed = time.perf_counter() - started
        return PROBE_IMAGES / elapsed
    finally:
        torch.set_num_threads(threads)
