"""Every finished run as one row of a table, and what could not be read, with the reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.plan.spec import RunSpec
from benchmarks.store.record import Record, read_record
from benchmarks.store.runs import Store
from common.files import atomic_write
from common.text import printable, spreadsheet_cell
from reports.runs.data_notes import data_notes

if TYPE_CHECKING:
    import pandas as pd

# Columns of runs.csv: name there -> name in the frame. `settings` tells arms of one method apart.
RUNS_CSV = {
    "dataset": "dataset",
    "method": "method",
    "noise": "noise",
    "noise_kind": "noise_kind",
    "seed": "seed",
    "recipe": "recipe",
    "epochs": "epochs",
    "accuracy": "last.accuracy",
    "accuracy_best_on_test": "best_on_test.accuracy",
    "accuracy_at_10": "last.accuracy_at_10",
    "accuracy_at_20": "last.accuracy_at_20",
    "accuracy_at_30": "last.accuracy_at_30",
    "seconds": "timing.seconds",
    "images_per_second": "timing.images_per_second",
    "run_id": "run_id",
    "settings": "settings",
    "released": "released",
}
# Always there, whatever the records hold, so that no consumer has to ask.
_NUMBERS = (*(column for column in RUNS_CSV.values() if "." in column), "timing.load")
OTHERS = 0.5  # of a core: what may run beside a run that had the machine to itself
_LABELS = (
    "run_id", "folder", "dataset", "method", "settings", "overrides", "config", "config_key", "noise", "noise_kind",
    "noise_realised", "seed", "protocol", "recipe", "recipe_key", "epochs", "backbone", "protocols", "pretrained",
    "image_size", "weights", "commit", "dirty", "processor", "data_notes", "method_note", "class_names", "device",
    "finished", "resolved", "released", "parameters", "threads", "precision",
)  # fmt: skip


@dataclass(frozen=True)
class BadFolder:
    """A run folder that a report cannot use as it is, and why."""

    folder: Path
    reason: str

    def __str__(self) -> str:
        return printable(f"{self.folder}: {self.reason}")


@dataclass(frozen=True)
class Repeat:
    """A run that is released and was done here too; the accuracies are of the last epoch, fractions."""

    run_id: str
    own: float
    released: float


@dataclass(frozen=True)
class Loaded:
    """What lies in the runs folders.

    `runs` has one row a finished run. Identity and provenance have plain names (`dataset`, `seed`, `commit` ...),
    metrics and timing are prefixed (`last.accuracy`, `best_on_test.accuracy`, `timing.seconds`); accuracies are
    fractions in [0, 1], undefined metrics NaN. `noise` is the ratio asked for, or the share of wrong labels where the
    kind of noise brings its own (human labels, label lists). `released`: whether the row is a released record.
    """

    runs: pd.DataFrame
    unreadable: tuple[BadFolder, ...]
    conflicts: tuple[BadFolder, ...]
    repeats: tuple[Repeat, ...] = ()
    _scores: dict[Path, dict[str, float]] = field(default_factory=dict, repr=False, compare=False)

    def scores(self, folder: Path) -> dict[str, float]:
        """The scores of a run from its stored predictions, computed once."""
        if folder not in self._scores:
            from reports.runs.predictions import scores_of_run

            self._scores[folder] = scores_of_run(folder)
        return self._scores[folder]


def settings_label(overrides: Mapping[str, Any]) -> str:
    """`{"relabel.enabled": True}` as `relabel.enabled=true`; keys sorted; empty for the defaults."""
    return printable(" ".join(f"{key}={value_label(overrides[key])}" for key in sorted(overrides)))


def value_label(value: Any) -> str:
    """A setting's value in one spelling: 1.0 and 1 are equal, a string stands bare."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def setup_of(spec: RunSpec) -> dict[str, Any]:
    """What has to be equal before numbers of two runs may stand in one column (reports/select.py: SETUP)."""
    key = _digest(_values(spec)) if spec.recipe.protocol == "common" else "own"  # where methods differ on purpose
    return {"protocol": spec.protocol, "recipe": spec.recipe.name, "recipe_key": key, "weights": spec.weights}


def config_key(spec: RunSpec) -> str:
    """What has to be equal before numbers of two runs of one method may be averaged, beside the set-up: its settings
    and, where each method has a recipe's values of its own, these."""
    return _digest(spec.config if spec.recipe.protocol == "common" else [spec.config, _values(spec)])


def _values(spec: RunSpec) -> dict[str, Any]:
    return spec.recipe.model_dump(mode="json", exclude={"source"})


def noise_label(ratio: float, kind: str, unit: str = "") -> str:
    """Noise as tables name it, in per cent: `30`, `40 asymmetric`, `40.2 human:worse`."""
    text = f"{100 * ratio:.3g}{unit}"
    return text if kind == "symmetric" else f"{text} {kind}"


