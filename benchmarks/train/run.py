"""One run, from its spec to its record."""

from __future__ import annotations

import logging
import time
import traceback

import torch

from benchmarks.plan.plugins import load_plugins
from benchmarks.plan.spec import RunSpec
from benchmarks.store.heartbeat import Progress
from benchmarks.store.lease import Lease, Superseded
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store
from benchmarks.train import results
from benchmarks.train.build import Assembled, adopt_members, assemble, build_method, label_noise, load_pretrained
from benchmarks.train.context import RunContext
from benchmarks.train.folds import leave_out
from benchmarks.train.step.precision import device_name
from benchmarks.train.trainer import Code, Fitted, Trainer
from common.errors import UserError
from datasets.base import Splits
from methods.core.base import Method

log = logging.getLogger(__name__)


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
    splits, noisy = leave_out(spec, splits, noisy)
    ready = assemble(spec, _method(spec, context, splits), splits, noisy.labels, device)
    if spec.members:
        fitted = _adopted(spec, ready, folder)
    else:
        fitted = Trainer(spec, ready, folder, _code(context, splits), curves=context.log == "tensorboard").run()
    results.write(spec, context, folder, splits, noisy, ready, fitted, started)


def _code(context: RunContext, splits: Splits) -> Code:
    made, device = context.provenance, device_name(torch.device(context.device))
    machine = {"device": device, "threads": context.threads, "processor": made.get("processor")}
    data = tuple(part.fingerprint for _, part in splits.parts())
    return Code(data, made.get("plugins") or {}, made.get("commit"), machine)


def _method(spec: RunSpec, context: RunContext, splits: Splits) -> Method:
    """The method before its first step: initialised from the seed, pretrained, or made of its finished members."""
    method = build_method(spec, splits.train)
    if spec.members:
        adopt_members(method, spec, Store(context.runs), lambda member: build_method(member, splits.train))
    else:
        load_pretrained(method, spec, context.weights, splits.train.images.shape[3])
    return method


def _adopted(spec: RunSpec, ready: Assembled, folder: RunFolder) -> Fitted:
    """A method that its members have trained: all that is left is to look at it."""
    data, view, epochs = ready.data, spec.recipe.test_view, spec.recipe.epochs
    Progress(folder.progress, epochs, 1, len(data.train)).beat(epochs, 0, now=True)
    validation = None if data.validation is None else ready.evaluator.predict(data.validation.loader, view)
    return Fitted(ready.evaluator.predict(data.test.loader, view), validation, data.given)
