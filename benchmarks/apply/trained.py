"""A finished run, ready to predict: its network with its weights, and images made as they were for training."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.apply import find
from benchmarks.apply.image_files import predict_files
from benchmarks.apply.predictions import Predictions
from benchmarks.plan.plugins import load_plugins
from benchmarks.plan.spec import RunSpec
from benchmarks.store.arrays import check, read_arrays
from benchmarks.store.record import Record
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store
from benchmarks.train import final_weights
from benchmarks.train.build import adopt_members, create_method, evaluator, recipe_pipeline
from benchmarks.train.evaluate import Evaluator, Outputs
from benchmarks.train.step.loader import Loader
from benchmarks.train.step.precision import Precision
from common.errors import UserError
from common.files import user_path
from common.foreign import Unreadable
from common.text import printable
from datasets.images.decode import Fit, Look
from datasets.registry import DATASETS
from methods.core.base import Method
from methods.core.weights import sha256
from methods.registry import METHODS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """A finished run's network."""

    folder: Path
    record: Record
    class_names: tuple[str, ...]  # in the order of the logits
    look: Look  # how image files become what the data set gave
    evaluator: Evaluator
    test_logits: np.ndarray  # [N, K] of the run's own test split
    test_uncertainty: np.ndarray  # [N]
    test_labels: np.ndarray  # [N]

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu", plugins: Iterable[Path] = ()) -> Trained:
        """The network of a run's folder. Neither its data set nor its recipe's file is needed.

        Raises UserError where the run is not finished, its files are damaged, or its method is a plug-in's that is not
        among `plugins`. A plug-in that has changed since is warned of.
        """
        load_plugins(plugins)
        path = find.place(user_path(str(folder)))
        record = find.read(path)
        spec = record.spec
        if spec.method not in METHODS:
            raise UserError(f"{path}: the method '{spec.method}' is a plug-in's: give its file with --plugin")
        if changed := _changed_plugins(record):
            log.warning("%s: %s changed since this run was trained", printable(str(path)), ", ".join(changed))
        names = class_names(path, record)
        if not spec.members and not RunFolder(path).weights.exists():
            raise _no_weights(RunFolder(path).weights)
        arrays = _arrays(RunFolder(path).predictions, len(names))
        _, side, _, channels = arrays["example_images"].shape
        method = _network(spec, path, len(names), side, channels)
        where = torch.device(device)
        method = method.to(memory_format=torch.channels_last).to(where)
        pipeline = recipe_pipeline(spec.recipe, channels, method.extra_augment)
        return cls(
            path,
            record,
            names,
            Look(channels, side, _fit(spec.dataset)),
            evaluator(spec, method, pipeline, Precision.of(spec.recipe, where)),
            arrays["test_logits"],
            arrays["test_uncertainty"],
            arrays["test_labels"].astype(np.int64),
        )

    @property
    def spec(self) -> RunSpec:
        """What the run is of."""
        return self.record.spec

    @property
    def device(self) -> torch.device:
        """Where it predicts."""
        return self.evaluator.precision.device

    @cached_property
    def test_outputs(self) -> Outputs:
        """What the run predicted of its own test split, from its folder."""
        return Outputs(self.test_logits, self.test_uncertainty, np.empty((len(self.test_logits), 0), np.float16))

    def predict(self, images: np.ndarray) -> Outputs:
        """Predictions for decoded images [N, H, W, C] uint8, of the side and channels of `look`."""
        return self.evaluator.predict(Loader(images, self.device), self.spec.recipe.test_view)

    def predict_files(self, paths: Sequence[str | Path]) -> Predictions:
        """Predictions for image files, and for those in folders. Raises UserError for a path that is not there."""
        view = self.spec.recipe.test_view
        files, outputs, unreadable, seconds = predict_files(self.evaluator, self.look, view, paths)
        return Predictions(self.record, self.class_names, self.test_outputs, files, outputs, unreadable, seconds)


def class_names(path: Path, record: Record) -> tuple[str, ...]:
    """The classes that the run in a folder told apart, in the order of its logits. Raises UserError."""
    names = data_of(record).get("classes") or ()
    if not all(names) or not 2 <= len({*names}) == len(names):
        raise UserError(f"{path}: its record has no list of class names; two or more are wanted, each another")
    return tuple(map(printable, names))


def data_of(record: Record) -> Mapping[str, Any]:
    """What a record says of the data; empty where it says nothing."""
    return record.provenance.get("data") or {}


def _changed_plugins(record: Record) -> list[str]:
    """Files of the run's methods that are none of those it was trained with, by the digests in its record."""
    known = record.provenance.get("plugins")
    if not known:
        return []
    methods = dict.fromkeys(spec.method for spec in (record.spec, *record.spec.members))
    classes = [target for name in methods if name in METHODS and isinstance(target := METHODS[name].target, type)]
    files = [getattr(sys.modules.get(target.__module__), "__file__", None) for target in classes]  # none in a notebook
    changed = [Path(file).name for file in files if file and sha256(file) not in known.values()]
    return [f"the plug-in {printable(name)}" for name in changed]


def _network(spec: RunSpec, path: Path, classes: int, side: int, channels: int) -> Method:
    def build(of: RunSpec) -> Method:
        return create_method(of, classes, side, channels)

    method = build(spec)
    if spec.members:  # which lie below the same runs folder
        adopt_members(method, spec, Store(path.parents[3]), build)
        return method
    file = RunFolder(path).weights
    weights = final_weights.load(file, spec.run_id)
    if weights is None:
        raise _no_weights(file)
    try:
        method.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{file}: does not fit the network ({str(error).splitlines()[-1].strip()})") from None
    return method


def _no_weights(file: Path) -> UserError:
    return UserError(
        f"{file}: missing, damaged or another run's; without its weights a run predicts nothing (released records have "
        "none: train the run anew)"
    )


def _fit(dataset: str) -> Fit:
    """How images of other shapes were made square for training; arrays came as they are, and say nothing of it."""
    fit: Fit = getattr(DATASETS.load(dataset), "fit", "stretch") if dataset in DATASETS else "stretch"
    return fit


def _arrays(path: Path, classes: int) -> dict[str, np.ndarray]:
    try:
        arrays = read_arrays(path)
        check(arrays)
    except (OSError, Unreadable) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    if "example_images" not in arrays:  # whose shape says what the network takes
        raise UserError(f"{path}: example_images are missing")
    if arrays["test_logits"].shape[1] != classes:
        columns = arrays["test_logits"].shape[1]
        raise UserError(f"{path}: test_logits are of {columns} classes, but the run's record names {classes}")
    return arrays
