"""Predictions of a trained method on a whole split, in one view or ten crops, and the metrics of an epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from benchmarks.metrics import calibration, scores
from benchmarks.train.step.loader import Loader
from benchmarks.train.step.precision import Precision
from datasets.augment.pipeline import Pipeline
from methods.core.base import Method, Prediction

View = Literal["single", "ten_crop"]
EVALUATION_BATCH = 512  # images a forward pass; ten crops count as ten


def batch(view: View) -> int:
    """Images a batch of evaluation."""
    return EVALUATION_BATCH // 10 if view == "ten_crop" else EVALUATION_BATCH


@dataclass(frozen=True)
class Outputs:
    """Predictions of one split on the host."""

    logits: np.ndarray  # [N, K] float32
    uncertainty: np.ndarray  # [N] float32
    features: np.ndarray  # [N, D] float16, float32 where that cannot hold them: read by t-SNE and the geometry only

    @property
    def free_uncertainty(self) -> np.ndarray:
        """1 - max softmax [N] of the same logits."""
        return (1 - calibration.softmax(self.logits).max(axis=1)).astype(np.float32)


@dataclass(frozen=True)
class EvaluationSplit:
    """A split to evaluate on: its images on the device, its labels on the host."""

    loader: Loader
    labels: np.ndarray
    soft_labels: np.ndarray | None = None

    def metrics(self, outputs: Outputs) -> dict[str, float | None]:
        """All metrics of `outputs` on this split."""
        return scores.of_split(outputs.logits, outputs.uncertainty, self.labels, self.soft_labels)


class Evaluator:
    """Runs `method.predict` over splits; `seed` fixes methods that draw at test time."""

    def __init__(self, method: Method, pipeline: Pipeline, precision: Precision, seed: int) -> None:
        self.method, self.pipeline, self.precision, self.seed = method, pipeline, precision, seed

    def predict(self, loader: Loader, view: View) -> Outputs:
        """Predictions for every image. Ten crops are averaged: logits as in FER2013's public setting, and likewise
        uncertainty and features. Raises ValueError where the features alone are not finite: no report could read them.
        """
        found = self.predict_batches((raw for raw, _ in loader.batches(torch.arange(len(loader)), batch(view))), view)
        if np.isfinite(found.logits).all() and not np.isfinite(found.features).all():
            raise ValueError("predict: the features are not finite numbers")
        return found

    @torch.inference_mode()
    def predict_batches(self, batches: Iterable[Tensor], view: View) -> Outputs:
        """Predictions for batches of at least one image, [B, C, H, W] uint8 on the device, of `batch(view)` each."""
        self.method.eval()
        torch.manual_seed(self.seed)
        parts = [self._ten_crop(raw) if view == "ten_crop" else self._one(self.pipeline.test(raw)) for raw in batches]
        return Outputs(
            logits=_join([p.logits for p in parts], np.float32),
            uncertainty=_join([p.uncertainty for p in parts], np.float32),
            features=_half(_join([p.features for p in parts], np.float32)),
        )

    def _one(self, images: Tensor) -> Prediction:
        with self.precision.autocast():
            return self.method.predict(images.contiguous(memory_format=torch.channels_last))

    def _ten_crop(self, raw: Tensor) -> Prediction:
        crops = self.pipeline.ten_crop(raw)  # [10, B, C, h, w]
        prediction = self._one(crops.flatten(0, 1))

        def mean(values: Tensor) -> Tensor:
            return values.float().unflatten(0, crops.shape[:2]).mean(dim=0)

        return Prediction(mean(prediction.logits), mean(prediction.uncertainty), mean(prediction.features))


def _half(values: np.ndarray) -> np.ndarray:
    """The values as float16; as they are where one is beyond its range, which would be infinite then."""
    return values.astype(np.float16) if np.abs(values).max(initial=0) <= np.finfo(np.float16).max else values


def _join(parts: list[Tensor], dtype: type[np.floating]) -> np.ndarray:
    return torch.cat([part.float() for part in parts]).cpu().numpy().astype(dtype)
