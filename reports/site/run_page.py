"""One run on one page: settings, curves, metrics, hardware, code. Cheap, since there may be ten thousand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from benchmarks.plan.spec import RunSpec
from benchmarks.store.run_folder import RunFolder, RunStatus
from common.foreign import Unreadable, read_json
from common.text import printable
from reports.runs.data_notes import data_notes
from reports.runs.frame import noise_label
from reports.runs.history import history
from reports.site.html import NavGroup, page, section

_COLUMNS = {"last": "last epoch", "best_on_validation": "best-on-validation", "best_on_test": "best-on-test (oracle)"}
_HARDWARE = ("device", "device_name", "processor", "cores", "precision", "threads", "platform", "host")
_CURVES = {
    "loss": "training loss",
    "test_accuracy": "test accuracy",
    "validation_accuracy": "validation accuracy",
    "label_accuracy": "share of right training labels",
}
_POINTS = 120  # of a curve: more cannot be told apart at its size

Pair = tuple[str, str, bool]


def done_page(run_id: str, folder: Path, nav: Sequence[NavGroup], *, released: bool = False) -> str:
    """The page of a finished run, whose record has been validated."""
    files = RunFolder(folder)
    record = read_json(files.record)
    spec, provenance = record["spec"], record["provenance"]
    ratio = spec["noise"]["ratio"] or record["noise"].get("realised") or 0.0
    noise = noise_label(ratio, spec["noise"]["kind"], " %")
    title = f"{spec['dataset']} · {spec['method']} · noise {noise} · seed {spec['seed']}"
    columns = [name for name in _COLUMNS if record["metrics"].get(name)]
    columns += [name for name, values in record["metrics"].items() if values and name not in _COLUMNS]
    return page(
        "run.html",
        nav=nav,
        id=run_id,
        title=title,
        state="released" if released else "done",
        detail="",
        folder=printable(str(folder)),
        remarks=list(_remarks(record, files)),
        traceback="",
        epochs=[_COLUMNS.get(name, name) for name in columns],
        metrics=list(_metrics([record["metrics"][name] for name in columns])),
        curves=list(_curves(files.history)),
        sections=[section(name, tuple(pairs)) for name, pairs in _groups(record, provenance) if pairs],
    )


def undone_page(run_id: str, status: RunStatus, spec: RunSpec | None, nav: Sequence[NavGroup]) -> str:
    """The page of a run without a result: state, settings (None: it left none) and, where it failed, the traceback."""
    files = RunFolder(status.path)
    try:
        failure = read_json(files.failure)
    except (FileNotFoundError, Unreadable):
        failure = {}
    traceback = str(failure.get("traceback", "")) if isinstance(failure, dict) else ""
    return page(
        "run.html",
        nav=nav,
        id=printable(run_id),
        title=printable(" · ".join(status.path.parts[-4:])),
        state=status.state,
        detail=status.detail,
        folder=printable(str(status.path)),
        remarks=[],
        traceback=traceback,
        epochs=[],
        metrics=[],
        curves=list(_curves(files.history)),
        sections=[section(name, tuple(pairs)) for name, pairs in _asked(spec)],
    )


def _asked(spec: RunSpec | None) -> Iterator[tuple[str, list[Pair]]]:
    if spec is not None:
        yield from _settings(spec.model_dump(mode="json"), {"noise": str(spec.noise)})


def _remarks(record: Mapping[str, Any], files: RunFolder) -> Iterator[str]:
    yield from (f"The data: {note.removesuffix('.')}." for note in data_notes(record["provenance"]))
    if record["provenance"].get("dirty"):
        yield "The checkout had uncommitted changes: the commit alone does not give this code."
    last = record["metrics"].get("last") or {}
    if not _defined(last.get("accuracy")):
        yield "The accuracy of the last epoch is undefined (null or NaN): the tables leave this run out."
    if last.get("error_auroc") == 0.5 and last.get("accuracy") == last.get("accuracy_at_30"):
        yield "One uncertainty for every image: a constant ranks nothing."
    if not files.predictions.is_file():
        yield "No stored predictions: this run is in no figure, and in no table of uncertainty or calibration."


def _defined(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _metrics(groups: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    for name in dict.fromkeys(name for values in groups for name in values):
        yield name, [_metric(name, values[name]) if name in values else "–" for values in groups]


def _metric(name: str, value: Any) -> str:
    if not _defined(value):
        return "undefined"
    if "accuracy" in name:
        return f"{100 * value:.2f} %"
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _groups(record: Mapping[str, Any], provenance: Mapping[str, Any]) -> Iterator[tuple[str, list[Pair]]]:
    yield from _settings(record["spec"], {"noise": record["noise"], **(provenance.get("data") or {})})
    hardware = {name: provenance[name] for name in _HARDWARE if name in provenance}
    yield "Hardware and time", list(_pairs({**hardware, **record["timing"]}, set()))
    code = {name: value for name, value in provenance.items() if name not in (*_HARDWARE, "data")}
    yield "Code", list(_pairs(code, set()))
    if record["relabelling"]:
        yield "Relabelling, last epoch that relabelled", list(_pairs(record["relabelling"][-1], set()))


def _settings(spec: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[tuple[str, list[Pair]]]:
    """What was asked for. data: the noise, and what else is known of the data."""
    changed = set(spec["overrides"])
    yield "Method", list(_pairs({"method": spec["method"], **spec["config"]}, changed))
    recipe = list(_pairs(spec["recipe"], set()))
    yield "Recipe", [(key, value, f"recipe.{key}" in changed) for key, value, _ in recipe]
    rest = {name: value for name, value in spec.items() if name in ("dataset", "seed", "weights", "protocol")}
    yield "Data and noise", list(_pairs({**rest, **data}, set()))


def _pairs(values: Mapping[str, Any], changed: set[str], before: str = "") -> Iterator[Pair]:
    """Nested settings as dotted keys."""
    for name, value in values.items():
        key = f"{before}{name}"
        if isinstance(value, Mapping) and value:
            yield from _pairs(value, changed, f"{key}.")
        else:
            yield key, _text(value), key in changed


def _text(value: Any) -> str:
    if value is None or value in ([], {}, ""):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_text(item)}" for key, item in value.items())
    return str(value)


def _curves(path: Path) -> Iterator[dict[str, Any]]:
    columns = history(path)
    for name, label in _CURVES.items():
        values = columns.get(name, [])
        known = [(epoch, value) for epoch, value in enumerate(values) if isfinite(value)]
        if not known or (name == "label_accuracy" and len({value for _, value in known}) == 1):
            continue
        low, high = min(value for _, value in known), max(value for _, value in known)
        if len(known) > _POINTS:  # evenly spaced, the last one kept
            known = [known[round(at * (len(known) - 1) / (_POINTS - 1))] for at in range(_POINTS)]
        across, up = 286 / max(len(values) - 1, 1), 112 / ((high - low) or 1)
        points = " ".join(f"{44 + across * epoch:.1f},{130 - up * (value - low):.1f}" for epoch, value in known)
        percent = "accuracy" in name
        yield {
            "name": label,
            "epochs": len(values),
            "first": 1,
            "points": points if len(known) > 1 else "",
            "low": _tick(low, percent),
            "high": _tick(high, percent),
            "last": _tick(known[-1][1], percent) + (" %" if percent else ""),
        }


def _tick(value: float, percent: bool) -> str:
    return f"{100 * value:.1f}" if percent else f"{value:.3g}"
