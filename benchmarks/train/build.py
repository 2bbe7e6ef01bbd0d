"""From a spec to what trains: labels, network, augmentation and images on the run's device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import methods
from benchmarks.plan.paths import Sources
from benchmarks.plan.recipe import Recipe
from benchmarks.plan.spec import RunSpec
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store
from benchmarks.train import final_weights
from benchmarks.train.evaluate import EvaluationSplit, Evaluator
from benchmarks.train.seeding import seed_for
from benchmarks.train.step.compile import compile_backbone
from benchmarks.train.step.loader import Loader
from benchmarks.train.step.precision import Precision
from common.errors import UserError
from datasets.augment.pipeline import Pipeline
from datasets.base import ImageSet, Splits
from datasets.noise import NoisyLabels, add_noise
from methods.core import backbones
from methods.core.base import Method
from methods.core.timm_networks import load_pretrained as load_timm
from methods.core.weights import IMAGENET, TIMM, load_weights, sha256
from methods.registry import METHODS


@dataclass(frozen=True)
class TrainingData:
    """What a run trains and is measured on."""

    train: Loader
    given: np.ndarray  # [N] labels after label noise
    clean: np.ndarray  # [N] labels before
    test: EvaluationSplit
    validation: EvaluationSplit | None


@dataclass(frozen=True)
class Assembled:
    """A run before its first step."""

    method: Method  # on its device, channels_last
    pipeline: Pipeline
    second_view: Pipeline | None
    data: TrainingData
    precision: Precision
    evaluator: Evaluator
    compiled: bool  # whether training runs compiled code, as its recipe may ask


def assemble(spec: RunSpec, method: Method, splits: Splits, given: np.ndarray, device: torch.device) -> Assembled:
    """Bring a freshly built (or loaded) method and its data to the device; given [N] are the training labels."""
    precision = Precision.of(spec.recipe, device)
    method = method.to(memory_format=torch.channels_last).to(device)
    data = TrainingData(
        train=Loader(splits.train.images, device),
        given=given,
        clean=splits.train.labels,
        test=_evaluation_split(splits.test, device),
        validation=None if splits.validation is None else _evaluation_split(splits.validation, device),
    )
    _, native, _, channels = splits.train.images.shape
    size = spec.recipe.input_size(native)
    shape = (spec.recipe.batch_size, channels, size, size)
    compiled = spec.recipe.compile and not spec.members and compile_backbone(method.backbone, shape, precision)
    pipeline = recipe_pipeline(spec.recipe, channels, method.extra_augment)
    second, noisy = spec.recipe.second_view, not np.array_equal(given, splits.train.labels)
    return Assembled(
        method=method,
        pipeline=pipeline,
        second_view=_pipeline(spec.recipe, second, channels) if second is not None and noisy else None,
        data=data,
        precision=precision,
        evaluator=evaluator(spec, method, pipeline, precision),
        compiled=compiled,
    )


def evaluator(spec: RunSpec, method: Method, pipeline: Pipeline, precision: Precision) -> Evaluator:
    """What predicts with a run's method: while it trains and, from its weights, ever after."""
    return Evaluator(method, pipeline, precision, seed_for(spec.seed, "evaluation"))


def label_noise(spec: RunSpec, train: ImageSet, sources: Sources) -> NoisyLabels:
    """The training labels of a run. They depend on data set, kind, ratio and seed alone: all methods see the same."""
    seed = seed_for(spec.seed if spec.noise_seed is None else spec.noise_seed, "noise", spec.dataset, spec.noise.kind)
    return add_noise(train, sources.noise_kind(spec.noise.kind), spec.noise.ratio, seed)


def recipe_pipeline(recipe: Recipe, channels: int, extra: Sequence[Mapping[str, Any]] = ()) -> Pipeline:
    """The recipe's normalisation and augmentation, and the `extra` operations that a method is made for.

    An extra operation that the recipe has already is not done twice.
    """
    own = {op.op for op in recipe.augment}
    return _pipeline(recipe, [*recipe.augment, *(op for op in extra if op["op"] not in own)], channels)


def _pipeline(recipe: Recipe, ops: Sequence[Any], channels: int) -> Pipeline:
    """A colour recipe on grey images takes the mean of its channels' values."""
    mean, std = recipe.mean, recipe.std
    if channels == 1:
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    return Pipeline(ops, mean, std, crop=recipe.crop)


