"""Many runs on a SLURM cluster: a job array through submitit, followed by the files that the runs leave."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from itertools import islice
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from benchmarks.launch import estimate, scheduler
from benchmarks.launch.environment import MALLOC
from benchmarks.launch.journal import Launch
from benchmarks.launch.run_queue import RunsOutcome, Watch
from benchmarks.launch.slurm import packing
from benchmarks.launch.slurm.job import Task
from benchmarks.launch.slurm.settings import SlurmSettings
from benchmarks.launch.status import RunsStatus
from benchmarks.plan.spec import RunSpec
from benchmarks.store.heartbeat import duration
from benchmarks.store.provenance import CHECKOUT
from benchmarks.store.run_folder import RunFolder
from benchmarks.train.context import RunContext
from common.errors import UserError
from common.text import printable

LOOK_SECONDS = 2.0
GONE_SECONDS = 15.0  # a run whose job has left the queue is given so long for its files to show
ENDLESS = 10**6  # submitit's own count of tries is by the clock; ours is by epochs (RunContext.tries)
MOST_SAID = 500  # characters of what sbatch said
KEPT = ("UNCERTAINTY_BENCH_CACHE", "UNCERTAINTY_BENCH_DEAD_SECONDS")


class SlurmJobs:
    """Does runs as SLURM jobs: the same `announce` and `run` as LocalPool."""

    def __init__(
        self, context: RunContext, settings: SlurmSettings, launch: Launch, *, device: str, jobs: int | None, wait: bool
    ) -> None:
        """`jobs`: runs at once in a job, None for as many as its GPUs or cores."""
        if not scheduler.available():
            raise UserError("--slurm: this machine cannot submit jobs (sbatch, srun, squeue, scancel, scontrol)")
        self.context, self.settings, self.launch, self.wait = context, settings, launch, wait
        self.device, self.jobs = device, jobs
        self.at_once = jobs or settings.gpus or max(1, settings.cpus_per_task // context.threads)
        self.tasks: list[tuple[RunSpec, ...]] = []
        self.minutes = 0
        _printable(self.launch.folder(context.runs))

    def estimate(self, specs: Sequence[RunSpec], splits: estimate.LoadedSplits) -> list[float]:
        """Seconds of each run by itself, on nodes that cannot be asked."""
        gpu, unknown = self.settings.gpus > 0, packing.UNKNOWN_SECONDS
        return [*estimate.each_elsewhere(specs, self.context, splits, gpu=gpu, unknown=unknown).values()]

    def announce(self, specs: Sequence[RunSpec], seconds: Sequence[float]) -> str:
        """Pack the runs into jobs; what `run` is going to do."""
        took = {spec.run_id: one for spec, one in zip(specs, seconds, strict=True)}
        self.tasks = packing.pack(specs, took, self.at_once, self.settings.runs_per_job)
        asked, limit = self.settings.time, scheduler.time_limit(self.settings.partition)
        self.minutes = asked or min(packing.time_limit(self.tasks, took, self.at_once), limit or sys.maxsize)
        if self.settings.grace >= 60 * self.minutes:
            raise UserError(
                f"--grace {self.settings.grace}: must be less than a job's time limit (--time), {60 * self.minutes} s"
            )
        largest = max(len(task) for task in self.tasks)
        held = f", up to {largest} runs each" if largest > 1 else ""
        return (
            f"{len(self.tasks)} jobs for SLURM{held}, {duration(60 * self.minutes)} each at most"
            f" (estimated work: {duration(sum(seconds))}); what is longer goes on after a requeue"
        )

    def preview(self) -> str:
        """The script that sbatch is given."""
        executor = self._executor(0)
        if len(self.tasks) > 1:
            executor.parameters["map_count"] = len(self.tasks)
        return executor._make_submission_file_text(executor._submitit_command_str, "")

    def run(self, specs: Sequence[RunSpec], watch: Watch) -> RunsOutcome | None:
        """Submit what was announced and, if asked to, follow all of `specs` to their end; otherwise None."""
        if self.tasks:
            self._submit()
            print(f"submitted {len(self.tasks)} jobs: {', '.join(self.launch.jobs)}", flush=True)
        return self._follow(specs, watch) if self.wait else None

    def _submit(self) -> None:
        size = scheduler.largest_array()
        tasks = iter(self.tasks)
        chunks = list(iter(lambda: list(islice(tasks, size)), []))
        ids = tuple(tuple(tuple(spec.run_id for spec in task) for task in chunk) for chunk in chunks)
        specs = tuple(spec for task in self.tasks for spec in task)
        redo = {spec.run_id: self.context.redo[spec.run_id] for spec in specs if spec.run_id in self.context.redo}
        self.launch = self.launch.model_copy(update={"arrays": ids, "specs": specs, "redo": redo})
        self.launch.save(self.context.runs)
        # Inside a job, its own variables would be taken for the new job's.
        own = [key for key in os.environ if key.startswith("SLURM_") and key != "SLURM_CONF"]
        inherited = {key: os.environ.pop(key) for key in own}
        try:
            for number, chunk in enumerate(chunks):
                # Cores may be others' too, where the cluster does not confine jobs; GPUs are looked at on the node.
                jobs = self.jobs if self.settings.gpus else self.at_once
                work = [Task(task, self.context, self.device, jobs, self.settings.grace) for task in chunk]
                with redirect_stderr(io.StringIO()):  # where submitit prints what sbatch says, as it stands
                    first = self._executor(number).submit_array(work)[0]
                self.launch = self.launch.model_copy(
                    update={"jobs": (*self.launch.jobs, first.job_id.partition("_")[0])}
                )
                self.launch.save(self.context.runs)
        except (FailedJobError, FailedSubmissionError) as error:
            raise UserError(f"SLURM refused the job: {_said(error)}{self._withdraw()}") from None
        finally:
            os.environ |= inherited

    def _withdraw(self) -> str:
        """Forget the array that sbatch named no job for; what to say of it. SLURM may have queued it all the same, as
        after a timeout: such a job lacks what it is to do, and is cancelled."""
        runs, submitted = self.context.runs, self.launch.jobs
        queue = scheduler.tasks([self.launch.job_name(len(submitted))])
        jobs = sorted({task.array_job for task in (queue or {}).values()})
        if queue is None or not scheduler.cancel(jobs):
            told = "it may be queued all the same, and SLURM does not answer now"
            return f"; {told}: `python bench.py cancel --runs {shlex.quote(str(runs))}` stops it"
        if submitted:
            self.launch.model_copy(update={"arrays": self.launch.arrays[: len(submitted)]}).save(runs)
        else:
            self.launch.forget(runs)
        cancelled = f"; it was queued all the same, as {', '.join(jobs)}: cancelled, try again" if jobs else ""
        return cancelled + (f"; what was submitted before it goes on: {', '.join(submitted)}" if submitted else "")

    def _follow(self, specs: Sequence[RunSpec], watch: Watch) -> RunsOutcome:
        """The runs' states from their files, and from the queue for those that have left none, until none is open."""
        outcome, survey = RunsOutcome(), RunsStatus(self.context.runs)
        open_runs = {spec.run_id: spec for spec in specs}
        gone: dict[str, float] = {}
        while open_runs:
            started = time.monotonic()
            running = []
            for run_id, state in survey.look(open_runs.values()).items():
                spec, again = open_runs[run_id], self.context.redo.get(run_id)
                if state.state == "done" and (again is None or RunFolder(state.path).done(again)):
                    outcome.done.append(open_runs.pop(run_id))
                elif state.state == "running":
                    running.append(spec)
                elif state.state in ("failed", "stale", "absent", "corrupt", "done"):
                    if started - gone.setdefault(run_id, started) < GONE_SECONDS and not state.final:
                        continue
                    outcome.fail(open_runs.pop(run_id), state.detail)
                    continue
                gone.pop(run_id, None)
            watch(running, outcome)
            if open_runs:  # a slow file server is asked less often
                time.sleep(max(LOOK_SECONDS, 3 * (time.monotonic() - started)))
        return outcome

    def _executor(self, array: int) -> submitit.SlurmExecutor:
        settings = self.settings
        own = {"partition", "account", "qos", "mem", "constraint", "cpus_per_task", "array_parallelism"}
        known = {key: value for key, value in settings.model_dump(include=own).items() if value is not None}
        gpus = {"gpus_per_node": settings.gpus_per_node} if settings.gpus_per_node != "0" else {}
        options = dict(settings.set)
        setup = options.pop("setup", [])
        valid = submitit.SlurmExecutor._valid_parameters()
        given: dict[str, Any] = {key: options.pop(key) for key in list(options) if key in valid}
        given["additional_parameters"] = {**options, "requeue": True}
        executor = submitit.SlurmExecutor(self.launch.folder(self.context.runs), max_num_timeout=ENDLESS)
        executor.update_parameters(
            **known,
            **gpus,
            **given,
            job_name=self.launch.job_name(array),
            time=self.minutes,
            signal_delay_s=settings.grace,
            stderr_to_stdout=True,
            setup=[*setup, *_environment()],
        )
        return executor


