"""Label noise: kinds of it, and lists of labels as they are published."""

from datasets.noise.kinds import (
    CONFUSED,
    FORMS,
    KINDS,
    NoisyLabels,
    add_noise,
    asymmetric,
    check_noise,
    confusion,
    identity,
    named,
    parse,
    symmetric,
)

__all__ = [
    "CONFUSED",
    "FORMS",
    "KINDS",
    "NoisyLabels",
    "add_noise",
    "asymmetric",
    "check_noise",
    "confusion",
    "identity",
    "named",
    "parse",
    "symmetric",
]
