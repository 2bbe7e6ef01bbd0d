"""A loop in a process of its own: `python -m benchmarks.launch.probe`, driven through its standard streams.

The first line it reads says which loop of which run; after the first step it answers with one line, and from then on
each line is a number of steps and each answer what they took.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.launch.environment import MALLOC
from benchmarks.plan.spec import RunSpec
from benchmarks.store.provenance import CHECKOUT
from benchmarks.train.context import RunContext
from common.errors import UserError

OURS = "ours"  # the engine itself


class Worker:
    """The driver's side. `loop`: OURS, with the allocator's settings of a launched run, or `module:Class` without."""

    def __init__(self, loop: str, spec: RunSpec, context: RunContext, device: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in MALLOC}
        environment |= MALLOC if loop == OURS else {}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
        self.first: dict[str, float] = {}  # what its first step took
        self.device_mib = 0.0  # peak of the device's memory, as last heard
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.launch.probe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._tell(
            {
                "loop": loop,
                "spec": spec.model_dump(mode="json"),
                "data": str(context.sources.data),
                "typed": dict(context.sources.typed),
                "plugins": [str(path) for path in context.plugins],
                "device": device,
                "threads": context.threads,
                "memory_share": context.memory_share,
            }
        )

    def ready(self) -> float:
        """Wait for its first step. Returns the seconds from the process's start to that step's end."""
        self.first = self._hear()
        return time.perf_counter() - self.started

    def begin(self, steps: int) -> None:
        """Let it run so many steps."""
        self._tell(steps)

    def result(self) -> dict[str, float]:
        """What those steps took: images, seconds, and its peak memory so far (MiB)."""
        answer = self._hear()
        self.device_mib = answer.get("device_mib", 0.0)
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self.process.kill()
        self.process.communicate()

    def _tell(self, message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def _hear(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise UserError(f"a measuring process ended with exit code {self.process.wait()}; its error is above")
        answer: dict[str, float] = json.loads(line)
        return answer


def together(workers: Sequence[Worker], steps: int) -> float:
    """Images/s of all workers at once, each doing `steps` steps."""
    for worker in workers:
        worker.begin(steps)
    results = [worker.result() for worker in workers]
    return sum(result["images"] for result in results) / max(result["seconds"] for result in results)


@contextmanager
def workers(count: int, spec: RunSpec, context: RunContext, devices: Sequence[str]) -> Iterator[list[Worker]]:
    """So many runs, each past its first step."""
    with ExitStack() as stack:
        found = [
            stack.enter_context(Worker(OURS, spec, context, devices[number % len(devices)])) for number in range(count)
        ]
        for worker in found:
            worker.ready()
        yield found


def serve(lines: Iterable[str]) -> None:
    """The worker's side."""
    asked = iter(lines)
    request = json.loads(next(asked))

    import resource

    import torch

    from benchmarks.launch.loop import Loop, Ours
    from benchmarks.plan.paths import Sources
    from benchmarks.plan.plugins import load_plugins
    from benchmarks.store.run_folder import RunFolder

    torch.set_num_threads(request["threads"])
    load_plugins(Path(path) for path in request["plugins"])
    device = torch.device(request["device"])
    if request["memory_share"] is not None:
        torch.cuda.set_per_process_memory_fraction(request["memory_share"], device)
    spec = RunSpec.model_validate(request["spec"])
    sources = Sources(Path(request["data"]), request["typed"])
    splits = sources.dataset(spec.dataset).load(spec.recipe.image_size)
    with tempfile.TemporaryDirectory() as folder:
        loop: Loop
        if request["loop"] == OURS:
            loop = Ours(spec, splits, device, RunFolder(Path(folder)))
        else:
            module, _, name = request["loop"].partition(":")
            loop = getattr(importlib.import_module(module), name)(spec, splits, device)
        print(json.dumps(asdict(loop.run(1))), flush=True)
        for line in asked:
            done = loop.run(int(line))
            memory = {"host_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
            if device.type == "cuda":
                memory["device_mib"] = torch.cuda.max_memory_reserved(device) / 2**20
            print(json.dumps({**asdict(done), **memory}), flush=True)


if __name__ == "__main__":
    serve(sys.stdin)