def _environment() -> list[str]:
    """Lines that let a job find this checkout whatever folder it starts in, and nothing of that folder."""
    path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
    kept = {key: os.environ[key] for key in KEPT if key in os.environ}
    values = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", **MALLOC, **kept}
    return [f"export {key}={shlex.quote(value)}" for key, value in values.items()]


def _printable(folder: Path) -> None:
    """Raise UserError for a path that sbatch would read as something else."""
    bad = next((char for char in str(folder) if char in "%\\" or not char.isprintable()), None)
    if bad:
        raise UserError(f"--runs {folder.parent.parent}: a log file's name on SLURM cannot hold {bad!r}")


def _said(error: Exception) -> str:
    """What sbatch said, in one line. submitit has it in the cause of its error, or has added to it."""
    cause, text = error.__cause__, str(error)
    if isinstance(error, FailedSubmissionError):
        output = text.partition("sbatch output ")[2].partition("\nJob instance")[0]
        text = f"sbatch named no job, but said {output or text}"
    if isinstance(cause, subprocess.CalledProcessError):
        text = cause.stderr or cause.stdout or f"sbatch ended with exit code {cause.returncode} and said nothing"
    elif isinstance(cause, UnicodeDecodeError):
        text = cause.object.decode(errors="replace")
    lines = [line.strip().removeprefix("sbatch: ").removeprefix("error: ") for line in text.splitlines()]
    return printable("; ".join(filter(None, lines)))[:MOST_SAID]
