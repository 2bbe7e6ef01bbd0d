"""What a run leaves behind: history, predictions, weights and, last of all, its record."""

from __future__ import annotations

import csv
import resource
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from benchmarks.metrics import label_errors
from benchmarks.plan.spec import RunSpec
from benchmarks.store.record import Record
from benchmarks.store.run_folder import RunFolder
from benchmarks.train import final_weights
from benchmarks.train.build import Assembled
from benchmarks.train.context import RunContext
from benchmarks.train.figure2 import figure2
from benchmarks.train.step.precision import device_name
from benchmarks.train.trainer import Fitted
from common.text import printable
from datasets.base import Splits
from datasets.noise import NoisyLabels

EXAMPLES = 8  # most and least uncertain test images kept for the report (paper figure 4)


def write(
    spec: RunSpec,
    context: RunContext,
    folder: RunFolder,
    splits: Splits,
    noisy: NoisyLabels,
    ready: Assembled,
    fitted: Fitted,
    started: float,
) -> None:
    """Evaluate what is not evaluated yet and write everything. started: `time.perf_counter()` as the run began."""
    arrays = _arrays(ready, fitted, splits, noisy)
    last = {
        "epoch": spec.recipe.epochs,
        **ready.data.test.metrics(fitted.test),
        **label_errors.of_training_labels(arrays),
        **label_errors.of_relabelling(noisy.labels, splits.train.labels, fitted.labels),
    }
    _write_history(folder, fitted)
    with folder.writing(folder.predictions, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    if not spec.members:  # whose own folders hold the weights already
        final_weights.save(folder, spec.run_id, ready.method)
    folder.write_record(
        Record(
            run_id=spec.run_id,
            spec=spec,
            metrics={"last": last, "best_on_test": None, "best_on_validation": None, **fitted.best},
            noise={
                "kind": spec.noise.kind,
                "requested": spec.noise.ratio,
                "realised": noisy.ratio,
                "flipped": int(noisy.mask.sum()),
            },
            relabelling=[_relabel_row(row) for row in fitted.history if row["relabelled"]],
            timing=_timing(fitted, len(splits.train), time.perf_counter() - started, ready.precision.device),
            provenance=_provenance(context, splits, noisy, ready, fitted),
        )
    )


def _provenance(
    context: RunContext, splits: Splits, noisy: NoisyLabels, ready: Assembled, fitted: Fitted
) -> dict[str, Any]:
    return {
        **context.provenance,
        "device": device_name(ready.precision.device),
        "precision": ready.precision.name,
        "compiled": ready.compiled,
        "threads": context.threads,
        "data": {
            "train": splits.train.fingerprint,
            "test": splits.test.fingerprint,
            "sizes": [len(splits.train), len(splits.test)],
            "classes": list(splits.train.class_names),
            "notes": [*splits.notes, *noisy.notes],
        },
        "method_note": ready.method.note,
        "machines": list(fitted.machines),  # more than one: interrupted, and ended elsewhere or with other threads
        "commits": list(fitted.commits),  # more than one: interrupted, and ended by other code
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": sum(p.numel() for p in ready.method.parameters()),
    }


def _write_history(folder: RunFolder, fitted: Fitted) -> None:
    with folder.writing(folder.history) as file:
        columns = list(dict.fromkeys(["epoch", *(key for row in fitted.history for key in row)]))
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(fitted.history)


def _arrays(ready: Assembled, fitted: Fitted, splits: Splits, noisy: NoisyLabels) -> dict[str, np.ndarray]:
    """What `predictions.npz` holds: enough for any metric or figure without training again."""
    test, validation, train = fitted.test, fitted.validation, ready.evaluator.predict(ready.data.train, "single")
    arrays = {
        "test_logits": test.logits,
        "test_uncertainty": test.uncertainty,
        "test_features": test.features,
        "test_labels": splits.test.labels,
        "train_uncertainty": train.uncertainty,
        "train_free_uncertainty": train.free_uncertainty,
        **label_errors.probabilities(train.logits, noisy.labels),
        "train_given": noisy.labels,
        "train_clean": splits.train.labels,
        "train_flipped": noisy.mask,
        "train_labels_last": fitted.labels,
    }
    if validation is not None and splits.validation is not None:
        arrays |= {"validation_logits": validation.logits, "validation_uncertainty": validation.uncertainty}
        arrays["validation_labels"] = splits.validation.labels
    # The rows' files, as the data set's own lists name them.
    named = {f"{name}_files": part.names for name, part in splits.parts() if part.names is not None}
    arrays |= {name: np.array([printable(file) for file in files.tolist()]) for name, files in named.items()}
    extremes = test.uncertainty.argsort(kind="stable")
    index = np.unique(np.concatenate([extremes[:EXAMPLES], extremes[-EXAMPLES:]]))
    arrays |= {"example_index": index, "example_images": np.asarray(splits.test.images[index])}
    if splits.test.soft_labels is not None:
        arrays["test_soft_labels"] = splits.test.soft_labels
    return arrays | figure2(ready.method, ready.pipeline, ready.data.test, test)


def _relabel_row(row: dict[str, Any]) -> dict[str, Any]:
    keys = ("epoch", "relabelled", "relabel_precision", "relabel_recall", "label_accuracy")
    return {key: row[key] for key in keys}


def _timing(fitted: Fitted, images: int, seconds: float, device: torch.device) -> dict[str, float | None]:
    train = sum(row["train_seconds"] for row in fitted.history)
    evaluation = sum(row["evaluation_seconds"] for row in fitted.history)
    loads = [row["load"] for row in fitted.history if row.get("load") is not None]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "seconds": max(seconds, train + evaluation),  # a resumed run counts its earlier epochs too
        "train_seconds": train,
        "evaluation_seconds": evaluation,
        "images_per_second": images * len(fitted.history) / train if train else None,
        "load": float(np.median(loads)) if loads else None,
        "peak_memory_mib": peak,
        "peak_device_memory_mib": torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None,
    }
