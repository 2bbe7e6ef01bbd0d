"""`bench.py retry`: which runs of a folder have failed or gone stale, and how they were started."""

from __future__ import annotations

import argparse
import functools
import shlex
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cli.session import Session, leaving
from benchmarks.launch.journal import Launch
from benchmarks.launch.status import RunsStatus
from benchmarks.plan.paths import Sources
from benchmarks.plan.plugins import load_plugins
from benchmarks.plan.runnable import obstacle
from benchmarks.plan.spec import RunSpec
from benchmarks.store.run_folder import RunFolder
from benchmarks.train.build import check_fit, label_noise
from common.errors import UserError
from common.text import printable
from datasets.base import Splits
from methods.core.weights import IMAGENET, TIMM, sha256
from methods.registry import METHODS


def sessions(flags: argparse.Namespace) -> list[Session]:
    """The failed and the stale runs of a folder, a session for each data folder and weights that they were started
    with; one without runs where there are none. A run that cannot be done again is left out, and a note says why.
    Raises UserError."""
    with leaving(flags.dry_run):
        return _sessions(flags)


def _sessions(flags: argparse.Namespace) -> list[Session]:
    load_plugins(flags.plugin)
    failed = _failed(flags.runs.resolve())
    if flags.weights:
        _check_weights(flags.weights, [spec for _, spec, _ in failed])
    here = _Here(flags.weights and flags.weights.resolve())
    found: dict[tuple[Path, Path | None], list[tuple[RunSpec, Sources]]] = {}
    for path, spec, launch in failed:
        data = flags.data or (launch.data if launch else Path("data"))
        sources = Sources(data.resolve(), launch.typed if launch else {})
        weights = here.weights(spec, launch.weights if launch else None)
        if reason := obstacle(spec) or here.obstacle(spec, sources, weights):
            print(f"note: {path} is left out: {printable(reason)}")
            continue
        found.setdefault((sources.data, weights), []).append((spec, sources))
    result = []
    for (data, weights), runs_of in (found or {(Path("data").resolve(), None): []}).items():
        typed = {key: value for _, sources in runs_of for key, value in sources.typed.items()}
        specs = [spec for spec, _ in runs_of]
        result.append(Session.of(flags, specs, Sources(data, typed), weights, here.loaded.get(data)))
    return result


def _failed(runs: Path) -> list[tuple[Path, RunSpec, Launch | None]]:
    """The failed and the stale runs of a folder: where, what, and the latest launch that they were in. Raises UserError
    for one that needs a plug-in."""
    survey = RunsStatus(runs)
    known = {spec.run_id: (spec, launch) for launch in survey.launches.all()[::-1] for spec in launch.specs}
    failed = []
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
        failed.append((state.path, spec, launch))
    return failed


def _check_weights(given: Path, specs: Sequence[RunSpec]) -> None:
    """Raise UserError for a file of weights that none of the runs was started from."""
    if not given.is_file():
        raise UserError(f"--weights {given}: no such file")
    wanted = {spec.weights for spec in specs if _in_a_file(spec.weights)}
    if specs and sha256(given) not in wanted:
        theirs = ", ".join(sorted(f"{digest:.12}" for digest in wanted)) or "from no file"
        raise UserError(f"--weights {given}: no run started from it (sha256 {sha256(given):.12}; theirs: {theirs})")


def _in_a_file(weights: str | None) -> bool:
    """Whether a spec's weights are a file's, known by its sha256."""
    return weights not in (None, IMAGENET, TIMM)


class _Here:
    """What the runs need of this machine: looked at once for all that need the same."""

    def __init__(self, given: Path | None) -> None:
        """given: a file of weights."""
        self.given = given
        self.loaded: dict[Path, dict[tuple[str, int | None], Splits]] = {}  # by data folder, data set and image size
        self._reasons: dict[tuple, str] = {}
        self._digest = functools.cache(sha256)

    def weights(self, spec: RunSpec, launched: Path | None) -> Path | None:
        """Where a run's weights lie: in the file that was given, if that is theirs, else where they were."""
        if self.given and _in_a_file(spec.weights) and self._digest(self.given) == spec.weights:
            return self.given
        return launched

    def obstacle(self, spec: RunSpec, sources: Sources, weights: Path | None) -> str:
        """Why a run cannot be done again from what lies here now, in one line; empty where it can."""
        if _in_a_file(spec.weights) and (
            weights is None or not weights.is_file() or self._digest(weights) != spec.weights
        ):
            lie = f"are not in {weights} any more" if weights else "are not known to lie anywhere"
            return f"its weights (sha256 {spec.weights:.12}) {lie}; give --weights FILE"
        kind, recipe = spec.noise.kind, spec.recipe.model_dump_json()
        places = (sources.data, sources.typed.get(spec.dataset), sources.typed.get(kind))
        key = (*places, spec.dataset, kind, spec.method, recipe)
        if key not in self._reasons:
            try:
                self._reasons[key] = self._of_data(spec, sources)
            except UserError as error:
                self._reasons[key] = str(error)
        return self._reasons[key]

    def _of_data(self, spec: RunSpec, sources: Sources) -> str:
        """As `obstacle`, of the run's data set and labels. Raises UserError where they do not do."""
        if other := sources.changed(spec.dataset, spec.noise.kind):
            return f"{other} has changed since it was started; `run` makes another run of what is there now"
        loaded, key = self.loaded.setdefault(sources.data, {}), (spec.dataset, spec.recipe.image_size)
        if key not in loaded:
            loaded[key] = sources.dataset(spec.dataset).load(spec.recipe.image_size)
        label_noise(spec, loaded[key].train, sources)
        check_fit((*spec.members, spec), loaded)
        return ""
