"""Which runs of a request are finished, which are to do, and what the user should know before they start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.plan.grid import MSCELEB
from benchmarks.plan.spec import RunSpec
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store


@dataclass(frozen=True)
class Todo:
    """The runs of a request in the order they start, split by what is there already. `remarks` are for the user."""

    todo: tuple[RunSpec, ...]
    done: tuple[RunSpec, ...]
    partial: tuple[RunSpec, ...]  # of `todo`: have a checkpoint to go on from
    remarks: tuple[str, ...] = field(default=())


def make_todo(specs: Sequence[RunSpec], store: Store, *, force: bool = False) -> Todo:
    """Split runs into finished ones and those to do. `force` does finished ones again (the old ones are set aside)."""
    folders = {spec.run_id: store.run(spec) for spec in specs}
    done = set() if force else {spec.run_id for spec in specs if folders[spec.run_id].done()}
    todo = tuple(spec for spec in specs if spec.run_id not in done)
    return Todo(
        todo=todo,
        done=tuple(spec for spec in specs if spec.run_id in done),
        partial=tuple(spec for spec in todo if not force and folders[spec.run_id].resumable()),
        remarks=tuple(_remarks(specs, (folders[spec.run_id] for spec in todo))),
    )


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
