"""Which of the paper's claims hold: a document made from the records alone (docs/reproduction.md is one)."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.paper.claim import ARMS, Claim
from reports.paper.claims import CLAIMS
from reports.paper.tables import DATASET_LABELS, STAND_INS
from reports.runs.frame import Loaded, value_label
from reports.runs.select import SETUP, describe_setup, largest, recipe_flags
from reports.stats.comparisons import Finding, evaluate
from reports.stats.values import Condition, Values, cells_of
from reports.tables.caption import evidence, of_the_data
from reports.tables.claim_results import ClaimResult, RecipeResult
from reports.tables.claims_grids import QUESTION, Grid, level_grid, ours_range, paper_range, statement
from reports.tables.convergence import still_rising
from reports.tables.take_home import take_home

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Document:
    """All claims. take_home: five lines; summary: the paper's words, its number, ours, the outcome, the recipe;
    forest: what is tested, as (claim, recipe, finding); data: what a reader must know of the data sets."""

    take_home: tuple[str, ...]
    evidence: tuple[str, ...]
    summary: Grid
    entries: tuple[ClaimResult, ...]
    forest: tuple[tuple[int, str, Finding], ...]
    data: tuple[str, ...] = ()


def document(loaded: Loaded) -> Document:
    """Evaluate every claim on all runs there are, each recipe by itself; stand-ins are no part of it."""
    finished = loaded.runs[~loaded.runs["dataset"].isin(list(STAND_INS))]
    runs = _comparable(finished)
    names = list(dict.fromkeys(runs["recipe"].value_counts(sort=True).index))
    values = {name: Values(loaded, runs[runs["recipe"] == name].to_dict("records"), ARMS) for name in names}
    entries = []
    for claim in CLAIMS:
        parts = (_part(claim, name, values[name]) for name in names)
        entries.append(ClaimResult(claim, tuple(part for part in parts if part is not None)))
    forest = tuple(
        (entry.claim.number, part.recipe, one)
        for entry in entries
        for part in entry.parts
        for one in part.findings
        if one.ruling is not None and one.ruling.effect.low is not None
    )
    tiers = {name: values[name].tiers for name in names}
    data = tuple(of_the_data(runs))
    lines = tuple(take_home(runs, tiers, entries, data))
    used = {run_id for entry in entries for part in entry.parts for run_id in part.run_ids}
    notes = (*evidence(runs), *_not_used(finished[~finished["run_id"].isin(used)]), *still_rising(runs))
    return Document(lines, notes, _summary(entries), tuple(entries), forest, data)


def _part(claim: Claim, recipe: str, values: Values) -> RecipeResult | None:
    levels, cells = level_grid(claim, values), cells_of(claim, values)
    if levels is None:
        return None
    tiers = {values.tiers[cell.dataset] for cell in cells}
    sides = [side for comparison in claim.comparisons for side in comparison.sides]
    arms = list(dict.fromkeys(side.arm for side in (*sides, *claim.shown)))
    findings, rows = tuple(evaluate(claim, values)), _rows(values, arms, cells)
    found = {one.comparison for one in findings}
    return RecipeResult(
        recipe=recipe,
        missing=tuple(one.text for one in claim.comparisons if one not in found),
        allowed=tiers != {"none"},
        reproduction="reproduction" in tiers,
        findings=findings,
        levels=levels,
        settings=tuple(_settings(rows)),
        commands=tuple(_commands(values, arms, cells)),
        run_ids=tuple(row["run_id"] for row in rows),
    )


def _summary(entries: Sequence[ClaimResult]) -> Grid:
    rows = []
    for entry in entries:
        claim = entry.claim
        words = f"“{claim.quote}”" if claim.quote else " ".join(filter(None, (claim.title, statement(claim))))
        for part in entry.telling or (None,):
            findings = part.findings if part is not None else ()
            ours, told = ours_range(findings), part.outcome if part is not None else "not tested"
            recipe = part.recipe if part is not None else "none yet"
            rows.append((str(claim.number), words, paper_range(claim, findings), ours, told, recipe))
    return Grid(("", QUESTION, "paper", "ours [95 %]", "outcome", "recipe"), tuple(rows))


def _rows(values: Values, arms: Sequence[str], cells: Sequence[Condition]) -> list[Mapping[str, Any]]:
    found = {row["run_id"]: row for arm in arms for cell in cells for row in values.runs(arm, cell).values()}
    return list(found.values())


def _comparable(runs: pd.DataFrame) -> pd.DataFrame:
    """Of each data set and recipe one set-up, of each method's settings one set of defaults: the usual choice."""
    import pandas as pd

    kept = []
    for _, group in runs.groupby(["dataset", "recipe"], sort=True):
        setup = largest(group, SETUP)
        kept += [largest(group, ["config_key"]) for _, group in setup.groupby(["method", "settings"], sort=True)]
    return pd.concat(kept) if kept else runs


