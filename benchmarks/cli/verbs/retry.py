"""`bench.py retry`: which runs of a folder have failed or gone stale, and how they were started."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from benchmarks.cli.session import Session
from benchmarks.launch.journal import Launch
from benchmarks.launch.status import RunsStatus
from benchmarks.plan.paths import Sources
from benchmarks.plan.plugins import load_plugins
from benchmarks.plan.runnable import obstacle
from benchmarks.plan.spec import RunSpec
from benchmarks.store.run_folder import RunFolder
from common.errors import UserError
from common.text import printable
from methods.registry import METHODS


def sessions(flags: argparse.Namespace) -> list[Session]:
    """The failed and the stale runs of a folder, a session for each data folder and weights that they were started
    with; one without runs where there are none. Raises UserError."""
    load_plugins(flags.plugin)
    runs = flags.runs.resolve()
    survey = RunsStatus(runs)
    known = {spec.run_id: (spec, launch) for launch in survey.launches.all()[::-1] for spec in launch.specs}
    found: dict[tuple[Path, Path | None], list[tuple[RunSpec, Launch | None]]] = {}
    for run_id, state in survey.look().items():
        if state.state not in ("failed", "stale"):
            continue
        spec, launch = known.get(run_id) or (RunFolder(state.path).read_spec(), None)
        if spec is None:
            print(f"note: {state.path} does not say what it is of; give its own command again")
            continue
        plugins = " ".join(f"--plugin {shlex.quote(str(path))}" for path in (launch.plugins if launch else ()))
        for name in (one.method for one in (*spec.members, spec)):
            if name not in METHODS and launch:
                raise UserError(f"retry: {spec} needs its plug-in: {plugins or '--plugin FILE'}")
        if reason := obstacle(spec):
            print(f"note: {state.path} is left out: {printable(reason)}")
            continue
        data = flags.data or (launch.data if launch else Path("data"))
        weights = flags.weights or (launch.weights if launch else None)
        found.setdefault((data.resolve(), weights), []).append((spec, launch))
    result = []
    for (data, weights), runs_of in (found or {(Path("data").resolve(), None): []}).items():
        typed = {key: value for _, launch in runs_of if launch for key, value in launch.typed.items()}
        result.append(Session.of(flags, [spec for spec, _ in runs_of], Sources(data, typed), weights))
    return result