def build_method(spec: RunSpec, train: ImageSet) -> Method:
    """The method of a run, freshly initialised from the run's seed, on the CPU; without pretrained weights."""
    return create_method(spec, len(train.class_names), train.images.shape[1], train.images.shape[3])


def create_method(spec: RunSpec, num_classes: int, side: int, channels: int) -> Method:
    """As `build_method`, for images of `side` pixels that are not at hand."""
    torch.manual_seed(seed_for(spec.seed, "init"))
    return methods.create(
        spec.method,
        num_classes=num_classes,
        backbone=spec.recipe.backbone,
        image_size=spec.recipe.input_size(side),
        channels=channels,
        **spec.config,
    )


def check_fit(specs: Iterable[RunSpec], splits: Mapping[tuple[str, int | None], Splits]) -> None:
    """Raise UserError where a recipe or a network does not take a data set's images; `splits` by data set and image
    size. It is known now, not in each run or after its last epoch."""
    wanted = set()
    for spec in {(s.dataset, s.method, s.recipe.model_dump_json()): s for s in specs}.values():
        _, side, _, channels = splits[spec.dataset, spec.recipe.image_size].train.images.shape
        try:
            _check_pipelines(spec, side, channels)
        except UserError as error:
            raise UserError(f"recipe '{spec.recipe.name}' for '{spec.dataset}': {error}") from None
        wanted.add((spec.recipe.backbone, channels, spec.recipe.input_size(side)))
    for name, channels, side in sorted(wanted):
        backbones.create(name, channels, side)


def _check_pipelines(spec: RunSpec, side: int, channels: int) -> None:
    """Send one black image of `side` pixels through all that images go through in training and in testing."""
    recipe, extra = spec.recipe, METHODS.load(spec.method).extra_augment
    if recipe.crop is not None and recipe.crop > side:
        raise UserError(f"crop = {recipe.crop}: larger than the images, which have {side} pixels a side")
    pipeline, generator = recipe_pipeline(recipe, channels, extra), torch.Generator()
    image = torch.zeros(1, channels, side, side, dtype=torch.uint8)
    pipeline.train(image, generator)
    _pipeline(recipe, recipe.second_view or (), channels).train(image, generator)
    if recipe.test_view == "ten_crop":
        pipeline.ten_crop(image)
    else:
        pipeline.test(image)


def load_pretrained(method: Method, spec: RunSpec, file: Path | None, channels: int = 3) -> None:
    """Set the backbone from the weights that the spec names. Raises UserError when `file` is not those."""
    if spec.weights is None:
        return
    if spec.weights == IMAGENET:
        load_weights(method.backbone, IMAGENET)
    elif spec.weights == TIMM:
        load_timm(method.backbone.stages, spec.recipe.backbone, channels)
    elif file is None or sha256(file) != spec.weights:
        raise UserError(f"weights: {file or 'no file'} is not the one of this run (sha256 {spec.weights[:12]})")
    else:
        load_weights(method.backbone, file)


def _evaluation_split(images: ImageSet, device: torch.device) -> EvaluationSplit:
    return EvaluationSplit(Loader(images.images, device), images.labels, images.soft_labels)


def adopt_members(method: Method, spec: RunSpec, store: Store, build: Callable[[RunSpec], Method]) -> None:
    """Give `method` the networks of the spec's finished members; `build` makes one, untrained, from its spec.

    Raises UserError that names the first member whose run is not there to be used.
    """
    folders = [_finished(spec, member, store) for member in spec.members]  # all of them, before anything is built
    networks = []
    for member, folder in zip(spec.members, folders, strict=True):
        weights = final_weights.load(folder.weights, member.run_id)
        if weights is None:
            raise UserError(
                f"{spec.method}: {folder.weights} does not hold the final weights of its member {member}; "
                f"move the folder away and give the same command again"
            )
        network = build(member)
        network.load_state_dict(weights)
        networks.append(network)
    method.adopt(networks)


def _finished(spec: RunSpec, member: RunSpec, store: Store) -> RunFolder:
    folder = store.run(member)
    status = folder.status()
    if status.state != "done":
        reason = f"{status.state}: {status.detail}" if status.detail else status.state
        raise UserError(f"{spec.method}: its member {member} is not done ({reason}); its folder: {folder.path}")
    return folder
