"""Every number of the document of claims found again in the records, and every outcome derived again, by other code
than that of reports/."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

from reports.paper.claim import ARMS, Claim
from reports.paper.claims import CLAIMS
from reports.paper.comparison import Comparison, Side
from reports.paper.tables import DATASET_LABELS
from reports.stats.measures import MEASURES
from tests.reports.recount_values import Records, by_seed

NAMES = {label: name for name, label in DATASET_LABELS.items()}


class SplitPlot(NamedTuple):
    """What an analysis of variance of a complete table finds. variance: of a value in its cell; shared: the correlation
    of an arm's cells."""

    variance: float
    freedom: float
    shared: float


def split_plot(y: np.ndarray) -> SplitPlot:
    """The classical analysis of values [A, C, S] of arms, cells and seeds: seeds are blocks of a cell."""
    a, c, s = y.shape
    rest = y - y.mean(axis=2, keepdims=True)  # seeds within arm and cell
    rest = rest - rest.mean(axis=0, keepdims=True)  # less what a seed does to all arms of a cell
    whole = rest.mean(axis=1, keepdims=True)  # what it does to an arm in all cells
    between = c * (whole**2).sum() / ((a - 1) * (s - 1))
    within = ((rest - whole) ** 2).sum() / ((a - 1) * (c - 1) * (s - 1))
    variance = (between + (c - 1) * within) / c
    freedom = variance**2 / (
        (between / c) ** 2 / ((a - 1) * (s - 1)) + ((c - 1) * within / c) ** 2 / ((a - 1) * (c - 1) * (s - 1))
    )
    return SplitPlot(variance, freedom, (between - within) / c / variance)


def critical(correlation: np.ndarray, freedom: float, draws: int = 100_000) -> float:
    """The value below which the largest of correlated |t| lies with 95 % probability, by simulation."""
    draw = np.random.default_rng(0)
    normal = draw.multivariate_normal(np.zeros(len(correlation)), correlation, draws)
    largest = np.abs(normal).max(axis=1) / np.sqrt(draw.chisquare(freedom, draws) / freedom)
    return float(np.quantile(largest, 0.95))


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


def outcome(estimate: list[float], sign: int, runs: int, margin: float = 1.0) -> str:
    """From an estimate with the ends of its interval, or without."""
    if len(estimate) == 1:
        return "one seed" if runs == 1 else "undecided"
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
        assert told.partition(" (")[0].partition(";")[0] == outcome(printed, one.sign, int(runs)), (text, ours, told)
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
    if any(one["timing"].get("load") is not None for _, one in records):  # then those that do not say are not alone
        for _, one in records:
            one["timing"]["load"] = one["timing"].get("load") or float("inf")
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
            counts = [row[4].partition(" (")[0].partition(";")[0].partition(":")[0] for row in rows]
            recipes = {row[6] for row in rows}
            for recipe in recipes:  # what is compared, and has no row
                counts += ["not tested"] * (len(claim.comparisons) - len({row[0] for row in rows if row[6] == recipe}))
            check_summary(text, number, recipes, sorted(counts))
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