def _row(folder: Path, record: Record, released: bool) -> dict[str, Any]:
    spec, provenance = record.spec, record.provenance
    row: dict[str, Any] = {
        **setup_of(spec),
        "run_id": record.run_id,
        "folder": folder,
        "dataset": spec.dataset,
        "method": spec.method,
        "settings": settings_label(spec.overrides),
        "overrides": spec.overrides,
        "config": spec.config,
        "config_key": config_key(spec),
        "noise": spec.noise.ratio or float(record.noise.get("realised") or 0),
        "noise_kind": spec.noise.kind,
        "noise_realised": record.noise.get("realised"),
        "seed": spec.seed,
        "epochs": spec.recipe.epochs,
        "backbone": spec.recipe.backbone,
        "protocols": spec.recipe.protocol,
        "pretrained": spec.recipe.pretrained,
        "image_size": spec.recipe.image_size,
        "commit": provenance.get("commit"),
        "dirty": provenance.get("dirty"),
        "processor": provenance.get("processor"),
        "device": _device(provenance),
        "threads": provenance.get("threads"),
        "precision": provenance.get("precision"),
        "data_notes": data_notes(provenance),
        "method_note": str(provenance.get("method_note") or ""),
        "class_names": tuple((provenance.get("data") or {}).get("classes") or ()),
        "finished": str(provenance.get("finished") or ""),
        "resolved": spec.recipe,
        "released": released,
        "parameters": provenance.get("parameters"),
    }
    for group, metrics in record.metrics.items():
        row.update({f"{group}.{name}": value for name, value in (metrics or {}).items()})
    if record.relabelling:  # of the last epoch that relabelled
        row.update(
            {f"relabel.{name}": record.relabelling[-1].get(f"relabel_{name}") for name in ("precision", "recall")}
        )
    row.update({f"timing.{name}": value for name, value in record.timing.items()})
    return row


def _device(provenance: Mapping[str, Any]) -> str | None:
    """The accelerator's name, or the device's kind where no name was recorded."""
    device = provenance.get("device_name") or provenance.get("device")
    return None if device is None else str(device)


def _contradicts(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two records of one run id tell different results (times may differ)."""
    names = {name for name in (*a, *b) if name.startswith(("last.", "best_on_"))}
    return any(a.get(name) != b.get(name) and a.get(name) == a.get(name) for name in names)


def load(runs_roots: Sequence[Path], released: Sequence[Path] = ()) -> Loaded:
    """Read every record below the given runs folders, in order; a run that lies in two of them counts once.

    released: folders of released records, read last, so that somebody's own run counts before the released one; a
    folder in both is a released one.

    A record that is truncated, foreign or of another schema is listed in `unreadable`, never raised. Two records of one
    run id with different results are a conflict: the first one found is used, nothing is averaged, both are named. An
    own run that is released too is no conflict but a repetition: other machines give slightly other numbers.
    """
    import pandas as pd

    shared = {root.resolve() for root in released}
    roots = {root.resolve(): root for root in (*released, *runs_roots)}
    every = dict.fromkeys(root.resolve() for root in (*runs_roots, *released))
    rows: dict[str, dict[str, Any]] = {}
    unreadable, conflicts, repeats = [], [], []
    for resolved in sorted(every, key=lambda root: root in shared):  # stable: each kind in its own order
        for folder in Store(roots[resolved]).folders():
            try:
                record = read_record(folder.record)
                if not record.spec.is_whole:  # an ensemble's member or a fold is not one more seed of its method
                    continue
                row = _row(folder.path, record, resolved in shared)
            except FileNotFoundError:
                continue
            except (ValueError, OSError) as error:  # a bad record is a ValueError that says why
                unreadable.append(BadFolder(folder.path, str(error)))
                continue
            known = rows.setdefault(row["run_id"], row)
            if known is row:
                continue
            if row["released"] and not known["released"]:
                repeats.append(Repeat(row["run_id"], *(_number(each.get("last.accuracy")) for each in (known, row))))
            elif _contradicts(known, row):
                conflicts.append(
                    BadFolder(folder.path, f"other results than {known['folder']} for run {row['run_id']}")
                )
    frame = pd.DataFrame(list(rows.values()))
    for column in _LABELS:
        if column not in frame:
            frame[column] = pd.Series(dtype=object)
    metrics = {column for column in frame if "." in str(column)} | set(_NUMBERS)
    for column in sorted(metrics):  # None and a literal NaN both mean: not defined
        frame[column] = pd.to_numeric(frame[column], errors="coerce") if column in frame else float("nan")
    frame["released"] = frame["released"].astype(bool)
    order = ["dataset", "noise", "noise_kind", "method", "settings", "recipe", "epochs", "seed", "run_id"]
    frame["alone"] = _alone(frame)
    frame = frame.sort_values(order)
    return Loaded(frame.reset_index(drop=True), tuple(unreadable), tuple(conflicts), tuple(repeats))


def _alone(frame: pd.DataFrame) -> pd.Series:
    """Whether a run had the machine to itself, by its load; true where no record has one, as none did once."""
    load = frame["timing.load"]
    return (load <= frame["threads"].fillna(1).astype(float) + OTHERS) | load.isna().all()


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def write_runs_csv(path: Path, runs: pd.DataFrame) -> Path:
    """`runs.csv`: one row a finished run, fractions at full precision, in the frame's order (deterministic)."""
    table = runs[list(RUNS_CSV.values())].set_axis(list(RUNS_CSV), axis=1)
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    table = table.assign(**{name: table[name].map(spreadsheet_cell) for name in texts})
    with atomic_write(path) as file:
        table.to_csv(file, index=False, lineterminator="\n")
    return path
