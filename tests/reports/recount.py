"""Every number of the document of claims found again in the records, and every outcome derived again, by other code
than that of reports/."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize, special, stats
from sklearn.metrics import balanced_accuracy_score, recall_score, silhouette_samples
from sklearn.preprocessing import minmax_scale

from reports.paper.claim import ARMS, Claim
from reports.paper.claims import CLAIMS
from reports.paper.comparison import Comparison, Side
from reports.paper.tables import DATASET_LABELS
from reports.runs.predictions import predictions
from reports.stats.measures import MEASURES

Records = list[tuple[Path, dict[str, Any]]]
NAMES = {label: name for name, label in DATASET_LABELS.items()}
arrays_of = cache(predictions)

# Where a measure lies in a record: read here without reports/runs.
WHERE = {
    "accuracy": ("last", "accuracy"), "at_10": ("last", "accuracy_at_10"), "at_20": ("last", "accuracy_at_20"),
    "at_30": ("last", "accuracy_at_30"), "free_at_30": ("last", "free_accuracy_at_30"),
    "auroc": ("last", "error_auroc"), "free_auroc": ("last", "free_error_auroc"),
    "ambiguity": ("last", "ambiguity_spearman"), "free_ambiguity": ("last", "free_ambiguity_spearman"),
    "flips": ("last", "flip_auroc"), "oracle": ("best_on_test", "accuracy"),
}  # fmt: skip


def value(measure: str, folder: Path, record: dict[str, Any]) -> float | None:
    if measure in WHERE:
        group, name = WHERE[measure]
        found = (record["metrics"].get(group) or {}).get(name)
        return None if found is None else 100 * found
    for name, high in (("rise", "at_30"), ("selected", "oracle")):
        if measure == name:
            parts = [value(one, folder, record) for one in (high, "accuracy")]
            return None if None in parts else parts[0] - parts[1]  # type: ignore[operator]
    if measure == "precision":
        return 100 * record["relabelling"][-1]["relabel_precision"] if record["relabelling"] else None
    if measure == "seconds":
        return float(record["timing"]["train_seconds"] / record["spec"]["recipe"]["epochs"])
    arrays = arrays_of(folder)
    return None if arrays is None else FROM_ARRAYS[measure](arrays, record)


def _reversed(arrays: Mapping[str, np.ndarray], _: Any) -> float:
    score = -arrays["test_uncertainty"]
    kept = len(score) - round(0.1 * len(score))
    ordered = np.sort(score)
    before, ties = np.searchsorted(ordered, score), np.searchsorted(ordered, score, "right")
    chance = np.clip((kept - before) / (ties - before), 0, 1)  # equal ones at the boundary stay with the same chance
    return 100 * float(chance @ (arrays["test_logits"].argmax(axis=1) == arrays["test_labels"])) / kept


def _label_flips(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
    if "train_p_given" not in arrays or "train_flipped" not in arrays:
        return None
    flipped, score = arrays["train_flipped"].astype(bool), -arrays["train_p_given"].astype(float)
    if flipped.all() or not flipped.any():
        return None
    larger = stats.mannwhitneyu(score[flipped], score[~flipped]).statistic
    return 100 * float(larger) / (int(flipped.sum()) * int((~flipped).sum()))


def _hard(arrays: Mapping[str, np.ndarray], record: dict[str, Any]) -> float | None:
    names = [name.lower() for name in (record["provenance"].get("data") or {}).get("classes") or ()]
    if not {"disgust", "fear"} <= set(names):
        return None
    recall = recall_score(
        arrays["test_labels"], arrays["test_logits"].argmax(1), labels=range(len(names)), average=None
    )
    hard = np.isin(names, ["disgust", "fear"])
    return 100 * float(recall[hard].mean() - recall[~hard].mean())


def _gained(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
    if "train_labels_last" not in arrays:
        return None
    right = [np.count_nonzero(arrays[name] == arrays["train_clean"]) for name in ("train_labels_last", "train_given")]
    return 100 * (right[0] - right[1]) / len(arrays["train_clean"])


def _drawn(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    if "test_features" not in arrays:
        return None
    features = arrays["test_features"].astype(float)
    if "test_features_rows" in arrays:
        return features, arrays["test_features_rows"]
    rows = np.random.default_rng(0).permutation(len(features))[:1000]
    return features[rows], rows


def _silhouette(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
    drawn = _drawn(arrays)
    return None if drawn is None else 100 * float(silhouette_samples(drawn[0], arrays["test_labels"][drawn[1]]).mean())


def _centre(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
    drawn = _drawn(arrays)
    if drawn is None:
        return None
    features, rows = drawn
    away = np.sqrt(((features - features.mean(0)) ** 2).sum(1))
    score = arrays["test_uncertainty"][rows].astype(float)
    far, near = away[score >= np.quantile(score, 0.9)].mean(), away[score <= np.quantile(score, 0.1)].mean()
    return 100 * float(far / near) - 100


def _surer(arrays: Mapping[str, np.ndarray], _: Any) -> float:
    """By the loss itself at weights a little to both sides of one half."""
    logits, labels = arrays["test_logits"].astype(float), arrays["test_labels"].astype(int)
    partner = np.random.default_rng(0).permutation(len(labels))

    def loss(weight: float) -> np.ndarray:
        mixed = weight * logits + (1 - weight) * logits[partner]
        rows = np.arange(len(mixed))
        return np.asarray(2 * special.logsumexp(mixed, axis=1) - mixed[rows, labels] - mixed[rows, labels[partner]])

    top = special.softmax(logits, axis=1).max(axis=1)
    falls = (loss(0.5 + 1e-4) < loss(0.5 - 1e-4)) == (top > top[partner])
    return 100 * float(falls[labels != labels[partner]].mean())


def _above(limit: float) -> Callable[..., float | None]:
    def share(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
        score = arrays["test_uncertainty"].astype(float)
        if np.ptp(score) == 0:
            return None
        stretched = score if ((score >= 0) & (score <= 1)).all() else minmax_scale(score)
        return 100 * float(np.mean(stretched > limit))

    return share


def _hard_images(arrays: Mapping[str, np.ndarray], _: Any) -> float | None:
    """By ranks: the chance that an image whose votes disagree most is above another."""
    if "test_soft_labels" not in arrays or np.ptp(arrays["test_uncertainty"]) == 0:
        return None
    votes = arrays["test_soft_labels"].astype(float)
    known = np.isfinite(votes).all(axis=1)
    disagree = np.round([stats.entropy(sorted(row)) for row in votes[known]], 6)
    hard = disagree >= np.quantile(disagree, 0.9)
    if hard.all():
        return None
    score = arrays["test_uncertainty"].astype(float)[known]
    wins = stats.mannwhitneyu(score[hard], score[~hard]).statistic
    return 100 * float(wins) / (int(hard.sum()) * int((~hard).sum()))


FROM_ARRAYS = {
    "above_40": _above(0.4), "above_60": _above(0.6), "hard_auroc": _hard_images,
    "reversed_at_10": _reversed, "label_flips": _label_flips, "hard_classes": _hard, "labels_gained": _gained,
    "silhouette": _silhouette, "centre": _centre, "surer": _surer,
    "balanced": lambda arrays, _: 100 * balanced_accuracy_score(arrays["test_labels"], arrays["test_logits"].argmax(1)),
}  # fmt: skip


def is_arm(record: dict[str, Any], arm: str) -> bool:
    spec, wanted = record["spec"], ARMS[arm]
    if spec["method"] != wanted.method or not set(spec["overrides"]) <= set(wanted.set):
        return False
    return all(spec["config"].get(key, spec["overrides"].get(key)) == to for key, to in wanted.set.items()) or (
        wanted.set == {"relabel.enabled": True} and bool(spec["config"].get("relabel", {}).get("enabled"))
    )


def cell_of(record: dict[str, Any]) -> str:
    spec = record["spec"]
    kind, ratio = spec["noise"]["kind"], spec["noise"]["ratio"]
    noise = f"{100 * ratio:g} %" + ("" if kind == "symmetric" else f" {kind}")
    return f"{DATASET_LABELS.get(spec['dataset'], spec['dataset'])}, {kind if ':' in kind else noise}"


def by_seed(records: Records, side: Side, cell: str) -> dict[int, float]:
    found = {
        record["spec"]["seed"]: value(side.measure, folder, record)
        for folder, record in records
        if is_arm(record, side.arm) and cell_of(record) == cell
    }
    return {seed: float(number) for seed, number in found.items() if number is not None}


def paper_number(raw: dict[str, Any], table: str, side: Side, dataset: str, level: str) -> float | None:
    """A number of the paper's, from `numbers.toml` as it stands."""
    if table == "table1":
        method = {"rul + relabelling": "rul", "rul": None}.get(side.arm, side.arm)
        rows = [row for row in raw["table1"]["rows"] if row[0] == method and str(row[1]) == level]
        return rows[0][2 + 2 * raw["table1"]["columns"].index(dataset)] if rows and side.measure == "accuracy" else None
    if level != "0":
        return None
    if table == "table5":
        part = {"accuracy": raw["table5"]["accuracy"], "at_10": raw["table5"]["rejection_10"]}.get(side.measure, {})
        if side.arm in ("dul", "dul_rul"):
            part = raw["text"]["dul_guided_by_rul"] if side.measure == "accuracy" else {}
        return part.get(side.arm.removesuffix(" (logits)")) if dataset == "rafdb" else None
    row = raw[table].get(dataset, {}).get(side.arm)
    places = {"accuracy": 0, "at_10": 1, "at_20": 2, "at_30": 3}
    if row is None:
        return None
    return row[3] - row[0] if side.measure == "rise" else row[places[side.measure]] if side.measure in places else None


