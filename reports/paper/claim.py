"""What a claim is, as data, and the methods that claims compare. No logic here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.plan.suite import Arm
from reports.paper.comparison import Comparison, Side

ARMS: Mapping[str, Arm] = {
    **{
        name: Arm(method=name)
        for name in ("baseline", "scn", "dul", "conf", "rul", "loss_attention", "dul_rul", "rul_head")
    },
    "rul + relabelling": Arm(method="rul", set={"relabel.enabled": True}),
    "rul (released code)": Arm(method="rul", set={"variant": "released"}),
    "rul (any partner)": Arm(method="rul", set={"partner": "any"}),
    "mix_output (logits)": Arm(method="mix_output", set={"space": "logits"}),
    "mix_output (probabilities)": Arm(method="mix_output", set={"space": "probabilities"}),
}
RELABELS = "rul + relabelling"
# arm -> its row in the paper's tables, by table where they differ: in the noisy-label runs of Table 1 RUL relabels
ROWS: Mapping[str, Mapping[str, str]] = {
    "table1": {"baseline": "baseline", "scn": "scn", "dul": "dul", RELABELS: "rul"},
    "table2": {name: name for name in ("scn", "conf", "dul", "rul")},
    "table5": {
        "mix_output (logits)": "mix_output",  # "mix the logits"; of probabilities the paper has no number
        **{name: name for name in ("loss_attention", "rul", "dul", "dul_rul")},
    },
    "table6": {name: name for name in ("scn", "conf", "dul", "rul")},
}

AUTHOR = "RUL's author at github.com/zyh-uaiaaaa/Relative-Uncertainty-Learning"
FACES = ("rafdb", "fer2013", "affectnet")
OTHERS = ("cifar10", "imagenet100")
NOISY = ("10", "20", "30")


@dataclass(frozen=True)
class Claim:
    """One claim. `grid`: data set -> noises as cells name them, none for all there are; empty: whatever there is.

    quote: the paper's words, `where`: their section. table: the paper's, with its numbers; empty: it gives none.
    tested: of a question of ours, the statement that is supported or opposed. shown: further numbers to show.
    """

    number: int
    title: str
    quote: str
    where: str
    grid: Mapping[str, tuple[str, ...]]
    comparisons: tuple[Comparison, ...]
    table: str = ""
    asked: Literal["paper", "here"] = "paper"
    tested: str = ""
    shown: tuple[Side, ...] = field(default=())
    remark: str = ""


def grid_of(datasets: tuple[str, ...], levels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The same noises on each of these data sets."""
    return dict.fromkeys(datasets, levels)


def less(a: str, b: str, measure: str = "accuracy", text: str = "", **options: object) -> Comparison:
    """Arm a minus arm b."""
    words = f"{a} − {b}{f', {text}' if text else ''}"
    return Comparison(words, Side(a, measure), Side(b, measure), **options)  # type: ignore[arg-type]


def within(arm: str, what: str, a: str, b: str, **options: object) -> Comparison:
    """Measure a minus measure b of one arm's own runs."""
    return Comparison(f"{arm}: {what}", Side(arm, a), Side(arm, b), **options)  # type: ignore[arg-type]


LEARNED = ("rul", "scn", "dul", "conf")
