"""A finished run, ready to predict: its network with its weights, and images made as they were for training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.apply import find
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
from common.foreign import Unreadable
from datasets.images.decode import Fit, Look
from datasets.registry import DATASETS
from methods.core.base import Method
from methods.registry import METHODS

if TYPE_CHECKING:
    from benchmarks.apply.predictions import Predictions


@dataclass(frozen=True)
class Trained:
    """A finished run's network."""

    folder: Path
    record: Record
    look: Look  # how image files become what the data set gave
    evaluator: Evaluator
    test_logits: np.ndarray  # [N, K] of the run's own test split
    test_uncertainty: np.ndarray  # [N]
    test_labels: np.ndarray  # [N]

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu", plugins: Iterable[Path] = ()) -> Trained:
        """The network of a run's folder. Neither its data set nor its recipe's file is needed.

        Raises UserError where the run is not finished, its files are damaged, or its method is a plug-in's that is not
        among `plugins`.
        """
        load_plugins(plugins)
        path = Path(folder).expanduser().resolve()
        record = find.read(path)
        spec = record.spec
        if spec.method not in METHODS:
            raise UserError(f"{path}: the method '{spec.method}' is a plug-in's: give its file with --plugin")
        arrays = _arrays(RunFolder(path).predictions)
        _, side, _, channels = arrays["example_images"].shape
        classes = len(class_names(record))
        method = _network(spec, path, classes, side, channels)
        where = torch.device(device)
        method = method.to(memory_format=torch.channels_last).to(where)
        pipeline = recipe_pipeline(spec.recipe, channels, method.extra_augment)
        return cls(
            path,
            record,
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
    def class_names(self) -> tuple[str, ...]:
        """In the order of the logits."""
        return class_names(self.record)

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
        from benchmarks.apply.image_files import predict_files

        return predict_files(self, paths)


def class_names(record: Record) -> tuple[str, ...]:
    """The classes that a run told apart, in the order of its logits."""
    return tuple((record.provenance.get("data") or {}).get("classes") or ())


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
        raise UserError(f"{file}: missing, damaged or another run's; without its weights a run predicts nothing")
    try:
        method.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{file}: does not fit the network ({str(error).splitlines()[-1].strip()})") from None
    return method


def _fit(dataset: str) -> Fit:
    """How images of other shapes were made square for training; arrays came as they are, and say nothing of it."""
    fit: Fit = getattr(DATASETS.load(dataset), "fit", "stretch") if dataset in DATASETS else "stretch"
    return fit


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        arrays = read_arrays(path)
        check(arrays)
    except (OSError, Unreadable) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    if "example_images" not in arrays:  # whose shape says what the network takes
        raise UserError(f"{path}: example_images are missing")
    return arrays