def numbers(text: str) -> list[float]:
    return [float(part) for part in re.findall(r"-?\d+(?:\.\d+)?", text.replace("−", "-").replace("+", ""))]


def tables(text: str) -> Iterator[tuple[int, str, list[list[str]]]]:
    """(claim, recipe or nothing, rows with the head first) of every table of the appendix."""
    for section in text.partition("\n## Appendix")[2].split("\n### ")[1:]:
        recipe = ""
        for block in section.split("\n\n"):
            recipe = block.split("**Recipe ")[1].partition(".**")[0] if block.startswith("**Recipe ") else recipe
            if block.startswith("|"):
                lines = [line.strip("| ").split(" | ") for line in block.strip().splitlines()]
                clean = [
                    [
                        field.replace("\\_", "_").replace("&lt;", "<").replace("\\[", "[").replace("\\]", "]")
                        for field in line
                    ]
                    for line in lines
                ]
                yield int(section.partition(",")[0]), recipe, [clean[0], *clean[2:]]


def close(printed: float, wanted: float, digits: int) -> bool:
    return abs(printed - wanted) <= 0.5001 * 10**-digits


def check_level(records: Records, head: list[str], row: list[str]) -> int:
    side = next(Side(arm, name) for arm, name in product(ARMS, MEASURES) if row[0] == f"{arm}: {MEASURES[name].title}")
    checked = 0
    for cell, field in zip(head[1:], row[1:], strict=True):
        found = list(by_seed(records, side, cell).values())
        if field == "–":
            assert not found, (row[0], cell)
            continue
        wanted = [np.mean(found), *([np.std(found, ddof=1)] if "±" in field else []), len(found)]
        printed = numbers(field)
        digits = MEASURES[side.measure].digits
        assert len(printed) == len(wanted) and printed[-1] == wanted[-1], (row[0], cell)
        assert all(close(a, b, digits) for a, b in zip(printed, wanted, strict=True)), (row[0], cell, field, wanted)
        checked += len(printed)
    return checked


