"""Label noise: a kind, a ratio and a seed decide the flipped rows, never the method (paper 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import UserError
from common.files import user_path
from common.registry import unknown
from common.text import printable
from datasets.base import ImageSet, named_by
from datasets.cache.digests import file_digest
from datasets.cache.walk import regular
from datasets.noise.lists import published

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class NoisyLabels:
    """Training labels after noise; `labels[i] != clean[i]` exactly where `mask[i]`."""

    labels: np.ndarray  # [N] int64
    mask: np.ndarray  # [N] bool
    notes: tuple[str, ...] = ()  # how a list was read, where that is not plain

    @property
    def ratio(self) -> float:
        """The realised noise ratio."""
        return float(self.mask.mean()) if len(self.mask) else 0.0


@dataclass(frozen=True)
class Kind:
    """One way of making labels noisy. `apply(clean split, what follows the kind's colon, ratio, seed)`."""

    apply: Callable[[ImageSet, str, float, int], NoisyLabels]
    summary: str
    fixed: bool = False  # has the ratio that its labels have: none can be asked for


# Where the label goes under asymmetric noise, by class name.
CONFUSED: dict[str, str] = {
    # CIFAR-10: Patrini et al., CVPR 2017, which the field has used since.
    "truck": "automobile",
    "bird": "airplane",
    "deer": "horse",
    "cat": "dog",
    "dog": "cat",
    # Expressions: the class that FER+'s annotators (Barsoum et al., ICMI 2016) chose next most often, on the training
    # rows of FER2013 whose majority is the first: anger 9.7 % of the votes, disgust 13.0, fear 19.7, happiness 5.0,
    # sadness 20.7, surprise 8.7, neutral 11.1, contempt 16.2.
    "anger": "neutral",
    "disgust": "neutral",
    "fear": "surprise",
    "happiness": "neutral",
    "sadness": "neutral",
    "surprise": "fear",
    "neutral": "sadness",
    "contempt": "neutral",
    # Digits: Patrini et al.'s map for MNIST.
    "2": "7",
    "3": "8",
    "5": "6",
    "6": "5",
    "7": "1",
}


def confusion(class_names: tuple[str, ...]) -> dict[int, int]:
    """{class: the class its labels turn into} under asymmetric noise; a class without an entry keeps its labels.

    By `CONFUSED` where it knows two classes or more, else each to the next class, the last to the first (pair flip, Han
    et al., NeurIPS 2018).
    """
    at = {name: number for number, name in enumerate(class_names)}
    known = {at[name]: at[to] for name, to in CONFUSED.items() if name in at and to in at}
    return known if len(known) > 1 else {number: (number + 1) % len(at) for number in range(len(at))}


def symmetric(labels: np.ndarray, num_classes: int, ratio: float, seed: int) -> NoisyLabels:
    """Flip exactly round(ratio * N) of `labels` [N], each to a different class, uniformly over the other classes.

    One permutation and one vector of class offsets per seed serve all ratios, so the rows flipped at 10 % are among
    those at 20 %, with the same new labels: a comparison over ratios is paired.
    """
    import numpy as np

    _at_least_two(num_classes)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    offsets = rng.integers(1, num_classes, size=len(labels))  # never 0: the new class differs
    mask = np.zeros(len(labels), dtype=bool)
    mask[order[: round(ratio * len(labels))]] = True
    noisy = np.where(mask, (labels + offsets) % num_classes, labels).astype(np.int64)
    return NoisyLabels(noisy, mask)


def asymmetric(labels: np.ndarray, becomes: Mapping[int, int], ratio: float, seed: int) -> NoisyLabels:
    """Of each class c in `becomes`, turn exactly round(ratio * N_c) of `labels` [N] into class `becomes[c]`.

    As the field counts it: the ratio is that within a class that is confused, so the realised ratio of CIFAR-10, half
    of whose classes are, is half of it. Ratios are nested, as in `symmetric`.
    """
    import numpy as np

    order = np.random.default_rng(seed).permutation(len(labels))
    noisy = labels.astype(np.int64)
    for source, target in becomes.items():
        rows = order[labels[order] == source]
        noisy[rows[: round(ratio * len(rows))]] = target
    return NoisyLabels(noisy, noisy != labels)


def check_noise(kind: str, ratio: float) -> None:
    """Raise UserError, before anything is loaded, for an unknown kind or a ratio outside [0, 1).

    Kinds that bring their own labels (`human:NAME`, `file:PATH`) have the ratio those have: 0 must be asked for.
    """
    chosen, _ = _kind_of(kind)
    if not 0 <= ratio < 1:  # NaN fails too
        raise UserError(f"noise ratio {ratio} is outside [0, 1)")
    if chosen.fixed and ratio:
        raise UserError(f"noise '{kind}' has the ratio of its own labels, which cannot be set to {ratio}; leave it out")


def parse(text: str) -> tuple[str, float]:
    """(kind, ratio) of `0.3`, `asymmetric:0.4`, `human:worse` or `file:noise01.txt`. Raises UserError."""
    name, colon, rest = text.partition(":")
    if not colon and name not in KINDS:
        name, rest = "symmetric", text
    if f"{name}:" in KINDS:
        kind, ratio = text, "0"
    else:
        kind, ratio = name, rest
    try:
        value = float(ratio)
    except ValueError:
        _kind_of(kind)
        raise UserError(f"noise '{text}': '{ratio}' is not a number; valid: {FORMS}") from None
    check_noise(kind, value)
    return named(kind, value)


def named(kind: str, ratio: float) -> tuple[str, float]:
    """The one name of a noise: at ratio 0 every kind that has a ratio leaves the labels clean (`symmetric`, 0)."""
    return (kind, ratio) if ratio or _kind_of(kind)[0].fixed else ("symmetric", 0.0)


def identity(kind: str, root: Path) -> str:
    """What a run's identity calls a kind: `file:PATH` is named by file name and content, so that moving it changes
    nothing and editing it does. `root`: the data folder. Raises UserError for a file that is not there."""
    _kind_of(kind)
    name, _, argument = kind.partition(":")
    if name != "file":
        return kind
    path = user_path(argument)
    if not regular(path):
        raise UserError(f"noise '{printable(kind)}': no such file")
    return f"file:{named_by(path.name, file_digest(path, root))}"


def add_noise(train: ImageSet, kind: str, ratio: float, seed: int) -> NoisyLabels:
    """Noisy labels of a training split.

    Takes the split, not its labels alone, because some kinds need its class names, file names or human labels. The
    result depends on the clean labels, kind, ratio and seed, so every method sees the same flipped labels; the split
    itself stays as it is. Raises UserError as `check_noise` does, and where the split lacks what the kind needs.
    """
    check_noise(kind, ratio)
    chosen, argument = _kind_of(kind)
    return chosen.apply(train, argument, ratio, seed)


def _symmetric(train: ImageSet, argument: str, ratio: float, seed: int) -> NoisyLabels:
    return symmetric(train.labels, len(train.class_names), ratio, seed)


def _asymmetric(train: ImageSet, argument: str, ratio: float, seed: int) -> NoisyLabels:
    _at_least_two(len(train.class_names))
    return asymmetric(train.labels, confusion(train.class_names), ratio, seed)


def _human(train: ImageSet, argument: str, ratio: float, seed: int) -> NoisyLabels:
    if not train.human_labels:
        raise UserError(f"noise 'human:{argument}': this data set comes without human labels (CIFAR-10N: see README)")
    if argument not in train.human_labels:
        raise unknown("human labels", argument, train.human_labels)
    labels = train.human_labels[argument]
    return NoisyLabels(labels, labels != train.labels)


def _file(train: ImageSet, argument: str, ratio: float, seed: int) -> NoisyLabels:
    labels, notes = published(train, user_path(argument))
    return NoisyLabels(labels, labels != train.labels, notes)


# A kind that takes an argument ends in a colon here.
KINDS: dict[str, Kind] = {
    "symmetric": Kind(_symmetric, "RATIO of all labels, each to any other class"),
    "asymmetric": Kind(_asymmetric, "RATIO of each confused class, to the class it is confused with"),
    "human:": Kind(_human, "labels by other people (CIFAR-10N: aggre, random1, random2, random3, worse)", fixed=True),
    "file:": Kind(_file, "a published list of labels (lines `train_00001.jpg 5`)", fixed=True),
}
FORMS = "0.3, asymmetric:0.4, human:worse, file:PATH"


def _kind_of(kind: str) -> tuple[Kind, str]:
    name, colon, argument = kind.partition(":")
    if name + colon not in KINDS or (colon and not argument):
        raise unknown("noise kind", kind, (f"{valid}NAME" if valid.endswith(":") else valid for valid in KINDS))
    return KINDS[name + colon], argument


def _at_least_two(num_classes: int) -> None:
    if num_classes < 2:
        raise UserError(f"label noise needs at least 2 classes, not {num_classes}")
