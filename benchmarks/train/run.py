"""One run, from its spec to its record."""

from __future__ import annotations

import csv
import logging
import resource
import time
import traceback
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from benchmarks.metrics import label_errors
from benchmarks.plan.plugins import load_plugins
from benchmarks.plan.spec import RunSpec
from benchmarks.store.heartbeat import Progress
from benchmarks.store.lease import Lease, Superseded
from benchmarks.store.record import Record
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store
from benchmarks.train import checkpoint
from benchmarks.train import figure2 as mixing
from benchmarks.train.build import adopt_members, assemble, build_method, label_noise, load_pretrained
from benchmarks.train.context import RunContext
from benchmarks.train.evaluate import Evaluator, Outputs
from benchmarks.train.seeding import seed_for
from benchmarks.train.trainer import State, Trainer
from common.errors import UserError
from datasets.base import Splits
from datasets.noise import NoisyLabels

log = logging.getLogger(__name__)

EXAMPLES = 8  # most and least uncertain test images kept for the report (paper figure 4)


def execute(spec: RunSpec, context: RunContext, held: Lease | None = None) -> bool:
    """Do one run, or go on with it. True: its record is there. False: it failed, the reason is in `failure.json`.

    Raises Superseded where somebody else has taken the run over from the lease `held`.
    """
    folder = Store(context.runs).run(spec, held)
    try:
        with folder.writing(folder.spec) as file:
            file.write(spec.model_dump_json(indent=1))
        _execute(spec, context, folder)
    except Superseded:
        raise
    except Exception as error:
        text = traceback.format_exc()
        log.error("%s", text)
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        try:
            folder.write_failure(reason, text, context.launch)
        except OSError as also:  # a full or read-only disk: the log, if that, and the launcher say so
            log.error("the failure itself could not be written: %s", also)
        return False
    return True


def _execute(spec: RunSpec, context: RunContext, folder: RunFolder) -> None:
    started = time.perf_counter()
    load_plugins(context.plugins)
    torch.set_num_threads(context.threads)
    device = torch.device(context.device)
    if context.memory_share is not None:
        torch.cuda.set_per_process_memory_fraction(context.memory_share, device)
    splits = context.sources.dataset(spec.dataset).load(spec.recipe.image_size)
    noisy = label_noise(spec, splits.train, context.sources)
    method = build_method(spec, splits.train)
    if spec.members:
        adopt_members(method, spec, Store(context.runs), lambda member: build_method(member, splits.train))
    else:
        load_pretrained(method, spec, context.weights)
    ready = assemble(spec, method, splits, noisy.labels, device)
    method, pipeline, data, precision = ready.method, ready.pipeline, ready.data, ready.precision
    if spec.members:  # nothing to train: all of it is the last epoch
        Progress(folder.progress, spec.recipe.epochs, 1, len(data.train)).beat(spec.recipe.epochs, 0, now=True)
        evaluator = Evaluator(method, pipeline, precision, seed_for(spec.seed, "evaluation"))
        state, labels = State(spec.recipe.epochs), noisy.labels
    else:
        trainer = Trainer(spec, method, pipeline, data, precision, folder)
        evaluator, state, labels = trainer.evaluator, trainer.run(), trainer.labels.cpu().numpy()

    test = evaluator.predict(data.test.loader, spec.recipe.test_view)
    train = evaluator.predict(data.train, "single")
    arrays = _arrays(test, train, splits, noisy, labels)
    if data.validation is not None:
        validation = evaluator.predict(data.validation.loader, spec.recipe.test_view)
        arrays |= {"validation_logits": validation.logits, "validation_uncertainty": validation.uncertainty}
        arrays["validation_labels"] = data.validation.labels
    arrays |= mixing.figure2(method, pipeline, data.test, test)
    last = {
        "epoch": state.epoch,
        **data.test.metrics(test),
        **label_errors.of_training_labels(arrays),
    }
    with folder.writing(folder.history) as file:
        columns = list(dict.fromkeys(["epoch", *(key for row in state.history for key in row)]))
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(state.history)
    with folder.writing(folder.predictions, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    if not spec.members:  # whose own checkpoints hold the weights already
        final = {"run_id": spec.run_id, "epoch": state.epoch, "method": method.state_dict()}
        checkpoint.finish(folder, final)
    folder.write_record(
        Record(
            run_id=spec.run_id,
            spec=spec,
            metrics={"last": last, "best_on_test": None, "best_on_validation": None, **state.best},
            noise={
                "kind": spec.noise.kind,
                "requested": spec.noise.ratio,
                "realised": noisy.ratio,
                "flipped": int(noisy.mask.sum()),
            },
            relabelling=[_relabel_row(row) for row in state.history if row["relabelled"]],
            timing=_timing(state, len(data.train), time.perf_counter() - started, device),
            provenance={
                **context.provenance,
                "device": device_name(device),
                "precision": precision.name,
                "compiled": ready.compiled,
                "threads": context.threads,
                "data": {
                    "train": splits.train.fingerprint,
                    "test": splits.test.fingerprint,
                    "sizes": [len(splits.train), len(splits.test)],
                    "classes": list(splits.train.class_names),
                    "notes": list(splits.notes),
                },
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "parameters": sum(p.numel() for p in method.parameters()),
            },
        )
    )


def device_name(device: torch.device) -> str:
    """The device as records name it: the GPU's name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _arrays(
    test: Outputs, train: Outputs, splits: Splits, noisy: NoisyLabels, labels_last: np.ndarray
) -> dict[str, np.ndarray]:
    """What `predictions.npz` holds: enough for any metric or figure without training again."""
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
        "train_labels_last": labels_last,
    }
    extremes = test.uncertainty.argsort(kind="stable")
    index = np.unique(np.concatenate([extremes[:EXAMPLES], extremes[-EXAMPLES:]]))
    arrays |= {"example_index": index, "example_images": np.asarray(splits.test.images[index])}
    if splits.test.soft_labels is not None:
        arrays["test_soft_labels"] = splits.test.soft_labels
    return arrays


def _relabel_row(row: dict[str, Any]) -> dict[str, Any]:
    keys = ("epoch", "relabelled", "relabel_precision", "relabel_recall", "label_accuracy")
    return {key: row[key] for key in keys}


def _timing(state: State, images: int, seconds: float, device: torch.device) -> dict[str, float | None]:
    train = sum(row["train_seconds"] for row in state.history)
    evaluation = sum(row["evaluation_seconds"] for row in state.history)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "seconds": max(seconds, train + evaluation),  # a resumed run counts its earlier epochs too
        "train_seconds": train,
        "evaluation_seconds": evaluation,
        "images_per_second": images * len(state.history) / train if train else None,
        "peak_memory_mib": peak,
        "peak_device_memory_mib": torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None,
    }
