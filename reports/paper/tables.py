"""The tables as data: which suite fills each, along which axis, and what the reader must be told. No logic here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Definition:
    """A table. `rates` are rejection rates in per cent; Table 1 runs along the noise instead."""

    name: str
    heading: str
    suite: str
    axis: Literal["noise", "rejection"] = "rejection"
    rates: tuple[int, ...] = (0,)
    free_score: bool = False  # 1 - max softmax of the same logits beside the method's own uncertainty
    both_directions: bool = False  # also reject the least uncertain, for a method that may learn a certainty
    published_rows: Mapping[str, str] = field(
        default_factory=dict
    )  # arm -> its row in numbers.toml, where named otherwise
    remarks: tuple[str, ...] = ()


# How the paper spells the data sets.
DATASET_LABELS = {
    "rafdb": "RAF-DB",
    "fer2013": "FER2013",
    "affectnet": "AffectNet",
    "cifar10": "CIFAR-10",
    "imagenet100": "ImageNet-100",
}

# Stand-ins are embedded data; what they are, in the words a caption needs.
STAND_INS = {"faces": "embedded drawn faces", "digits": "embedded scanned digits, 8x8 pixels"}

_FREE = (
    "own: images rejected by the method's own uncertainty; by 1 − max softmax: by that of the same logits, which costs "
    "nothing and which the paper does not show. A learned uncertainty that is not above it adds nothing for rejection. "
    "* = the two differ (each run against itself; 95 % intervals that hold for all cells of a rate)."
)

TABLES = {
    definition.name: definition
    for definition in (
        Definition(
            name="table1",
            heading="Table 1",
            suite="table1",
            axis="noise",
            remarks=(
                "rul relabels the most uncertain samples, as the paper does in its noisy-label runs (section 4.3); "
                "the released code does not.",
            ),
        ),
        Definition(
            name="table2",
            heading="Table 2",
            suite="table2",
            rates=(0, 10, 20, 30),
            free_score=True,
            remarks=(_FREE, "FER2013: the private test set."),
        ),
        Definition(
            name="table3",
            heading="Table 3",
            suite="table3",
            remarks=(
                "(quoted): as the paper quotes it; not run here.",
                "The paper gives SCN 87.03 here, 87.35 in Table 2.",
            ),
        ),
        Definition(
            name="table4",
            heading="Table 4",
            suite="table4",
            remarks=("(quoted): as the paper quotes it; not run here.",),
        ),
        Definition(
            name="table5",
            heading="Table 5",
            suite="table5",
            rates=(0, 10),
            free_score=True,
            both_directions=True,
            published_rows={"mix_output (logits)": "mix_output"},
            remarks=(
                _FREE,
                "Finding: with a linear classifier W and weights that sum to one, mixing the logits is mixing the "
                "features: u W f + (1 − u) W g = W (u f + (1 − u) g). The paper's mix output (“mix the logits”) is "
                "therefore RUL itself, and what separates the two rows can only be chance. Mixing probabilities is "
                "another method and has a row of its own.",
                "reversed: the least uncertain images are rejected. loss_attention weights each sample's own loss by "
                "u; minimising that pushes u down on hard samples, so what it learns is a certainty, and its column "
                "“own” rejects in the wrong direction.",
                "dul, dul_rul: section 4.6 (DUL's variances replaced by RUL's uncertainty); "
                "the paper gives dul 88.17 there, 88.04 in Table 2, and no rejection.",
            ),
        ),
        Definition(
            name="table6",
            heading="Table 6",
            suite="table6",
            rates=(0, 10, 20, 30),
            free_score=True,
            remarks=(_FREE, "The paper does not say how it trained on CIFAR-10 and ImageNet-100."),
        ),
    )
}
