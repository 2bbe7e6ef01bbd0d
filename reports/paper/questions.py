"""What the paper does not show: questions of ours as claims with `asked` "here". No logic here."""

from __future__ import annotations

from reports.paper.claim import AUTHOR, FACES, LEARNED, NOISY, OTHERS, RELABELS, Claim, grid_of, less, within
from reports.paper.comparison import Comparison, Side

QUESTIONS: tuple[Claim, ...] = (
    Claim(
        number=12,
        title="Does the learned uncertainty add something to the free score, 1 − max softmax?",
        quote="",
        where="the paper does not show the free score",
        grid={},
        comparisons=(
            *(within(arm, "own − free, 30 % rejected", "at_30", "free_at_30") for arm in (*LEARNED, RELABELS)),
            *(within(arm, "own − free, AUROC of errors", "auroc", "free_auroc") for arm in (*LEARNED, RELABELS)),
            *(
                within(arm, "own − free, ambiguity (·100)", "ambiguity", "free_ambiguity")
                for arm in (*LEARNED, RELABELS)
            ),
        ),
        asked="here",
        tested="the method's own score is above the free one",
        remark="Both scores are of the same network and the same images. Where own is not above free, the learned "
        "uncertainty adds nothing for rejection.",
    ),
    Claim(
        number=13,
        title="Which score finds wrong labels?",
        quote="",
        where="the paper relabels the most uncertain images (4.3)",
        grid={},
        comparisons=tuple(
            within(arm, "1 − p(given label) − own, AUROC", "label_flips", "flips")
            for arm in (RELABELS, *LEARNED, "baseline")
        ),
        asked="here",
        tested="1 − p(given label) is above the method's own score",
        remark="A score of the image alone cannot find flips that are symmetric, unless the network memorises them. "
        "The report wrong-labels has all four scores and their precision.",
    ),
    Claim(
        number=14,
        title="What does relabelling contribute?",
        quote="",
        where="the paper does not show RUL without it under noise",
        grid=grid_of((*FACES, *OTHERS), ()),
        comparisons=(
            Comparison(f"{RELABELS}: right labels gained", Side(RELABELS, "labels_gained")),
            Comparison("scn: right labels gained", Side("scn", "labels_gained")),
            less(RELABELS, "rul"),
        ),
        asked="here",
        tested="relabelling gains right labels and accuracy",
        shown=(
            Side(RELABELS, "precision"),
            *(Side(arm, name) for name in ("auroc", "at_30") for arm in (RELABELS, "rul")),
        ),
        remark="Right labels after training minus before, in points of the training set: the last epoch's precision "
        "hides what earlier epochs broke. SCN relabels under whatever labels it is given, also clean ones. The "
        f"released code lacks relabelling, which is vital ({AUTHOR}, issue 4).",
    ),
    Claim(
        number=15,
        title="What does selecting the epoch on the test set contribute?",
        quote="",
        where="the released code reports the best epoch on the test set",
        grid={},
        comparisons=(),
        asked="here",
        shown=tuple(Side(arm, "selected") for arm in ("baseline", *LEARNED, RELABELS)),
        remark="Best epoch on the test set minus last: in a single view it cannot be below zero, so it is described "
        "and not tested.",
    ),
    Claim(
        number=16,
        title="Does human noise change the comparison?",
        quote="",
        where="the abstract speaks of real-world noise",
        grid=grid_of(("cifar10",), ("40", "human:worse")),
        comparisons=tuple(
            less("rul", arm, text="less that under 40 % symmetric", less=("", "40"), levels=("human:worse",))
            for arm in ("baseline", *LEARNED[1:])
        ),
        asked="here",
        tested="human noise is kinder to RUL than as much symmetric noise",
        shown=tuple(Side(arm) for arm in ("baseline", *LEARNED)),
        remark="CIFAR-10N's worst labels, 40.2 % of them wrong, beside as much symmetric noise. RUL does not relabel "
        "here; SCN does.",
    ),
    Claim(
        number=17,
        title="Why does the uncertainty turn round under noise, and what do partners cost?",
        quote="",
        where="3.2 asks for partners of another label; the released code does not",
        grid=grid_of((*FACES, *OTHERS), ("0", *NOISY)),
        comparisons=(
            Comparison("rul: pairs that favour the surer image (%)", Side("rul", "surer"), kind="trend"),
            *(
                less(arm, "rul", measure, text)
                for measure, text in (
                    ("accuracy", ""),
                    ("auroc", "AUROC of errors"),
                    ("at_30", "30 % rejected"),
                    ("ambiguity", "ambiguity (·100)"),
                )
                for arm in ("rul (any partner)", "rul (released code)")
            ),
        ),
        asked="here",
        tested="pairs that favour the surer image grow with the noise; other partners than the paper's are better",
        shown=(
            *(Side(arm, "surer") for arm in ("baseline", "dul")),
            *(Side(arm, name) for name in ("auroc", "ambiguity") for arm in (RELABELS, "baseline", "dul")),
        ),
        remark="The two images of a mixed pair share a weight. At equal logits the loss falls as the surer image gets "
        "more of it, by as much probability as the softmax gives to neither of their labels; the more such pairs, the "
        "more the surer image passes for the uncertain one. Such pairs grow with the noise for the baseline and DUL, "
        "too (appendix), so that this alone explains nothing. Partners of another label leave 1/2 (1 − 1/(K − 1)) of "
        "the contrast between the targets of K classes, nothing of two. “Mixing samples with the same labels might "
        "degrade the uncertainty learning branch, but has little or no effect to the overall classification accuracy” "
        f"({AUTHOR}, issue 6).",
    ),
    Claim(
        number=18,
        title="What do uncertainty and mixing add to RUL's own head?",
        quote="",
        where="4.2 gives RUL a head of its own and does not say which the baseline has",
        grid=grid_of((*FACES, *OTHERS), ("0", *NOISY)),
        comparisons=(
            *(less("rul", "rul_head"), less("dul", "rul_head"), less("rul_head", "baseline")),
            less("rul", "rul_head", "silhouette", "silhouette (·100)"),
            less("rul", "rul_head", "centre", "uncertain images' distance to the centre", sign=-1),
        ),
        asked="here",
        tested="uncertainty and mixing add to the head; the head adds to the baseline",
        remark="rul_head is cross-entropy behind RUL's mu branch (dropout 0.4 and a layer to 64 features between two "
        "normalisations), where the baseline has an average pool: RUL without uncertainty and mixing. None "
        "relabels. How DUL stands rests on how its KL term is read, and the head's clean runs are of one "
        "processor, most of the baseline's of another (docs/checks.md).",
    ),
)
