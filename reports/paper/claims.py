"""The paper's claims as data: what it says, and which comparisons of ours would show it. No logic here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
OTHER_RUL = ("rul (released code)", "rul (any partner)")  # whether our reading of the paper decides

FACES = ("rafdb", "fer2013", "affectnet")
OTHERS = ("cifar10", "imagenet100")
NOISY = ("10", "20", "30")


@dataclass(frozen=True)
class Claim:
    """One claim. `grid`: data set -> noises as cells name them, none for all there are.

    quote: the paper's words, `where`: their section; where the paper says nothing, `quote` is empty.
    levels: show the compared numbers themselves, too. shown: further numbers to show.
    """

    number: int
    title: str
    quote: str
    where: str
    grid: Mapping[str, tuple[str, ...]]
    comparisons: tuple[Comparison, ...]
    levels: bool = True
    shown: tuple[Side, ...] = field(default=())
    remark: str = ""


def _grid(datasets: tuple[str, ...], levels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(datasets, levels)


def _less(a: str, b: str, measure: str = "accuracy", **options: object) -> Comparison:
    return Comparison(f"{a} − {b}", Side(a, measure), Side(b, measure), **options)  # type: ignore[arg-type]


def _of(arm: str, what: str, a: str, b: str, **options: object) -> Comparison:
    return Comparison(f"{arm}: {what}", Side(arm, a), Side(arm, b), **options)  # type: ignore[arg-type]


LEARNED = ("scn", "dul", "conf", "rul", RELABELS)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        number=1,
        title="RUL > DUL > SCN > baseline under label noise",
        quote="RUL outperforms SCN and DUL under all circumstances.",
        where="4.3 and Table 1",
        grid=_grid(FACES, NOISY),
        comparisons=(
            _less(RELABELS, "dul"),
            _less("dul", "scn"),
            _less("scn", "baseline"),
            _less(RELABELS, "scn", decides=False),
            _less(RELABELS, "baseline", decides=False),
            *(_less(arm, "baseline", decides=False) for arm in ("rul", *OTHER_RUL)),
        ),
        remark="RUL relabels here, as in the paper's noisy-label runs. The order is that of the paper's RAF-DB "
        "column: on FER2013 its own Table 1 has DUL below SCN at 20 % and 30 % noise. RUL's released code does not "
        "ask for partners of another label; what it makes of the same data stands beside the paper's RUL.",
    ),
    Claim(
        number=2,
        title="RUL's gain grows with the noise",
        quote="the benefit from RUL becomes more obvious as the noise ratio increases up",
        where="4.3",
        grid=_grid(FACES, NOISY),
        comparisons=(
            Comparison(f"{RELABELS} − scn", Side(RELABELS), Side("scn"), kind="trend"),
            Comparison(f"{RELABELS} − baseline", Side(RELABELS), Side("baseline"), kind="trend"),
            Comparison("rul − baseline", Side("rul"), Side("baseline"), kind="trend", decides=False),
        ),
        levels=False,
        remark="All: the slope over the noise, in points per 10 % of noise; pairs: seeds. The paper compares with SCN.",
    ),
    Claim(
        number=3,
        title="Rejecting uncertain images raises the accuracy most with RUL, and not with SCN",
        quote="RUL gets the best performance in all cases, which illustrates that the uncertainty values learned by "
        "RUL are more related to the recognition confidence than other methods.",
        where="4.4, Tables 2 and 6",
        grid=_grid((*FACES, *OTHERS), ("0",)),
        comparisons=(
            Comparison("rul: rise", Side("rul", "rise")),
            *(
                Comparison(f"rul − {arm}: rise", Side("rul", "rise"), Side(arm, "rise"))
                for arm in ("dul", "conf", "scn")
            ),
            Comparison("scn: rise, which should not be", Side("scn", "rise"), sign=-1),
            *(
                Comparison(f"rul − {arm}: 30 % rejected", Side("rul", "at_30"), Side(arm, "at_30"), decides=False)
                for arm in ("dul", "conf", "scn")
            ),
            *(Comparison(f"{arm}: rise", Side(arm, "rise"), decides=False) for arm in OTHER_RUL),
        ),
        shown=(Side("baseline", "rise"), Side("rul", "free_rise"), Side("scn", "free_rise")),
        remark="Rise: the accuracy of the 70 % that are kept minus that of all images. The baseline's uncertainty is "
        "1 − max softmax. In the paper SCN does not rise on RAF-DB and CIFAR-10; on FER2013 it does, by 3 points.",
    ),
    Claim(
        number=4,
        title="RUL beats mix output and loss attention",
        quote="RUL performs better than mix output in both the test accuracy and accuracy with 10% rejection [...] RUL "
        "outperforms the loss attention method",
        where="4.7 and Table 5",
        grid=_grid(FACES, ("0", "30")),
        comparisons=(
            *(
                Comparison(f"rul − {arm}, {text}", Side("rul", measure), Side(arm, measure), decides=decides)
                for arm, decides in (
                    ("mix_output (logits)", False),
                    ("mix_output (probabilities)", True),
                    ("loss_attention", True),
                )
                for measure, text in (("accuracy", "accuracy"), ("at_10", "10 % rejected"))
            ),
            Comparison(
                "rul − loss_attention, 10 % rejected, its certain end",
                Side("rul", "at_10"),
                Side("loss_attention", "reversed_at_10"),
                decides=False,
            ),
            Comparison("dul_rul − dul, accuracy", Side("dul_rul"), Side("dul"), decides=False),
        ),
        remark="Mixing logits is mixing features where the classifier is linear (Table 5's note): that row can only "
        "differ by chance and does not decide. What loss attention learns is a certainty, so its rejection is shown in "
        "both directions. None relabels. dul_rul − dul: section 4.6.",
    ),
    Claim(
        number=5,
        title="RUL costs next to nothing extra",
        quote="It is easy to implement and adds little or no extra computation overhead.",
        where="abstract",
        grid={},
        comparisons=tuple(
            Comparison(
                f"{arm} / baseline",
                Side(arm, "seconds"),
                Side("baseline", "seconds"),
                kind="ratio",
                decides=decides,
            )
            for arm, decides in (("rul", True), (RELABELS, False), ("scn", False), ("dul", False), ("conf", False))
        ),
        levels=False,
        shown=tuple(Side(arm, "parameters") for arm in ("baseline", "rul", "scn", "dul", "conf")),
        remark="All: the median over pairs of the ratio of training seconds an epoch, of the same data set, noise and "
        "seed. In favour: pairs with at most 10 % more, our bound for the paper's “little”. Wilcoxon's signed-rank "
        "test of the ratio against that bound. Runs that share a machine with others disturb each other's times. The "
        "small network makes the two branches weigh more than they do beside a ResNet-18.",
    ),
    Claim(
        number=6,
        title="The uncertainty finds ambiguous faces",
        quote="images with large uncertainty values are more likely to contain ambiguous expressions",
        where="4.5, shown on chosen images, never measured",
        grid=_grid(FACES, ()),
        comparisons=(
            Comparison("rul: correlation", Side("rul", "ambiguity")),
            *(_less("rul", arm, "ambiguity", decides=False) for arm in ("scn", "dul", "conf")),
            *(
                _of(arm, "own − 1 − max softmax", "ambiguity", "free_ambiguity", decides=False)
                for arm in ("scn", "dul", "conf", "rul")
            ),
        ),
        shown=(Side("baseline", "ambiguity"),),
        remark="Spearman's rank correlation of a test image's uncertainty with the entropy of its annotators' votes "
        "(FER+, ten people an image). The claim is the first row: above zero.",
    ),
    Claim(
        number=7,
        title="What relabelling contributes",
        quote="if the maximum prediction probability is higher than the one of the given label with a threshold [...] "
        "we choose to rely on the FER model and change the label",
        where="4.3; the paper does not show RUL without it",
        grid=_grid(FACES, ("0", *NOISY)),
        comparisons=(
            Comparison("with − without, noisy labels", Side(RELABELS), Side("rul"), only=NOISY),
            Comparison("with − without, clean labels", Side(RELABELS), Side("rul"), only=("0",), decides=False),
        ),
        shown=(Side(RELABELS, "precision"), Side(RELABELS, "flips"), Side("rul", "flips")),
        remark="The claim: relabelling raises the accuracy. Relabel precision: the share of changed labels that are "
        "right afterwards.",
    ),
    Claim(
        number=8,
        title="What selecting the epoch on the test set contributes",
        quote="",
        where="the paper names no selection; its released code reports the best epoch on the test set",
        grid={},
        comparisons=(
            *(
                _of(arm, "best-on-test − last", "oracle", "accuracy")
                for arm in ("baseline", "scn", "dul", "conf", "rul", RELABELS)
            ),
            *(
                _of(arm, "best-on-validation − last", "validation", "accuracy", decides=False)
                for arm in ("baseline", "rul", RELABELS)
            ),
        ),
        levels=False,
        remark="The claim: the best epoch on the test set overstates the last one. It cannot be below it; what matters "
        "is by how much, beside the differences between methods under 1.",
    ),
    Claim(
        number=9,
        title="What holds under synthetic noise holds under human noise",
        quote="RUL outperforms state-of-the-art FER uncertainty learning methods in both real-world and synthetic "
        "noisy FER datasets.",
        where="abstract; here CIFAR-10N's worst labels, 40.2 % of them wrong, beside as much symmetric noise",
        grid=_grid(("cifar10",), ("40", "human:worse")),
        comparisons=(
            *(_less("rul", arm) for arm in ("baseline", "scn", "dul", "conf")),
            *(
                Comparison(
                    f"{arm}: human − symmetric", Side(arm, level="human:worse"), Side(arm, level="40"), decides=False
                )
                for arm in ("baseline", "scn", "dul", "conf", "rul")
            ),
        ),
        shown=tuple(Side(arm, "flips") for arm in ("baseline", "scn", "dul", "conf", "rul")),
        remark="None relabels. The claim: RUL is above each of the others, under both kinds.",
    ),
    Claim(
        number=10,
        title="A learned uncertainty beats the free score, 1 − max softmax of the same network",
        quote="",
        where="the paper never shows the free score",
        grid={},
        comparisons=tuple(
            _of(arm, f"own − free, {text}", own, free, sign=sign, decides=arm != RELABELS)
            for arm in LEARNED
            for own, free, text, sign in (
                ("at_30", "free_at_30", "accuracy at 30 % rejected", 1),
                ("auroc", "free_auroc", "AUROC of errors", 1),
                ("aurc", "free_aurc", "AURC (lower is better)", -1),
            )
        ),
        levels=False,
        remark="The absolute numbers are in the uncertainty table.",
    ),
)
