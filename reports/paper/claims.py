"""The paper's claims as data: what it says, and which comparisons of ours would show it. No logic here.

A comparison is the paper's only where its own numbers satisfy it (a test holds them against `numbers.toml`). Questions
that the paper does not put are in questions.py.
"""

from __future__ import annotations

from reports.paper.claim import AUTHOR, FACES, LEARNED, NOISY, OTHERS, RELABELS, Claim, grid_of, less
from reports.paper.comparison import Comparison, Side
from reports.paper.questions import QUESTIONS

SCALES = "the scales are not the same"
OF_THE_PAPER: tuple[Claim, ...] = (
    Claim(
        number=1,
        title="RUL is above SCN and DUL under label noise",
        quote="RUL outperforms SCN and DUL under all circumstances.",
        where="4.3, Table 1",
        grid=grid_of(FACES, NOISY),
        comparisons=(less(RELABELS, "scn"), less(RELABELS, "dul")),
        table="table1",
        shown=(Side("baseline"), Side("rul"), Side("rul (released code)"), Side("rul (any partner)")),
        remark="RUL relabels, as in the paper's noisy-label runs, whose numbers are of the last epoch "
        f"({AUTHOR}, issue 7). Table 1's order below RUL differs by data set: DUL before SCN on RAF-DB, "
        "after it on FER2013 from 20 %. How DUL stands under noise rests on how its KL term is read: docs/checks.md.",
    ),
    Claim(
        number=2,
        title="RUL's gain over SCN grows with the noise",
        quote="the benefit from RUL becomes more obvious as the noise ratio increases up",
        where="4.3",
        grid=grid_of(FACES, NOISY),
        comparisons=(less(RELABELS, "scn", kind="trend"),),
        table="table1",
        remark="The slope in points per 10 points of noise, a data set at a time.",
    ),
    Claim(
        number=3,
        title="After rejection RUL is best on faces",
        quote="RUL gets the best performance in all cases",
        where="4.4, Table 2",
        grid=grid_of(("rafdb", "fer2013"), ("0",)),
        comparisons=tuple(
            less("rul", arm, f"at_{rate}", f"{rate} % rejected") for rate in (30, 20, 10) for arm in LEARNED[1:]
        ),
        table="table2",
        shown=(Side("baseline", "at_30"), Side("rul", "free_at_30")),
        remark="Each method rejects by its own uncertainty; the baseline, which the paper leaves out, by 1 − max "
        "softmax. DUL's uncertainty is upside down here (question 12, docs/checks.md), so that to be above it says "
        "little; SCN relabels on clean labels, too (question 14).",
    ),
    Claim(
        number=4,
        title="RUL improves other classification tasks, and rejection helps there",
        quote="RUL could still improve the performance of the deep learning model on other classification tasks. The "
        "test accuracy increases along with the rejection of the most uncertain test samples",
        where="4.7, Table 6",
        grid=grid_of(OTHERS, ("0",)),
        comparisons=(
            *(less("rul", arm) for arm in LEARNED[1:]),
            Comparison("rul: rise at 30 % rejected", Side("rul", "rise")),
        ),
        table="table6",
        shown=(Side("baseline"), Side("baseline", "rise")),
        remark="At 30 % rejected Table 6 has CONF and DUL above RUL on CIFAR-10, so that is no claim. How the paper "
        "trained here it does not say. SCN relabels on clean labels, too (question 14).",
    ),
    Claim(
        number=5,
        title="Mixing features beats mixing outputs and weighting losses; RUL's uncertainty helps DUL",
        quote="RUL performs better than mix output in both the test accuracy and accuracy with 10% rejection [...] "
        "RUL outperforms the loss attention method",
        where="4.6, 4.7, Table 5",
        grid=grid_of(FACES, ("0",)),
        comparisons=(
            less("rul", "mix_output (logits)", settled="equal by algebra"),
            less("rul", "mix_output (probabilities)"),
            less("rul", "mix_output (probabilities)", "at_10", "10 % rejected"),
            less("rul", "loss_attention"),
            less("rul", "loss_attention", "at_10", "10 % rejected"),
            less("dul_rul", "dul"),
        ),
        table="table5",
        shown=(Side("loss_attention", "reversed_at_10"),),
        remark="The paper's mix output (“mix the logits”) is RUL itself: with a linear classifier W and weights that "
        "sum to one, u W f + (1 − u) W g = W (u f + (1 − u) g), so its 0.62 points are chance; mixed probabilities are "
        "something else. What loss attention learns is a certainty, since its loss pushes down the weight of hard "
        "images; the comparison at 10 % rejected reads it as an uncertainty, as of all methods, so that it says little "
        "of which network is better. The appendix has its accuracy the other way round, too. The ablations' runs are "
        "of another processor than most of RUL's and DUL's, which may be worth half a point (docs/checks.md).",
    ),
    Claim(
        number=6,
        title="The gain is mainly in disgust and fear",
        quote="RUL increases test accuracy mainly in these two classes",
        where="4.6, by confusion matrices",
        grid=grid_of(FACES, ("0",)),
        comparisons=(less("rul", "baseline", "hard_classes", "(disgust, fear) − (other classes)"),),
        shown=(Side("rul", "balanced"), Side("baseline", "balanced")),
        remark="The mean accuracy of the two classes minus that of the others; how much more of it RUL has.",
    ),
    Claim(
        number=7,
        title="Pretraining: RUL gains most with it, CONF needs it",
        quote="using pretrained model can better deal with label noise as RUL improves the accuracy most when using "
        "pretrained models [...] CONF performs pretty well on RAF-DB while degrades on FER2013",
        where="4.3, 4.4",
        grid=grid_of(FACES, ("0", *NOISY)),
        comparisons=(
            less(
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
            less("conf", "dul", "at_30", "30 % rejected, from scratch", sign=-1, datasets=("fer2013",), levels=("0",)),
        ),
        table="table1 table2",
        remark="RAF-DB and AffectNet are pretrained in the paper, FER2013 is not: the data set differs as well. What "
        "FER2013 alone can show is that CONF degrades from scratch; DUL, which it is held against, has its uncertainty "
        "upside down here (docs/checks.md).",
    ),
    Claim(
        number=8,
        title="RUL's features are compact, uncertain images lie at the centre",
        quote="encourages intra-class compactness and inter-class separability [...] the samples with high "
        "uncertainty learned by RUL congregate at the center",
        where="4.5, Figure 3, by eye",
        grid=grid_of(FACES, ("0",)),
        comparisons=(
            less("rul", "scn", "silhouette", "silhouette (·100)"),
            less("rul", "dul", "silhouette", "silhouette (·100)"),
            Comparison("rul: uncertain images' distance to the centre", Side("rul", "centre"), sign=-1),
        ),
        shown=tuple(Side(arm, name) for name in ("silhouette", "centre") for arm in ("conf", "baseline", "rul_head")),
        remark="Measured on the test features themselves: the silhouette by label; the mean distance to the centre "
        "of the most uncertain tenth, in per cent above that of the most certain tenth (below zero: nearer). RUL's and "
        "DUL's features are those of their head, 64 dimensions, SCN's those of the average pool, 256. Uncertain images "
        "of the baseline and of RUL's head alone lie at the centre as well (appendix), so that they do is not RUL's.",
    ),
    Claim(
        number=9,
        title="Uncertain images are ambiguous",
        quote="images with large uncertainty values are more likely to contain ambiguous expressions",
        where="4.5, on chosen images",
        grid=grid_of(FACES, ("0", *NOISY)),
        comparisons=(
            Comparison("rul: rank correlation (·100)", Side("rul", "ambiguity"), levels=("0",)),
            Comparison(f"{RELABELS}: rank correlation (·100)", Side(RELABELS, "ambiguity"), levels=NOISY),
        ),
        shown=(Side("baseline", "ambiguity"), *(Side(arm, "ambiguity") for arm in LEARNED[1:])),
        remark="The correlation of the uncertainty with the entropy of the annotators' votes (FER+, ten an image). RUL "
        "relabels under noise, as in the paper; without relabelling its uncertainty turns round (question 17).",
    ),
    Claim(
        number=10,
        title="RUL's uncertainty is large for more images, and for those that are hard",
        quote="RUL learns large uncertainty values for more samples while the other two methods learn relative small "
        "uncertainty values (smaller than 0.4 on RAF-DB and smaller than 0.6 on FER2013) for all samples [...] images "
        "which are hard for human to recognize [...] only RUL learns large uncertainty values for them",
        where="4.5, Figures 5 and 6",
        grid=grid_of(("rafdb", "fer2013"), ("0",)),
        comparisons=(
            *(
                less("rul", arm, f"above_{level}", f"share above 0.{level // 10}", datasets=(dataset,), settled=SCALES)
                for dataset, level in (("rafdb", 40), ("fer2013", 60))
                for arm in ("scn", "dul")
            ),
            *(less("rul", arm, "hard_auroc", "AUROC of hard images") for arm in ("scn", "dul")),
        ),
        shown=(*(Side(arm, "hard_auroc") for arm in ("conf", "baseline")), *(Side(a, "auroc") for a in LEARNED)),
        remark="The paper stretches RUL's values alone to [0, 1], so that they reach 1 by construction; here a run "
        "whose values leave [0, 1] is stretched: RUL's always, DUL's where a sigma exceeds 1, so that DUL's share "
        "jumps between seeds. Shares are therefore shown and not tested. No scale matters to the AUROC with which the "
        "uncertainty finds the tenth of the images that annotators agree on least (FER+ votes). DUL's is upside down "
        "here, and SCN relabels on clean labels, too (question 14).",
    ),
    Claim(
        number=11,
        title="RUL costs little",
        quote="It is easy to implement and adds little or no extra computation overhead.",
        where="abstract",
        grid={},
        comparisons=(Comparison("rul / baseline", Side("rul", "seconds"), Side("baseline", "seconds"), kind="ratio"),),
        remark="Seconds of training an epoch, of runs that had the machine to themselves, by its load in their records "
        "(of all runs where no record has it). Described, not tested; docs/performance.md times the steps in turn.",
    ),
)
CLAIMS: tuple[Claim, ...] = (*OF_THE_PAPER, *QUESTIONS)
