"""What SLURM says of jobs: asked by name, through its command-line tools. Torch-free; nothing goes through a shell."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.text import printable

ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class QueuedTask:
    """A job, or one task of a job array, that waits or runs. `job` is its number: 12 or 12_3."""

    job: str
    state: str  # PENDING, RUNNING, COMPLETING ...
    node: str
    reason: str

    @property
    def array_job(self) -> str:
        """The number of the array that it belongs to, or its own."""
        return self.job.partition("_")[0]


Queue = dict[tuple[str, int], QueuedTask]  # (job's name, index in its array) -> task


def available() -> bool:
    """Whether this machine can submit jobs."""
    return all(shutil.which(name) for name in ("sbatch", "srun", "squeue", "scancel", "scontrol"))


def tasks(names: Iterable[str]) -> Queue | None:
    """Everything in the queue that bears one of these job names.

    None: SLURM does not answer. What is missing from an answer has ended, or was cancelled.
    """
    names = list(names)
    if not names:
        return {}
    text = _ask("squeue", "--noheader", "--array", f"--name={','.join(names)}", "--format=%j|%F|%K|%T|%N|%r")
    if text is None:
        return None
    found = {}
    for line in text.splitlines():
        name, job, index, state, node, reason = (printable(line).split("|", 5) + 5 * [""])[:6]
        if name not in names:
            continue
        number = int(index) if _number(index) else 0
        found[name, number] = QueuedTask(f"{job}_{index}" if _number(index) else job, state, node, reason)
    return found


def cancel(jobs: Sequence[str]) -> bool:
    """Cancel jobs, whole arrays by their number. Returns whether SLURM took the order."""
    return not jobs or _ask("scancel", "--quiet", *jobs) is not None


def largest_array() -> int:
    """How many tasks a job array may have here."""
    for line in (_ask("scontrol", "show", "config") or "").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "MaxArraySize" and _number(value.strip()):
            return max(1, int(value) - 1)
    return 1000


def time_limit(partition: str | None) -> int | None:
    """Minutes that a job may take in the partition (None: the default one); None where there is no limit or answer."""
    text = _ask("sinfo", "--noheader", "--format=%P|%l", *([f"--partition={partition}"] if partition else []))
    for line in (text or "").splitlines():
        name, _, limit = line.partition("|")
        if partition or name.endswith("*"):
            return minutes(limit)
    return None


def minutes(text: str) -> int | None:
    """SLURM's way of writing a time ("30", "1:30:00", "2-12:00:00") in minutes, rounded up; None for anything else."""
    days, dash, rest = text.strip().rpartition("-")
    parts = rest.split(":")
    if not all(_number(part) for part in (*parts, *([days] if dash else []))) or len(parts) > 3:
        return None
    numbers = [int(part) for part in parts]
    if dash:  # days-hours[:minutes[:seconds]]
        hours, mins, seconds = [*numbers, 0, 0][:3]
    elif len(numbers) == 3:
        hours, mins, seconds = numbers
    else:  # minutes[:seconds]
        hours, mins, seconds = 0, *[*numbers, 0][:2]
    total = (int(days) if dash else 0) * 1440 + hours * 60 + mins + (seconds > 0)
    return total or None


def _number(text: str) -> bool:
    """Whether a text is a whole number. (`isdigit` takes ² for one.)"""
    return text.isascii() and text.isdigit() and len(text) < 10


def _ask(*command: str) -> str | None:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None
