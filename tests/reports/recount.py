"""Every number of the document of claims found again in the records: read, averaged and tested by another way than
reports/ does it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from reports.paper.claims import ARMS, CLAIMS
from reports.paper.comparison import Side
from reports.paper.tables import DATASET_LABELS
from reports.runs.predictions import predictions, scores_of_run
from reports.stats.measures import MEASURES

Records = list[tuple[Path, dict[str, Any]]]

# Where a measure lies in a record: read here without reports/frame.py.
WHERE = {
    "accuracy": ("last", "accuracy", 100), "at_10": ("last", "accuracy_at_10", 100),
    "at_30": ("last", "accuracy_at_30", 100), "free_at_30": ("last", "free_accuracy_at_30", 100),
    "auroc": ("last", "error_auroc", 100), "free_auroc": ("last", "free_error_auroc", 100),
    "ambiguity": ("last", "ambiguity_spearman", 1), "free_ambiguity": ("last", "free_ambiguity_spearman", 1),
    "flips": ("last", "flip_auroc", 100), "oracle": ("best_on_test", "accuracy", 100),
    "validation": ("best_on_validation", "accuracy", 100),
}  # fmt: skip


def value(measure: str, folder: Path, record: dict[str, Any]) -> float | None:
    if measure in WHERE:
        group, name, factor = WHERE[measure]
        found = (record["metrics"].get(group) or {}).get(name)
        return None if found is None else factor * found
    if measure in ("rise", "free_rise"):
        high, low = (value(name, folder, record) for name in (measure.replace("rise", "at_30"), "accuracy"))
        return None if high is None or low is None else high - low
    if measure == "precision":
        return 100 * record["relabelling"][-1]["relabel_precision"] if record["relabelling"] else None
    if measure == "seconds":
        return record["timing"]["train_seconds"] / record["spec"]["recipe"]["epochs"]
    if measure == "parameters":
        return record["provenance"].get("parameters")
    if measure == "reversed_at_10":
        return reversed_at_10(folder)
    found = scores_of(folder)
    return 1000 * found[f"{'free' if measure.startswith('free') else 'own'}.aurc"] if found else None


scores_of = cache(scores_of_run)


@cache
def reversed_at_10(folder: Path) -> float | None:
    arrays = predictions(folder)
    if arrays is None:
        return None
    value = -arrays["test_uncertainty"]
    kept = len(value) - round(0.1 * len(value))
    ordered = np.sort(value)
    before, ties = np.searchsorted(ordered, value), np.searchsorted(ordered, value, "right")
    chance = np.clip((kept - before) / (ties - before), 0, 1)  # equal ones at the boundary stay with the same chance
    return 100 * float(chance @ (arrays["test_logits"].argmax(axis=1) == arrays["test_labels"])) / kept


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
    if side.level:
        cell = f"{cell.partition(', ')[0]}, {side.level}" + ("" if ":" in side.level else " %")
    found = {
        record["spec"]["seed"]: value(side.measure, folder, record)
        for folder, record in records
        if is_arm(record, side.arm) and cell_of(record) == cell
    }
    return {seed: float(number) for seed, number in found.items() if number is not None}


def numbers(text: str) -> list[float]:
    return [float(part) for part in re.findall(r"-?\d+(?:\.\d+)?", text.replace("−", "-").replace("+", ""))]


def tables(text: str) -> Iterator[tuple[int, str, str, list[list[str]]]]:
    """(claim, recipe, its prose, rows with the head first) of every table below a claim's heading."""
    for section in text.split("\n## ")[1:]:
        for part in section.split("\n**Recipe ")[1:]:
            prose = "\n\n".join(block for block in part.split("\n\n") if not block.startswith(("|", "```")))
            for block in part.split("\n\n"):
                if block.startswith("|"):
                    lines = [line.strip("| ").split(" | ") for line in block.strip().splitlines()]
                    clean = [[field.replace("\\_", "_").replace("&lt;", "<") for field in line] for line in lines]
                    yield int(section.partition(".")[0]), part.partition(":")[0], prose, [clean[0], *clean[2:]]


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
        digits = MEASURES[side.measure].digits
        printed = numbers(field)
        assert len(printed) == len(wanted) and printed[-1] == wanted[-1], (row[0], cell)
        assert all(close(a, b, digits) for a, b in zip(printed, wanted, strict=True)), (row[0], cell, field, wanted)
        checked += len(printed)
    return checked


