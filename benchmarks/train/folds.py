"""Runs that leave a part of the training set out and are measured on it, so that every image is judged by a network
that has not seen its label."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.plan.paths import Sources
from benchmarks.plan.spec import RunSpec
from benchmarks.train.build import label_noise
from benchmarks.train.seeding import seed_for
from common.errors import UserError
from datasets.base import ImageSet, Splits, fingerprint_of
from datasets.noise import NoisyLabels


def parts(spec: RunSpec, given: np.ndarray) -> np.ndarray:
    """[N]: the part, 0..K-1, of each training image; given [N] are the labels as training sees them.

    The K parts have the labels in equal shares, to within one image. They depend on data set, labels and the seed of
    the label noise alone: all methods, and all members of an ensemble, have the same. Raises UserError where the
    smallest part would be empty.
    """
    assert spec.fold
    count = spec.fold[1]
    if len(given) < 2 * count:
        raise UserError(f"{len(given):,} training images are too few for {count} folds")
    seed = spec.seed if spec.noise_seed is None else spec.noise_seed
    order = np.random.default_rng(seed_for(seed, "fold", spec.dataset, count)).permutation(len(given))
    order = order[np.argsort(given[order], kind="stable")]
    part = np.empty(len(given), dtype=np.int64)
    part[order] = np.arange(len(given)) % count
    return part


def with_fold(spec: RunSpec, fold: tuple[int, int]) -> RunSpec:
    """The run without one part of its training set, and its members likewise."""
    members = [with_fold(member, fold).model_dump() for member in spec.members]
    return RunSpec.model_validate({**spec.model_dump(), "members": members, "fold": fold})


def leave_out(spec: RunSpec, splits: Splits, noisy: NoisyLabels) -> tuple[Splits, NoisyLabels]:
    """The splits of a run with a fold: it trains on the other parts, and its test split is its own. Images are copied
    into memory. Without a fold: everything as it is."""
    if spec.fold is None:
        return splits, noisy
    out = parts(spec, noisy.labels) == spec.fold[0]
    folded = Splits(train=_rows(splits.train, ~out), test=_rows(splits.train, out), notes=splits.notes)
    return folded, NoisyLabels(noisy.labels[~out], noisy.mask[~out])


def fingerprints(
    splits: Mapping[tuple[str, int | None], Splits], sources: Sources
) -> Callable[[RunSpec], tuple[str, str]]:
    """What gives the fingerprints of the training and the test split that a run with a fold has of these data (by data
    set and image size), as its record says them. All images are read, once for each fold and its labels."""
    known: dict[tuple, tuple[str, str]] = {}

    def of(spec: RunSpec) -> tuple[str, str]:
        seed = spec.seed if spec.noise_seed is None else spec.noise_seed
        key = (spec.dataset, spec.recipe.image_size, spec.noise, seed, spec.fold)
        if key not in known:
            whole = splits[spec.dataset, spec.recipe.image_size]
            own, _ = leave_out(spec, whole, label_noise(spec, whole.train, sources))
            known[key] = own.train.fingerprint, own.test.fingerprint
        return known[key]

    return of


def _rows(part: ImageSet, chosen: np.ndarray) -> ImageSet:
    images, labels = part.images[chosen], part.labels[chosen]
    return dataclasses.replace(
        part,
        images=images,
        labels=labels,
        fingerprint=fingerprint_of(images, labels),
        soft_labels=None if part.soft_labels is None else part.soft_labels[chosen],
        names=None if part.names is None else part.names[chosen],
        human_labels={name: values[chosen] for name, values in part.human_labels.items()},
    )
