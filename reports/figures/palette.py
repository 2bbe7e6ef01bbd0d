"""The one palette: a method keeps its colour and line in every figure, and no two methods share both.

The methods of the paper have the colours that are told apart best (Okabe and Ito 2008); the others are picked so that
any two either differ in colour as the colour-blind see it too, or in the kind of line (a test measures it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

Dash = Any  # as matplotlib's `linestyle`

SOLID, DASHED, DOTTED, DASH_DOT = "-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5))
LONG, DASH_DOTS = (0, (10, 3)), (0, (4, 1.2, 1, 1.2, 1, 1.2))
VARIANTS = (DASHED, DOTTED, DASH_DOT, LONG, DASH_DOTS)  # of one method's arms: its colour, another line


@dataclass(frozen=True)
class Style:
    """How an arm is drawn."""

    color: str
    dash: Dash = SOLID


METHODS = {
    "baseline": Style("#000000"),
    "scn": Style("#0072b2"),
    "dul": Style("#e69f00"),
    "conf": Style("#cc79a7"),
    "rul": Style("#d55e00"),
    "dul_rul": Style("#009e73"),
    "mix_output": Style("#56b4e9", DASHED),
    "loss_attention": Style("#882255", DASHED),
    "rul_head": Style("#8a3800", LONG),
    "mixup": Style("#117733", DASH_DOT),
    "manifold_mixup": Style("#999933", DASHED),
    "mc_dropout": Style("#7a7a7a", DASH_DOT),
    "deep_ensemble": Style("#332288", DASHED),
    "eac": Style("#b8a100", DOTTED),
}
# For plug-ins, in the order of their names; what goes beyond has the same colours and other lines.
TURNS = (DASH_DOTS, LONG, DOTTED, DASHED)
SPARE = (
    "#44aa99", "#aa4499", "#661100", "#6699cc", "#dd8877", "#4b6a00", "#8c6bb1", "#a6761d", "#005f73", "#e7298a",
)  # fmt: skip


def method_of(arm: str) -> str:
    """The method of an arm as figures and tables name it: `rul (relabel.enabled=true)`, `rul, no relabelling`."""
    return arm.split(" (", 1)[0].split(",", 1)[0]


def styles(arms: Sequence[str]) -> dict[str, Style]:
    """A style for every arm. Give all arms of a report: those of one method share its colour, not its line."""
    names = sorted(set(arms))
    others = sorted({method_of(arm) for arm in names} - set(METHODS))
    known = dict(METHODS)
    for number, name in enumerate(others):
        turn, place = divmod(number, len(SPARE))
        known[name] = Style(SPARE[place], TURNS[turn] if turn < len(TURNS) else (0, (2 + turn, 1)))
    found: dict[str, Style] = {}
    for name in known:
        variants = [arm for arm in names if method_of(arm) == name]
        plain = known[name]
        lines = [plain.dash, *(dash for dash in VARIANTS if dash != plain.dash)]
        for place, arm in enumerate(sorted(variants, key=lambda arm: (arm != name, arm))):
            extra = (0, (2, 1 + place)) if place >= len(lines) else lines[place]
            found[arm] = replace(plain, dash=extra)
    return found