def check_comparison(records: Records, claim: int, head: list[str], row: list[str]) -> tuple[bool, float | None]:
    """Everything but the adjusted p and the verdict; returns whether the row decides, and p before adjusting."""
    text, _, total, pairs, favour, over_seeds, _, *fields = row
    entry = next(entry for entry in CLAIMS if entry.number == claim)
    comparison = next(one for one in entry.comparisons if one.text == text.removesuffix(" °"))
    assert comparison.decides is not text.endswith("°")
    ratio, sign, columns = comparison.kind == "ratio", comparison.sign, head[7:]
    digits = 2 if ratio else MEASURES[comparison.a.measure].digits
    gaps: dict[tuple[str, int], float] = {}
    for cell in columns[:1] if comparison.a.level else columns:
        if comparison.only and not any(cell.endswith(f", {level} %") for level in comparison.only):
            continue
        a = by_seed(records, comparison.a, cell)
        b = by_seed(records, comparison.b, cell) if comparison.b else dict.fromkeys(a, 0.0)
        gaps |= {(cell, s): a[s] / b[s] if ratio else a[s] - b[s] for s in a if s in b}
    for cell, field in zip(columns, fields, strict=True):
        mine = [gap for (of, _), gap in gaps.items() if of == cell and not comparison.a.level]
        assert field == "–" if not mine else same(field, mine, digits), (text, cell, field, mine)
    every = list(gaps.values())
    if comparison.kind == "trend":
        slope, p, each = trend(gaps)
        assert (int(pairs), int(favour)) == (len(each), sum(sign * one > 0 for one in each))
        assert close(numbers(total)[0], slope, digits) and same(over_seeds, t_test(each), 3)
        assert len(each) < 2 or close(numbers(total)[1], float(np.std(each, ddof=1)), digits)
        return comparison.decides, p
    assert int(pairs) == len(every)
    logs = {key: float(np.log(gap / 1.1)) for key, gap in gaps.items()} if ratio else gaps
    assert same(over_seeds, t_test(seed_means(logs)), 3), (text, over_seeds)
    if ratio:
        assert int(favour) == sum(one <= 1.1 for one in every) and close(numbers(total)[0], np.median(every), digits)
        return comparison.decides, stats.wilcoxon(list(logs.values())).pvalue if len(every) > 1 else None
    assert int(favour) == sum(sign * gap > 0 for gap in every) and same(total, every, digits)
    return comparison.decides, t_test(every)


def same(text: str, wanted: list[float] | float | None, digits: int) -> bool:
    """Whether a field shows the mean and deviation of these values, or this p."""
    if isinstance(wanted, list):
        shown = numbers(text)
        expected = [np.mean(wanted), *([np.std(wanted, ddof=1)] if len(wanted) > 1 else [])]
        return len(shown) == len(expected) and all(close(a, b, digits) for a, b in zip(shown, expected, strict=True))
    if wanted is None or text == "–":
        return wanted is None and text == "–"
    return wanted < 0.001 if text == "< 0.001" else close(float(text), wanted, digits)


def t_test(gaps: list[float]) -> float | None:
    if len(gaps) < 2:
        return None
    if not any(gaps):
        return 1.0
    return None if np.ptp(gaps) < 1e-9 else float(stats.ttest_1samp(gaps, 0).pvalue)


def seed_means(gaps: dict[tuple[str, int], float]) -> list[float]:
    parts: dict[tuple[str, int], list[float]] = {}
    for (cell, seed), gap in gaps.items():
        parts.setdefault((cell.partition(",")[0], seed), []).append(gap)
    return [float(np.mean(part)) for part in parts.values()]


