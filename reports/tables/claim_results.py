"""A claim and what became of it, recipe by recipe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reports.paper.claim import Claim
from reports.stats.comparisons import Finding
from reports.tables.claims_grids import Grid, counted


@dataclass(frozen=True)
class RecipeResult:
    """A claim under one recipe: the findings, the numbers themselves, how they were made.

    missing: the comparisons that there are no runs for, by name; allowed: whether any of the data sets' runs may be
    tested; run_ids: the runs that have the numbers.
    """

    recipe: str
    missing: tuple[str, ...]
    allowed: bool
    reproduction: bool
    findings: tuple[Finding, ...]
    levels: Grid | None
    settings: tuple[str, ...]
    commands: tuple[str, ...]
    run_ids: tuple[str, ...]

    @property
    def told(self) -> str:
        """All findings in short; "not tested" where the recipe allows no verdict or nothing can be compared."""
        if not self.findings:
            return "not tested" if self.missing or not self.allowed else "described"
        return counted(self.findings, len(self.missing))

    @property
    def outcome(self) -> str:
        """As `told`, with the reach of it."""
        plain = {one.outcome for one in self.findings} <= {"described", "not tested", "one seed"}
        return self.told if self.reproduction or plain else f"{self.told}, in this setting"


@dataclass(frozen=True)
class ClaimResult:
    """A claim and what became of it, one part a recipe; no part: there are no runs."""

    claim: Claim
    parts: tuple[RecipeResult, ...]

    @property
    def telling(self) -> tuple[RecipeResult, ...]:
        """The parts whose recipe allows a verdict; where there is none, all. The appendix has all in any case."""
        return tuple(part for part in self.parts if part.allowed) or self.parts

    @property
    def tested(self) -> Iterator[RecipeResult]:
        """The parts in which something is tested."""
        return (part for part in self.parts if any(one.ruling is not None for one in part.findings))
