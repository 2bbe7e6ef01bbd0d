"""Finding wrong labels: which score of the training images and their labels puts the flipped ones first."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.metrics.label_errors import SCORES, SUSPICIOUS_PERCENT
from reports.runs.frame import Loaded
from reports.stats.summary import summary
from reports.tables.caption import Note, problems
from reports.tables.fields import Value
from reports.tables.summary import KEYS, plain
from reports.tables.table import Row, Table, titled
from reports.tables.uncertainty import Scored, by_seed, scored_evidence

_COLUMNS: Mapping[str, str] = {
    "flip_auroc": "AUROC (%)",
    **{f"flip_precision_at_{rate}": f"precision, {rate} % most suspicious" for rate in SUSPICIOUS_PERCENT},
}
ABSENT = (
    "These records do not hold p(given label): they were made before it was stored. Runs of today have it, and the "
    "rows 1 − p(given label) and p(another label) − p(given label)."
)


def label_error_table(parts: Scored, loaded: Loaded) -> Table:
    """Methods x scores, for all runs with wrong labels that are known."""
    rows, records, used = [], [], []
    for group, found in parts:
        known = [name for name in SCORES if any(f"{name}.flip_auroc" in part for part in found)]
        values = {
            (score, column): summary(list(by_seed(group, found, f"{score}.{column}", 100).values()))
            for score in known
            for column in _COLUMNS
        }
        if not any(value.n for value in values.values()):
            continue
        used.append((group, found))
        for score in known:
            mine = {column: values[score, column] for column in _COLUMNS}
            n = Value(str(mine["flip_auroc"].n), "", float(mine["flip_auroc"].n), tuple(group.runs["run_id"]))
            fields = (plain(value, 1) for value in mine.values())
            rows.append(Row((*group.heads, SCORES[score]), (n, *fields), " ".join(group.heads)))
            parted = {f"{name} {part}": getattr(v, part) for name, v in mine.items() for part in ("mean", "sd")}
            records.append({**group.record, "score": score, "n": mine["flip_auroc"].n, **parted})
    absent = used and not any("label.flip_auroc" in part for _, found in used for part in found)
    return Table(
        name="wrong-labels",
        heading="Wrong labels",
        title="Finding wrong labels: scores of the training images, last epoch",
        keys=(*KEYS, "score"),
        groups=(titled("n", *_COLUMNS.values()),),
        rows=tuple(rows),
        caption=(
            "Which training labels were flipped is known. AUROC: a flipped label scores above a right one; "
            "precision: the share of flipped labels among the most suspicious images (the noise is what chance "
            "finds). own: the method's uncertainty; 1 − max softmax: of the image alone; 1 − p(given label) and the "
            "margin: of image and label, at no cost. A score of the image alone cannot find flips that are "
            "symmetric, unless the network memorises them. Relabelling runs are scored against the labels as "
            "training began.",
            *scored_evidence(used),
        ),
        notes=(*((Note(ABSENT),) if absent else ()), *problems(loaded)),
        records=tuple(records),
    )