def effect(records: Records, claim: Claim, one: Comparison, cell: str) -> float:
    """The difference (slope, ratio) that a row is about, from the runs' own values."""

    def gap(place: str) -> float | None:
        parts = [list(by_seed(records, side, place).values()) for side in one.sides]
        return None if not all(parts) else float(np.mean(parts[0]) - sum(np.mean(part) for part in parts[1:]))

    if one.kind == "ratio":
        assert one.b is not None
        a, b = by_seed(records, one.a, cell), by_seed(records, one.b, cell)
        return float(np.median([a[seed] / b[seed] for seed in a if seed in b]))
    if one.kind == "trend":
        places = {level: gap(f"{cell}, {level} %") for level in claim.grid[NAMES[cell]]}
        points = [(int(level) / 10, found) for level, found in places.items() if found is not None]
        return float(stats.linregress(*zip(*points, strict=True)).slope)
    found = gap(cell)
    assert found is not None, (one.text, cell)
    if one.less is not None:
        dataset, level = cell.split(", ")
        other = gap(f"{DATASET_LABELS[one.less[0]] if one.less[0] else dataset}, {one.less[1] or level.strip('% ')} %")
        assert other is not None
        found -= other
    return found


def outcome(estimate: list[float], sign: int, margin: float = 1.0) -> str:
    """From an estimate with the ends of its interval, or without."""
    if len(estimate) == 1:
        return "undecided"
    _, low, high = estimate
    if max(abs(low), abs(high)) < margin:
        return "equivalent"
    if low <= 0 <= high:
        return "undecided"
    return "supported" if np.sign(low) == sign else "opposed"


