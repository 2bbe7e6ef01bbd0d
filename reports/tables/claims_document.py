"""Which of the paper's claims hold: a document made from the records alone (docs/reproduction.md is one)."""

from __future__ import annotations

import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.paper.claims import ARMS, CLAIMS, Claim
from reports.paper.tables import DATASET_LABELS, STAND_INS
from reports.runs.frame import Loaded, value_label
from reports.runs.select import SETUP, describe_setup, largest, recipe_flags
from reports.stats.comparisons import Condition, Outcome, Values, Verdict, compare, judged, overall
from reports.tables.caption import evidence
from reports.tables.claims_grids import Grid, comparison_grid, level_grid

if TYPE_CHECKING:
    import pandas as pd

# What a person has checked where a claim fails, beside the released records: claim number -> text.
REMARKS = Path(__file__).parents[1] / "released" / "remarks.toml"


@dataclass(frozen=True)
class RecipeResult:
    """A claim under one recipe. `outcomes` and `cells` are the numbers behind the tables."""

    recipe: str
    verdict: Verdict
    sentence: str
    settings: tuple[str, ...]
    tables: tuple[Grid, ...]
    commands: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    checked: str = ""


@dataclass(frozen=True)
class ClaimResult:
    """A claim and what became of it, one part a recipe; no part: nothing was measured."""

    claim: Claim
    parts: tuple[RecipeResult, ...]

    @property
    def verdicts(self) -> str:
        """For the overview: one verdict a recipe."""
        if len(self.parts) < 2:
            return next((part.verdict for part in self.parts), "not measured")
        return "; ".join(f"{part.recipe}: {part.verdict}" for part in self.parts)


@dataclass(frozen=True)
class Document:
    """All claims."""

    evidence: tuple[str, ...]
    entries: tuple[ClaimResult, ...]


def document(loaded: Loaded, remarks: Path = REMARKS) -> Document:
    """Evaluate every claim on all runs there are, each recipe by itself."""
    checked = _remarks(remarks) if len(loaded.runs) and loaded.runs["released"].all() else {}
    runs = _comparable(loaded.runs)
    names = list(dict.fromkeys(runs["recipe"].value_counts(sort=True).index))
    values = {name: Values(loaded, runs[runs["recipe"] == name].to_dict("records"), ARMS) for name in names}
    entries = []
    for claim in CLAIMS:
        parts = (_part(claim, name, values[name], checked.get(str(claim.number), "")) for name in names)
        entries.append(ClaimResult(claim, tuple(part for part in parts if part is not None)))
    return Document(tuple(evidence(runs)), tuple(entries))


def _remarks(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        return {}
    return {str(key): " ".join(str(text).split()) for key, text in tomllib.loads(path.read_text("utf-8")).items()}


def _comparable(runs: pd.DataFrame) -> pd.DataFrame:
    """Of each data set and recipe one set-up, of each method's settings one set of defaults: the usual choice."""
    import pandas as pd

    kept = []
    for _, group in runs.groupby(["dataset", "recipe"], sort=True):
        setup = largest(group, SETUP)
        kept += [largest(group, ["config_key"]) for _, group in setup.groupby(["method", "settings"], sort=True)]
    return pd.concat(kept) if kept else runs


def _part(claim: Claim, recipe: str, values: Values, checked: str) -> RecipeResult | None:
    sides = [side for comparison in claim.comparisons for side in comparison.sides]
    arms = list(dict.fromkeys(side.arm for side in (*sides, *claim.shown)))
    cells = _cells(claim, values.cells(arms))
    outcomes = judged([compare(comparison, values, cells) for comparison in claim.comparisons])
    measured = [outcome for outcome in outcomes if outcome.pairs]
    if not measured:
        return None
    used = [cell for cell in cells if any(cell in one.cells for one in measured)] or cells
    rows = _rows(values, arms, used)
    tables = [comparison_grid(measured, used)]
    shown = [side for side in sides if claim.levels and not side.level]
    if levels := level_grid((*shown, *claim.shown), values, used):
        tables.insert(0, levels)
    return RecipeResult(
        recipe=recipe,
        verdict=overall(outcomes),
        sentence=_sentence(outcomes),
        settings=tuple(_settings(rows)),
        tables=tuple(tables),
        commands=tuple(_commands(values, arms, used)),
        outcomes=tuple(measured),
        checked=checked,
    )


def _cells(claim: Claim, cells: Sequence[Condition]) -> list[Condition]:
    """The claim's cells that there are runs for; on embedded data where there are none on the claim's own."""
    if not claim.grid:
        return list(cells)
    own = [cell for cell in cells if cell.dataset in claim.grid and _within(cell, claim.grid[cell.dataset])]
    levels = next(iter(claim.grid.values()))
    return own or [cell for cell in cells if cell.dataset in STAND_INS and _within(cell, levels)]


def _within(cell: Condition, levels: Sequence[str]) -> bool:
    return not levels or cell.level in levels


def _rows(values: Values, arms: Sequence[str], cells: Sequence[Condition]) -> list[Mapping[str, Any]]:
    found = {row["run_id"]: row for arm in arms for cell in cells for row in values.runs(arm, cell).values()}
    return list(found.values())


def _sentence(outcomes: Sequence[Outcome]) -> str:
    """The comparisons in words: how many hold, and how many pairs are on the claim's side."""
    parts = []
    for decides, name in ((True, "Deciding rows"), (False, "Other rows")):
        mine = [outcome for outcome in outcomes if outcome.comparison.decides is decides]
        counts = Counter(outcome.verdict for outcome in mine)
        text = ", ".join(f"{verdict} in {counts[verdict]}" for verdict in _VERDICTS if counts[verdict])
        pairs, favour = sum(one.pairs for one in mine), sum(one.favour for one in mine)
        parts += [f"{name} ({len(mine)}): {text}; {favour} of {pairs} pairs on the claim's side."] if mine else []
    return " ".join(parts)


_VERDICTS: tuple[Verdict, ...] = ("holds", "does not hold", "cannot be told", "not measured")


def _settings(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    import pandas as pd

    frame = pd.DataFrame(rows)
    for dataset, group in frame.groupby("dataset", sort=True):
        seeds = ", ".join(str(seed) for seed in sorted(set(group["seed"])))
        stand_in = f" (stand-in: {STAND_INS[dataset]})" if dataset in STAND_INS else ""
        name = DATASET_LABELS.get(dataset, dataset)
        yield f"{name}{stand_in}: {describe_setup(group.iloc[0])}; {len(group)} runs, seeds {seeds}."


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
        words += ["--seeds", count, *recipe_flags(rows[0]["recipe"], rows[0]["epochs"], dataset)]
        for method in methods:
            words += [f"--set {shlex.quote(f'{method}.{key}={value_label(value)}')}" for key, value in changes]
        yield " ".join(words)


def _noise_flag(row: Mapping[str, Any]) -> str:
    if ":" in row["noise_kind"]:
        return str(row["noise_kind"])
    ratio = f"{row['noise']:g}"
    return ratio if row["noise_kind"] == "symmetric" else f"{row['noise_kind']}:{ratio}"
