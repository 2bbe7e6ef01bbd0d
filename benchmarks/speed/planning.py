"""How long a plan takes that finds everything done, and `status`: so many finished runs, generated and skipped."""

from __future__ import annotations

import json
import math
import tempfile
import time
from pathlib import Path

from benchmarks.cli.verbs.status import status
from benchmarks.launch.todo import make_todo
from benchmarks.plan import grid as plan
from benchmarks.plan.spec import Noise
from benchmarks.plan.suite import Arm
from benchmarks.store.record import Record
from benchmarks.store.runs import Store
from common.files import atomic_write

METHODS = ("baseline", "scn", "dul", "conf", "rul")
RATIOS = tuple(Noise(ratio=step / 20) for step in range(10))


def finished(count: int) -> dict[str, float]:
    """Seconds from a request to the plan that all of its runs (at least `count`, on digits) are finished; seconds of
    `status` on them, the first time and again."""
    seeds = tuple(range(math.ceil(count / len(METHODS) / len(RATIOS))))
    request = plan.Request(tuple(Arm(method=name) for name in METHODS), ("digits",), RATIOS, seeds)
    metrics = {f"{kind}accuracy_at_{rate}": 0.875 for kind in ("", "free_") for rate in (10, 20, 30)}
    relabelled = {"relabelled": 12, "relabel_precision": 0.5, "relabel_recall": 0.25, "label_accuracy": 0.875}
    with tempfile.TemporaryDirectory() as folder:
        store, sources = Store(Path(folder)), request.sources(Path(folder))
        for spec in plan.resolve(request, sources):
            record = Record(
                run_id=spec.run_id,
                spec=spec,
                metrics={"last": metrics, "best_on_test": metrics, "best_on_validation": None},
                noise={"kind": spec.noise.kind, "requested": spec.noise.ratio, "realised": spec.noise.ratio},
                relabelling=[{"epoch": epoch, **relabelled} for epoch in range(10)],
                timing={"seconds": 12.5, "train_seconds": 10.0},
                provenance={"processor": "", "device": "cpu", "threads": 1, "data": {}},
            )
            with atomic_write(store.run(spec).record, sync=False) as file:
                json.dump(record.model_dump(mode="json"), file, indent=1)
        started = time.perf_counter()
        found = make_todo(plan.resolve(request, sources), store)
        seconds = {"skipping": time.perf_counter() - started}
        assert not found.todo, "every record was to be found"
        for name in ("status", "status_again"):
            started = time.perf_counter()
            told = status(store.root)
            seconds[name] = time.perf_counter() - started
            assert " done" in told, "every record was to be found"
    return seconds