def detectable(error: float, freedom: float, critical: float, power: float = 0.8) -> float:
    """The difference whose t is above `critical` with this probability, by the noncentral t of scipy.stats."""
    return error * float(optimize.brentq(lambda shift: stats.nct.sf(critical, freedom, shift) - power, 0, 99))


def check_finding(
    records: Records, raw: dict[str, Any], claim: Claim, row: list[str], details: dict[tuple[str, ...], list[str]]
) -> int:
    text, cell, paper, ours, told, runs, recipe = row
    one = next(one for one in claim.comparisons if one.text == text)
    digits = 2 if one.kind == "ratio" else MEASURES[one.a.measure].digits
    printed = numbers(ours)
    assert close(printed[0], effect(records, claim, one, cell), digits), (text, cell, ours)
    if one.kind == "difference":
        counts = [len(by_seed(records, side, cell)) for side in one.sides]
        assert int(runs) == min(counts) or one.less is not None
        dataset, level = NAMES.get(cell.partition(", ")[0], ""), cell.partition(", ")[2].removesuffix(" %")
        found = [
            [paper_number(raw, table, side, dataset, level) for side in one.sides] for table in claim.table.split()
        ]
        whole = [parts for parts in found if None not in parts]
        if one.less is None:
            assert (paper == "–") is not bool(whole), (text, cell, paper)
            assert not whole or close(numbers(paper)[0], whole[0][0] - sum(whole[0][1:]), digits)  # type: ignore
    if one.kind == "ratio":
        assert told == "described"
    elif one.settled:
        assert told == f"not tested: {one.settled}"
    else:
        assert told.partition(" (")[0].partition(";")[0] == outcome(printed, one.sign), (text, cell, ours, told)
        if len(printed) == 3:
            error, freedom, critical = (float(part) for part in details[text, cell, recipe][3:6])
            assert np.isclose((printed[2] - printed[1]) / 2, error * critical, atol=0.02), (text, cell)
            if told.startswith("undecided"):
                wanted = detectable(error, freedom, critical)
                assert np.isclose(numbers(told.partition(";")[0])[-1], wanted, atol=0.1), (told, wanted)
    return len(printed) + 1


def check(text: str, root: Path) -> int:
    """Find every number of the document's appendix in the records below `root`; returns how many there were."""
    import tomllib

    raw = tomllib.loads((Path(__file__).parents[2] / "reports" / "paper" / "numbers.toml").read_text(encoding="utf-8"))
    records = [(path.parent, json.loads(path.read_text())) for path in sorted(root.rglob("record.json"))]
    records = [(folder, one) for folder, one in records if one["spec"]["noise_seed"] is None]  # no ensemble's members
    every = list(tables(text))
    checked = 0
    for number, recipe, (head, *rows) in every:
        claim = next(claim for claim in CLAIMS if claim.number == number)
        if head[0] == "number":
            mine = [(folder, record) for folder, record in records if record["spec"]["recipe"]["name"] == recipe]
            checked += sum(check_level(mine, head, row) for row in rows)
        elif head[2] == "paper":
            parts = [rows for other, _, (first, *rows) in every if other == number and first[2:3] == ["recipe"]]
            details = {(row[0], row[1], row[2]): row for part in parts for row in part}
            for row in rows:
                mine = [(folder, record) for folder, record in records if record["spec"]["recipe"]["name"] == row[6]]
                checked += check_finding(mine, raw, claim, row, details)
            counts = sorted(row[4].partition(" (")[0].partition(";")[0].partition(":")[0] for row in rows)
            check_summary(text, number, {row[6] for row in rows}, counts)
    return checked


def check_summary(text: str, number: int, recipes: set[str], outcomes: list[str]) -> None:
    """The counts of the first table are those of the rows."""
    lines = [line.strip("| ").split(" | ") for line in text.partition("\n## ")[0].splitlines()]
    told = [line[-2] for line in lines if line[0] == str(number) and line[-1] in recipes]
    found = []
    for part in (part.strip() for one in told for part in one.removesuffix(", in this setting").split(",")):
        words, _, count = part.replace(" in all ", " ").rpartition(" ")
        found += [words] * int(count) if count.isdigit() else [part] * outcomes.count(part)
    assert sorted(found) == outcomes, (number, told, outcomes)