def _not_used(rest: pd.DataFrame) -> Iterator[str]:
    """Which runs are not comparable with those of the document, so that nobody takes them for forgotten."""
    parts = []
    for keys, group in rest.groupby(["dataset", *SETUP, "epochs", "backbone"], dropna=False, sort=True):
        counts = Counter(" ".join(filter(None, one)) for one in zip(group["method"], group["settings"], strict=True))
        arms = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
        parts.append(f"{DATASET_LABELS.get(str(keys[0]), keys[0])}, {describe_setup(group.iloc[0])}: {arms}")
    if parts:
        yield f"{len(rest)} finished runs in no comparison here, of another set-up or settings: {'; '.join(parts)}."


def _settings(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    import pandas as pd

    frame = pd.DataFrame(rows)
    for dataset, group in frame.groupby("dataset", sort=True):
        seeds = ", ".join(str(seed) for seed in sorted(set(group["seed"])))
        name = DATASET_LABELS.get(dataset, dataset)
        count = f"{len(group)} runs, seeds" if len(group) > 1 else "1 run, seed"
        yield f"{name}: {describe_setup(group.iloc[0])}; {count} {seeds}."


def _commands(values: Values, arms: Sequence[str], cells: Sequence[Condition]) -> Iterator[str]:
    """What makes the runs: a command per data set and set of settings; finished runs are skipped."""
    grouped: dict[tuple[str, tuple[tuple[str, Any], ...]], dict[str, list[Mapping[str, Any]]]] = {}
    for cell in cells:
        for arm in arms:
            changes = tuple(ARMS[arm].set.items())
            for row in values.runs(arm, cell).values():
                grouped.setdefault((cell.dataset, changes), {}).setdefault(ARMS[arm].method, []).append(row)
    for (dataset, changes), methods in sorted(grouped.items(), key=lambda item: (item[0][0], str(item[0][1]))):
        rows = [row for part in methods.values() for row in part]
        noise = ",".join(dict.fromkeys(_noise_flag(row) for row in sorted(rows, key=lambda row: row["noise"])))
        seeds = sorted({int(row["seed"]) for row in rows})
        count = str(len(seeds)) if seeds == list(range(len(seeds))) else ",".join(map(str, seeds)) + ","
        words = [
            "python bench.py",
            "--datasets",
            shlex.quote(dataset),
            "--methods",
            ",".join(methods),
            "--noise",
            noise,
        ]
        words += ["--seeds", count, *recipe_flags(rows[0], dataset)]
        for method in methods:
            words += [f"--set {shlex.quote(f'{method}.{key}={value_label(value)}')}" for key, value in changes]
        yield " ".join(words)


def _noise_flag(row: Mapping[str, Any]) -> str:
    if ":" in row["noise_kind"]:
        return str(row["noise_kind"])
    ratio = f"{row['noise']:g}"
    return ratio if row["noise_kind"] == "symmetric" else f"{row['noise_kind']}:{ratio}"
