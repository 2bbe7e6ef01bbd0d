"""Runs that a command does: from flags to a plan that is printed, launched, followed and summed up."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import joblib

from benchmarks.cli.progress_bar import ProgressBar
from benchmarks.cli.remarks import remarks
from benchmarks.cli.request import from_flags
from benchmarks.launch.concurrency import capacity
from benchmarks.launch.devices import devices, parts
from benchmarks.launch.estimate import LoadedSplits
from benchmarks.launch.journal import Journal, Launch
from benchmarks.launch.pool import LocalPool
from benchmarks.launch.run_queue import RunsOutcome, Watch
from benchmarks.launch.slurm.settings import SlurmSettings
from benchmarks.launch.status import RunsStatus
from benchmarks.launch.todo import Todo, make_todo
from benchmarks.plan import grid as plan
from benchmarks.plan.paths import Sources
from benchmarks.plan.plugins import digests, load_plugins
from benchmarks.plan.spec import RunSpec
from benchmarks.store import lease
from benchmarks.store.heartbeat import duration
from benchmarks.store.provenance import collect
from benchmarks.store.runs import Store
from benchmarks.train import curves
from benchmarks.train.build import check_fit
from benchmarks.train.context import RunContext
from benchmarks.train.folds import fingerprints
from common.errors import UserError
from common.text import printable
from datasets.cache.digests import leaving_nothing


def leaving(dry_run: bool) -> AbstractContextManager[None]:
    """Within it a dry run leaves nothing behind, also none of the data sets that it decodes."""
    return leaving_nothing() if dry_run else nullcontext()


class Executor(Protocol):
    """Where runs are done: the one place in which this machine and a cluster differ."""

    def estimate(self, specs: Sequence[RunSpec], splits: LoadedSplits) -> list[float]:
        """Seconds of each run by itself."""

    def announce(self, specs: Sequence[RunSpec], seconds: Sequence[float]) -> str:
        """What `run` is going to do, for the user to read."""

    def preview(self) -> str:
        """What a dry run shows beside the runs."""

    def run(self, specs: Sequence[RunSpec], watch: Watch) -> RunsOutcome | None:
        """Do the runs; None where they are submitted and nobody waits for them."""


@dataclass(frozen=True)
class Session:
    """One `run` or `retry` command, validated."""

    specs: Sequence[RunSpec]
    context: RunContext
    launch: Launch
    device: str
    jobs: int | None  # at once; None: as many as the machine, or a job's part of one, carries
    slurm: SlurmSettings | None
    wait: bool
    dry_run: bool
    force: bool
    published: Sequence[RunSpec] = ()  # by the paper's schedule, where the lack of a GPU has decided for another
    loaded: LoadedSplits = field(default_factory=dict)  # of its data sets, those that the command has loaded already

    @classmethod
    def from_flags(cls, flags: argparse.Namespace) -> Session:
        """Validate every flag of `run`. Raises UserError; nothing is written."""
        load_plugins(flags.plugin)
        request = from_flags(flags)
        with leaving(flags.dry_run):
            sources = request.sources(flags.data.resolve())
        weights = plan.weights_file(flags.data, flags.weights)
        specs = plan.resolve(request, sources, flags.weights)
        session = cls.of(flags, specs, sources, weights)
        if request.recipe or request.real_recipe == "paper":
            return session
        published = plan.resolve(replace(request, real_recipe="paper"), sources, flags.weights)
        changed = {spec.run_id for spec in specs}
        return replace(session, published=[spec for spec in published if spec.run_id not in changed])

    @classmethod
    def of(
        cls,
        flags: argparse.Namespace,
        specs: Sequence[RunSpec],
        sources: Sources,
        weights: Path | None,
        loaded: LoadedSplits | None = None,
    ) -> Session:
        """These runs, done as the flags say. Raises UserError."""
        slurm = SlurmSettings.from_flags(flags)  # also without --slurm: a value that is not valid is named
        if not flags.slurm and (unused := _only_on_slurm(flags)):
            raise UserError(f"{unused}: only with --slurm; runs on this machine are followed anyway")
        if flags.log:
            curves.check()
        lease.patience()  # of a variable, which is read again when the runs start
        plugins = tuple(path.resolve() for path in flags.plugin)
        launch = Launch(
            command=printable(shlex.join(sys.argv)),
            data=sources.data,
            typed=dict(sources.typed),
            weights=weights,
            plugins=plugins,
            specs=tuple(specs),
        )
        context = RunContext(
            runs=flags.runs.resolve(),
            sources=sources,
            device="cpu" if flags.slurm else devices(flags.device)[0],
            threads=flags.threads,
            weights=weights,
            plugins=plugins,
            launch=launch.id,
            tries=flags.tries,
            log=flags.log,
            provenance={**collect(), "plugins": digests(flags.plugin)},
        )
        return cls(
            specs=specs,
            context=context,
            launch=launch,
            device=flags.device,
            jobs=flags.jobs,
            slurm=slurm if flags.slurm else None,
            wait=flags.wait,
            dry_run=flags.dry_run,
            force=getattr(flags, "force", False),
            loaded=loaded or {},
        )

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets of its runs."""
        return tuple(dict.fromkeys(spec.dataset for spec in self.specs))

    def run(self) -> int | None:
        """Print the plan, do it, sum it up. Returns the exit code: 0 all done, 1 some run failed, 130 interrupted; None
        where there is nothing to report on yet (a dry run; jobs that nobody waits for)."""
        if not self.specs:
            print("no run has failed or gone stale")
            return None
        with leaving(self.dry_run):
            return self._run()

    def _run(self) -> int | None:
        store = Store(self.context.runs)
        splits = self._load_data()
        check_fit(self.specs, splits)
        data = {key: (part.train.fingerprint, part.test.fingerprint) for key, part in splits.items()}
        here = (data, self.context.provenance["plugins"])
        of_fold = fingerprints(splits, self.context.sources)
        todo = make_todo(self.specs, store, force=self.force, here=here, of_fold=of_fold)
        redo = {spec.run_id: mark for spec in todo.todo if self.force and (mark := store.run(spec).fingerprint())}
        executor = self._executor(todo.todo, replace(self.context, redo=redo))
        new = self._unqueued(todo.todo)
        if self.published and new:
            print(self._default_recipe(executor, new, splits))
        notes = remarks(self.specs, new, splits, self.context, self.jobs or joblib.cpu_count())
        self._print(todo, len(todo.todo) - len(new), [*todo.remarks, *notes])
        if new:
            print(executor.announce(new, executor.estimate(new, splits)), flush=True)
        if self.dry_run:
            print(executor.preview() if new else "", end="")
            return None
        for spec in todo.done:
            store.run(spec).tidy()
        if not todo.todo:
            return 0
        Journal(self.context.runs).prune()
        if new:
            self.launch.model_copy(update={"specs": tuple(new), "redo": redo}).save(self.context.runs)
        try:
            with ProgressBar(store, todo.todo) as view:
                outcome = executor.run(todo.todo, view)
        except KeyboardInterrupt:
            print(f"\ninterrupted; {self._afterwards()}")
            return 130
        if outcome is None:
            print(self._afterwards())
            return None
        return self._sum_up(outcome, store)

    def _executor(self, todo: Sequence[RunSpec], context: RunContext) -> Executor:
        if self.slurm:
            from benchmarks.launch.slurm.executor import SlurmJobs

            return SlurmJobs(context, self.slurm, self.launch, device=self.device, jobs=self.jobs, wait=self.wait)
        spread = devices(self.device)
        room = capacity(self.jobs or parts(spread), todo, context, spread)
        return LocalPool(replace(context, memory_share=room.memory_share), room.jobs, spread)

    def _default_recipe(self, executor: Executor, new: Sequence[RunSpec], splits: LoadedSplits) -> str:
        """Which recipe is taken for lack of a GPU, and what either takes on this machine."""
        # Of the images only number and channels count: there is no need to decode them at the paper's size.
        of = {dataset: part for (dataset, _), part in splits.items()}
        paper = {(spec.dataset, spec.recipe.image_size): of[spec.dataset] for spec in self.published}
        times = [sum(executor.estimate(specs, part)) for specs, part in ((new, splits), (self.published, paper))]
        jobs = self.jobs or joblib.cpu_count()
        ours, theirs = (duration(seconds / jobs) for seconds in times)
        return f"recipe compact, since there is no GPU: about {ours}; the paper's, --recipe paper: about {theirs}"

    def _unqueued(self, todo: Sequence[RunSpec]) -> list[RunSpec]:
        """The runs to start: on SLURM, those that no earlier job of this folder is going to do anyway."""
        if not self.slurm:
            return list(todo)
        states = RunsStatus(self.context.runs).look(todo)
        return [spec for spec in todo if states[spec.run_id].state not in ("queued", "running", "unknown")]

    def _afterwards(self) -> str:
        """What to do next, when the command ends before its runs do."""
        runs = f"--runs {shlex.quote(str(self.context.runs))}"
        if not self.slurm:
            return f"finished epochs are kept. To go on, give the same command again:\n  python {self.launch.command}"
        return (
            f"the jobs go on by themselves\n  look:    python bench.py status {runs}\n"
            f"  collect: python bench.py report {runs}\n  stop:    python bench.py cancel {runs}"
        )

    def _load_data(self) -> LoadedSplits:
        """Every data set once, here: one that is missing or damaged ends the command before anything runs, and the runs
        find the cache built."""
        wanted = dict.fromkeys((spec.dataset, spec.recipe.image_size) for spec in self.specs)
        return {key: self.loaded.get(key) or self.context.sources.dataset(key[0]).load(key[1]) for key in wanted}

    def _print(self, todo: Todo, queued: int, notes: Sequence[str]) -> None:
        print(f"{len(todo.todo)} runs to do, {len(todo.done)} finished already", end="")
        print(f", {len(todo.partial)} to go on from a checkpoint" if todo.partial else "", end="")
        print(f", {queued} queued or running already" if queued else "", flush=True)
        for note in notes:
            print(f"note: {note}")
        if self.dry_run:
            for spec in todo.todo:
                print(
                    f"  {spec}  {spec.recipe.name}, {spec.recipe.epochs} epochs, {spec.recipe.backbone}  {spec.folder}"
                )

    def _sum_up(self, outcome: RunsOutcome, store: Store) -> int:
        print(f"{len(outcome.done)} runs done, {len(outcome.failed)} failed; records under {store.root}")
        for spec in outcome.failed:
            print(f"failed: {spec}: {outcome.reasons[spec.run_id]}\n  log: {store.run(spec).log}", file=sys.stderr)
        return 1 if outcome.failed else 0


def _only_on_slurm(flags: argparse.Namespace) -> str:
    """The first flag that means nothing on this machine."""
    names = ("wait", *SlurmSettings.model_fields)
    given = (name for name in names if getattr(flags, "slurm_set" if name == "set" else name))
    name = next(given, "")
    return name and f"--{'slurm-set' if name == 'set' else name.replace('_', '-')}"