def trend(gaps: dict[tuple[str, int], float]) -> tuple[float, float | None, list[float]]:
    """Slope, its p and each seed's own slope, by a regression with one dummy variable a seed."""
    points: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for (cell, seed), gap in gaps.items():
        dataset, _, level = cell.partition(", ")
        points.setdefault((dataset, seed), []).append((numbers(level)[0] / 10, gap))
    points = {key: part for key, part in points.items() if len(part) > 1}
    flat = [(group, x, y) for group, part in points.items() for x, y in part]
    design = np.array([[x, *(float(group == other) for other in points)] for group, x, _ in flat])
    y = np.array([one for _, _, one in flat])
    found, *_ = np.linalg.lstsq(design, y, rcond=None)
    freedom = len(y) - design.shape[1]
    if freedom < 1:
        return found[0], None, [stats.linregress(*zip(*part, strict=True)).slope for part in points.values()]
    error = np.sqrt(((y - design @ found) ** 2).sum() / freedom * np.linalg.inv(design.T @ design)[0, 0])
    p = float(2 * stats.t.sf(abs(found[0]) / error, freedom))
    return found[0], p, [stats.linregress(*zip(*part, strict=True)).slope for part in points.values()]


def check_tests(rows: list[list[str]], tests: list[tuple[bool, float | None]]) -> None:
    """Holm by its definition, over the rows that decide and over the others; and the verdicts' side of 5 %."""
    for decides in (True, False):
        family = [(p, row) for (flag, p), row in zip(tests, rows, strict=True) if flag is decides]
        known = sorted((p for p, _ in family if p is not None))
        for p, row in family:
            steps = [min(1.0, (len(known) - at) * one) for at, one in enumerate(known) if p is not None and one <= p]
            adjusted = max(steps) if steps else None
            assert same(row[6], adjusted, 3), (row[0], row[6], adjusted)
            told = adjusted is not None and bool(adjusted < 0.05)
            assert told is (row[1] in ("holds", "does not hold")), row[0]


def check_prose(records: Records, claim: int, prose: str, head: list[str], rows: list[list[str]]) -> int:
    """How many pairs are on the claim's side, and how many runs of which seeds the tables are of."""
    entry = next(entry for entry in CLAIMS if entry.number == claim)
    counts = {}
    for name, decides in (("Deciding", True), ("Other", False)):
        mine = [row for row in rows if row[0].endswith("°") is not decides]
        counts[name] = (sum(int(row[4]) for row in mine), sum(int(row[3]) for row in mine))
    stated = re.findall(r"(Deciding|Other) rows \(\d+\): [^;]*; (\d+) of (\d+) pairs", prose)
    assert stated and all((int(favour), int(pairs)) == counts[name] for name, favour, pairs in stated)
    sides = [side for one in entry.comparisons for side in one.sides] + list(entry.shown)
    arms = {side.arm for side in sides}
    pattern = r"^([^\n]*?)(?: \(stand-in[^\n]*\))?: recipe [^\n]*; (\d+) runs, seeds ([\d, ]+)\.$"
    settings = re.findall(pattern, prose, re.M)
    assert settings
    for label, count, seeds in settings:
        mine = [
            record for _, record in records
            if cell_of(record) in head[7:] and cell_of(record).startswith(f"{label}, ")
            and any(is_arm(record, arm) for arm in arms)
        ]  # fmt: skip
        assert int(count) == len(mine), (claim, label)
        assert seeds == ", ".join(map(str, sorted({record["spec"]["seed"] for record in mine})))
    return 2 * len(stated) + len(settings)


def check(text: str, root: Path) -> int:
    """Find every number of the document's tables in the records below `root`; returns how many there were."""
    records = [(path.parent, json.loads(path.read_text())) for path in sorted(root.rglob("record.json"))]
    records = [(folder, one) for folder, one in records if one["spec"]["noise_seed"] is None]  # no ensemble's members
    checked = 0
    for claim, recipe, prose, (head, *rows) in tables(text):
        mine = [(folder, record) for folder, record in records if record["spec"]["recipe"]["name"] == recipe]
        if head[0] == "number":
            checked += sum(check_level(mine, head, row) for row in rows)
            continue
        check_tests(rows, [check_comparison(mine, claim, head, row) for row in rows])
        checked += sum(len(numbers(" ".join(row[2:]))) for row in rows)
        checked += check_prose(mine, claim, prose, head, rows)
    return checked
