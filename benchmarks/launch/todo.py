"""Which runs of a request are finished, which are to do, and what the user should know before they start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.plan.grid import MSCELEB
from benchmarks.plan.spec import RunSpec
from benchmarks.store.record import Record
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store


@dataclass(frozen=True)
class Todo:
    """The runs of a request in the order they start, split by what is there already. `remarks` are for the user."""

    todo: tuple[RunSpec, ...]
    done: tuple[RunSpec, ...]
    partial: tuple[RunSpec, ...]  # of `todo`: have a checkpoint to go on from
    remarks: tuple[str, ...] = field(default=())


Made = tuple[Mapping[tuple[str, int | None], tuple[str, str]], Mapping[str, str]]


def make_todo(specs: Sequence[RunSpec], store: Store, *, force: bool = False, here: Made = ({}, {})) -> Todo:
    """Split runs into finished ones and those to do. `force` does finished ones again (the old ones are set aside).

    here: what finished runs should have been made with, (data set, image size) -> fingerprints of training and test
    split, and plug-in -> sha256; those that were not are remarked on.
    """
    folders = {spec.run_id: store.run(spec) for spec in specs}
    done: set[str] = set()
    others: dict[str, list[RunSpec]] = {}
    for spec in specs if not force else ():
        record = folders[spec.run_id].finished()
        if record is not None:
            done.add(spec.run_id)
            for what in _other_than(here, spec, record):
                others.setdefault(what, []).append(spec)
    todo = tuple(spec for spec in specs if spec.run_id not in done)
    remarks = [
        f"{len(runs)} finished runs ({runs[0]}{' ...' if len(runs) > 1 else ''}) were made with {what} than is here "
        "now; --force does them again"
        for what, runs in others.items()
    ]
    return Todo(
        todo=todo,
        done=tuple(spec for spec in specs if spec.run_id in done),
        partial=tuple(spec for spec in todo if not force and folders[spec.run_id].resumable()),
        remarks=(*remarks, *_remarks(specs, (folders[spec.run_id] for spec in todo))),
    )


def _other_than(here: Made, spec: RunSpec, record: Record) -> Iterator[str]:
    """What of a finished run's making has changed since: its numbers are not those of what is here now."""
    data, plugins = here
    known = record.provenance.get("data") or {}
    now = data.get((spec.dataset, spec.recipe.image_size))
    if now and spec.fold is None and known.get("train") and (known.get("train"), known.get("test")) != now:
        yield f"other data of {spec.dataset}"
    for name, digest in (record.provenance.get("plugins") or {}).items():
        if plugins.get(name, digest) != digest:
            yield f"another plug-in {name}"


def _remarks(specs: Sequence[RunSpec], folders: Iterable[RunFolder]) -> Iterable[str]:
    """What the user should know before the runs start."""
    for dataset in dict.fromkeys(
        spec.dataset for spec in specs if spec.recipe.pretrained == "msceleb" and not spec.weights
    ):
        yield (
            f"{dataset}: the paper starts from a ResNet-18 pretrained on MS-Celeb-1M; without {MSCELEB} under the data "
            "folder or --weights FILE these runs start from scratch and are not comparable with the published numbers; "
            "--weights imagenet, torchvision's, is nearer to the paper's condition and not it either"
        )
    if count := sum(spec.noise_seed is not None for spec in specs):
        yield f"{count} of the runs are members of ensembles, beyond the seeds asked for"
    late = {
        spec.method: spec.config["relabel"]["epoch"]
        for spec in specs
        if spec.config["relabel"]["enabled"] and spec.config["relabel"]["epoch"] > spec.recipe.epochs
    }
    for method, epoch in late.items():
        yield f"{method}: relabelling never begins (epoch {epoch}); --set {method}.relabel.epoch=N changes that"
    for folder in folders:
        if (status := folder.status()).state == "corrupt":
            yield f"{folder.path}: {status.detail}; the old file is kept aside and the run done again"
