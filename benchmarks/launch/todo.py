"""Which runs of a request are finished, which are to do, and what the user should know before they start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


Fingerprints = tuple[str, str]  # of training and test split
Made = tuple[Mapping[tuple[str, int | None], Fingerprints], Mapping[str, str]]


def make_todo(
    specs: Sequence[RunSpec],
    store: Store,
    *,
    force: bool = False,
    here: Made = ({}, {}),
    of_fold: Callable[[RunSpec], Fingerprints] | None = None,
) -> Todo:
    """Split runs into finished ones and those to do. `force` does finished ones again (the old ones are set aside).

    here: what finished runs should have been made with, (data set, image size) -> fingerprints, and plug-in -> sha256;
    those that were not are remarked on. of_fold: the fingerprints that a run with a fold should have, which are those
    of its own parts; asked for finished ones alone, since it reads all images.
    """
    folders = {spec.run_id: store.run(spec) for spec in specs}
    done: set[str] = set()
    others: dict[str, list[RunSpec]] = {}
    for spec in specs if not force else ():
        record = folders[spec.run_id].finished()
        if record is not None:
            done.add(spec.run_id)
            for what in (*_other_data(here[0], of_fold, spec, record), *_other_plugins(here[1], record)):
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


def _other_data(
    whole: Mapping[tuple[str, int | None], Fingerprints],
    of_fold: Callable[[RunSpec], Fingerprints] | None,
    spec: RunSpec,
    record: Record,
) -> Iterator[str]:
    """The data that a finished run was made with, where they have changed since."""
    known = record.provenance.get("data") or {}
    if not known.get("train"):
        return
    if spec.fold is None:
        now = whole.get((spec.dataset, spec.recipe.image_size))
    else:
        now = of_fold(spec) if of_fold else None
    if now and (known.get("train"), known.get("test")) != now:
        yield f"other data of {spec.dataset}"


def _other_plugins(plugins: Mapping[str, str], record: Record) -> Iterator[str]:
    """The plug-ins that a finished run was made with and that have changed since."""
    made = record.provenance.get("plugins") or {}
    if not {*plugins.values()} <= {*made.values()}:  # else none is other than it was: one more or less, or renamed
        yield from (f"another plug-in {name}" for name, digest in made.items() if digest not in plugins.values())


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
