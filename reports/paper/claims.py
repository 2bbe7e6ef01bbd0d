"""The paper's claims as data: what it says, and which comparisons of ours would show it. No logic here.

A comparison is the paper's only where its own numbers satisfy it (a test holds them against `numbers.toml`). Questions
that the paper does not put are claims with `asked` "here".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.plan.suite import Arm
from reports.paper.comparison import Comparison, Side

ARMS: Mapping[str, Arm] = {
    **{name: Arm(method=name) for name in ("baseline", "scn", "dul", "conf", "rul", "loss_attention", "dul_rul")},
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
    "table5": {"mix_output (logits)": "mix_output", **{n: n for n in ("loss_attention", "rul", "dul", "dul_rul")}},
    "table6": {name: name for name in ("scn", "conf", "dul", "rul")},
}

FACES = ("rafdb", "fer2013", "affectnet")
OTHERS = ("cifar10", "imagenet100")
NOISY = ("10", "20", "30")


@dataclass(frozen=True)
class Claim:
    """One claim. `grid`: data set -> noises as cells name them, none for all there are; empty: whatever there is.

    quote: the paper's words, `where`: their section. table: the paper's, with its numbers; empty: it gives none.
    shown: further numbers to show.
    """

    number: int
    title: str
    quote: str
    where: str
    grid: Mapping[str, tuple[str, ...]]
    comparisons: tuple[Comparison, ...]
    table: str = ""
    asked: Literal["paper", "here"] = "paper"
    shown: tuple[Side, ...] = field(default=())
    remark: str = ""


def _grid(datasets: tuple[str, ...], levels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(datasets, levels)


def _less(a: str, b: str, measure: str = "accuracy", text: str = "", **options: object) -> Comparison:
    words = f"{a} − {b}{f', {text}' if text else ''}"
    return Comparison(words, Side(a, measure), Side(b, measure), **options)  # type: ignore[arg-type]


def _of(arm: str, what: str, a: str, b: str, **options: object) -> Comparison:
    return Comparison(f"{arm}: {what}", Side(arm, a), Side(arm, b), **options)  # type: ignore[arg-type]


LEARNED = ("rul", "scn", "dul", "conf")

CLAIMS: tuple[Claim, ...] = (
    Claim(
        number=1,
        title="RUL is above SCN and DUL under label noise",
        quote="RUL outperforms SCN and DUL under all circumstances.",
        where="4.3, Table 1",
        grid=_grid(FACES, NOISY),
        comparisons=(_less(RELABELS, "scn"), _less(RELABELS, "dul")),
        table="table1",
        shown=(Side("baseline"), Side("rul"), Side("rul (released code)"), Side("rul (any partner)")),
        remark="RUL relabels, as in the paper's noisy-label runs, whose numbers are of the last epoch (its author, "
        "in public). Table 1's order below RUL differs by data set: DUL before SCN on RAF-DB, after it on FER2013 "
        "from 20 %.",
    ),
    Claim(
        number=2,
        title="RUL's gain over SCN grows with the noise",
        quote="the benefit from RUL becomes more obvious as the noise ratio increases up",
        where="4.3",
        grid=_grid(FACES, NOISY),
        comparisons=(_less(RELABELS, "scn", kind="trend"),),
        table="table1",
        remark="The slope in points per 10 points of noise, a data set at a time.",
    ),
    Claim(
        number=3,
        title="After rejection RUL is best on faces",
        quote="RUL gets the best performance in all cases",
        where="4.4, Table 2",
        grid=_grid(("rafdb", "fer2013"), ("0",)),
        comparisons=tuple(
            _less("rul", arm, f"at_{rate}", f"{rate} % rejected") for rate in (30, 20, 10) for arm in LEARNED[1:]
        ),
        table="table2",
        shown=(Side("baseline", "at_30"), Side("rul", "free_at_30")),
        remark="Each method rejects by its own uncertainty; the baseline, which the paper leaves out, by 1 − max "
        "softmax.",
    ),
    Claim(
        number=4,
        title="RUL improves other classification tasks, and rejection helps there",
        quote="RUL could still improve the performance of the deep learning model on other classification tasks. The "
        "test accuracy increases along with the rejection of the most uncertain test samples",
        where="4.7, Table 6",
        grid=_grid(OTHERS, ("0",)),
        comparisons=(
            *(_less("rul", arm) for arm in LEARNED[1:]),
            Comparison("rul: rise at 30 % rejected", Side("rul", "rise")),
        ),
        table="table6",
        shown=(Side("baseline"), Side("baseline", "rise")),
        remark="At 30 % rejected Table 6 has CONF and DUL above RUL on CIFAR-10, so that is no claim. How the paper "
        "trained here it does not say.",
    ),
    Claim(
        number=5,
        title="Mixing features beats mixing outputs and weighting losses; RUL's uncertainty helps DUL",
        quote="RUL performs better than mix output in both the test accuracy and accuracy with 10% rejection [...] "
        "RUL outperforms the loss attention method",
        where="4.6, 4.7, Table 5",
        grid=_grid(FACES, ("0",)),
        comparisons=(
            _less("rul", "mix_output (logits)", settled="equal by algebra"),
            _less("rul", "loss_attention"),
            _less("rul", "loss_attention", "at_10", "10 % rejected"),
            _less("dul_rul", "dul"),
        ),
        table="table5",
        shown=(Side("mix_output (probabilities)"), Side("loss_attention", "reversed_at_10")),
        remark="The paper's mix output (“mix the logits”) is RUL itself: with a linear classifier W and weights that "
        "sum to one, u W f + (1 − u) W g = W (u f + (1 − u) g), so its 0.62 points are chance. Loss attention learns "
        "a certainty; the appendix has its rejection in both directions.",
    ),
    Claim(
        number=6,
        title="The gain is mainly in disgust and fear",
        quote="RUL increases test accuracy mainly in these two classes",
        where="4.6, by confusion matrices",
        grid=_grid(FACES, ("0",)),
        comparisons=(_less("rul", "baseline", "hard_classes", "(disgust, fear) − (other classes)"),),
        shown=(Side("rul", "balanced"), Side("baseline", "balanced")),
        remark="The mean accuracy of the two classes minus that of the others; how much more of it RUL has.",
    ),
    Claim(
        number=7,
        title="Pretraining: RUL gains most with it, CONF needs it",
        quote="using pretrained model can better deal with label noise as RUL improves the accuracy most when using "
        "pretrained models [...] CONF performs pretty well on RAF-DB while degrades on FER2013",
        where="4.3, 4.4",
        grid=_grid(FACES, ("0", *NOISY)),
        comparisons=(
            _less(
                RELABELS,
                "scn",
                text="less that on FER2013",
                less=("fer2013", ""),
                datasets=("rafdb", "affectnet"),
                levels=NOISY,
            ),
            Comparison(
                "conf: rise at 30 % rejected, less that on FER2013",
                Side("conf", "rise"),
                less=("fer2013", ""),
                datasets=("rafdb",),
                levels=("0",),
            ),
            _less("conf", "dul", "at_30", "30 % rejected, from scratch", sign=-1, datasets=("fer2013",), levels=("0",)),
        ),
        table="table1 table2",
        remark="RAF-DB and AffectNet are pretrained in the paper, FER2013 is not: the data set differs as well.",
    ),
    Claim(
        number=8,
        title="RUL's features are compact, uncertain images lie at the centre",
        quote="encourages intra-class compactness and inter-class separability [...] the samples with high "
        "uncertainty learned by RUL congregate at the center",
        where="4.5, Figure 3, by eye",
        grid=_grid(FACES, ("0",)),
        comparisons=(
            _less("rul", "scn", "silhouette", "silhouette (·100)"),
            _less("rul", "dul", "silhouette", "silhouette (·100)"),
            Comparison("rul: uncertain images' distance to the centre", Side("rul", "centre"), sign=-1),
        ),
        remark="Measured on the test features themselves: the silhouette by label; the mean distance to the centre "
        "of the most uncertain tenth, in per cent above that of the most certain tenth (below zero: nearer).",
    ),
    Claim(
        number=9,
        title="Uncertain images are ambiguous",
        quote="images with large uncertainty values are more likely to contain ambiguous expressions",
        where="4.5, on chosen images",
        grid=_grid(FACES, ()),
        comparisons=(Comparison("rul: rank correlation (·100)", Side("rul", "ambiguity")),),
        shown=(Side("baseline", "ambiguity"), *(Side(arm, "ambiguity") for arm in LEARNED[1:])),
        remark="The correlation of the uncertainty with the entropy of the annotators' votes (FER+, ten an image).",
    ),
    Claim(
        number=10,
        title="RUL costs little",
        quote="It is easy to implement and adds little or no extra computation overhead.",
        where="abstract",
        grid={},
        comparisons=(Comparison("rul / baseline", Side("rul", "seconds"), Side("baseline", "seconds"), kind="ratio"),),
        remark="Seconds of training an epoch. Runs that share a machine disturb each other: described, not tested; "
        "docs/performance.md times both methods' steps in turn.",
    ),
    Claim(
        number=11,
        title="Does the learned uncertainty add something to the free score, 1 − max softmax?",
        quote="",
        where="the paper does not show the free score",
        grid={},
        comparisons=(
            *(_of(arm, "own − free, 30 % rejected", "at_30", "free_at_30") for arm in LEARNED),
            *(_of(arm, "own − free, AUROC of errors", "auroc", "free_auroc") for arm in LEARNED),
            *(_of(arm, "own − free, ambiguity (·100)", "ambiguity", "free_ambiguity") for arm in LEARNED),
        ),
        asked="here",
        remark="Both scores are of the same network and the same images. Where own is not above free, the learned "
        "uncertainty adds nothing for rejection.",
    ),
    Claim(
        number=12,
        title="Which score finds wrong labels?",
        quote="",
        where="the paper relabels the most uncertain images (4.3)",
        grid={},
        comparisons=tuple(
            _of(arm, "1 − p(given label) − own, AUROC", "label_flips", "flips")
            for arm in (RELABELS, *LEARNED, "baseline")
        ),
        asked="here",
        remark="A score of the image alone cannot find flips that are symmetric, unless the network memorises them. "
        "The report wrong-labels has all four scores and their precision.",
    ),
    Claim(
        number=13,
        title="What does relabelling contribute?",
        quote="",
        where="the paper does not show RUL without it under noise",
        grid=_grid(FACES, NOISY),
        comparisons=(
            Comparison(f"{RELABELS}: right labels gained", Side(RELABELS, "labels_gained")),
            Comparison("scn: right labels gained", Side("scn", "labels_gained")),
            _less(RELABELS, "rul"),
        ),
        asked="here",
        shown=(Side(RELABELS, "precision"),),
        remark="Right labels after training minus before, in points of the training set: the last epoch's precision "
        "hides what earlier epochs broke. RUL's author calls relabelling vital in public; the released code lacks it.",
    ),
    Claim(
        number=14,
        title="What does selecting the epoch on the test set contribute?",
        quote="",
        where="the released code reports the best epoch on the test set",
        grid={},
        comparisons=(),
        asked="here",
        shown=tuple(Side(arm, "selected") for arm in ("baseline", *LEARNED, RELABELS)),
        remark="Best epoch on the test set minus last: it cannot be below zero, so it is described and not tested.",
    ),
    Claim(
        number=15,
        title="Does human noise change the comparison?",
        quote="",
        where="the abstract speaks of real-world noise",
        grid=_grid(("cifar10",), ("40", "human:worse")),
        comparisons=tuple(
            _less("rul", arm, text="less that under 40 % symmetric", less=("", "40"), levels=("human:worse",))
            for arm in ("baseline", *LEARNED[1:])
        ),
        asked="here",
        shown=tuple(Side(arm) for arm in ("baseline", *LEARNED)),
        remark="CIFAR-10N's worst labels, 40.2 % of them wrong, beside as much symmetric noise. None relabels.",
    ),
    Claim(
        number=16,
        title="Why does the uncertainty turn round under noise, and what do partners cost?",
        quote="",
        where="4.1 asks for partners of another label; the released code does not",
        grid=_grid((*FACES, *OTHERS), ("0", *NOISY)),
        comparisons=(
            Comparison("rul: pairs that favour the surer image (%)", Side("rul", "surer"), kind="trend"),
            _less("rul (any partner)", "rul"),
            _less("rul (released code)", "rul"),
        ),
        asked="here",
        remark="At equal logits the loss falls with the surer image's weight as (a_i − a_j)(1 − 2p): probability "
        "that belongs to neither label pulls weight to it. Partners of another label leave 1/2 (1 − 1/(K − 1)) of "
        "the contrast between targets, nothing at K = 2; mixing the same label hardly matters, says the author.",
    ),
)
