"""Pairs of samples and their relative uncertainty (RUL paper 3.2, eq. 2): shared by RUL and its ablations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.core.base import Mixing
from methods.core.losses import cross_entropy, full_precision

SWAP_ROUNDS = 16
TWO_CLASSES = (
    "partners of another label cannot teach two classes apart (each mixture has both labels in equal parts, so what is "
    "learned stays at chance)"
)


def shuffle(labels: Tensor) -> Tensor:
    """Any permutation [B] of the batch, whatever the labels: the released code's partners."""
    return torch.rand(labels.shape[0], device=labels.device).argsort()


def partners(labels: Tensor) -> Tensor:
    """Row [B] of each sample's partner: a random shuffle in which partners' labels differ (paper 3.2).

    labels [B] long. Runs on the labels' device with fixed shapes and no synchronisation. Let m be the size of the
    largest class.

    1. Sort the batch by label, ties in random order. When m <= B/2, rotate by r, uniform in [m, B - m]: a class is one
       run of at most m, so no sample meets its own class, forwards or around the end. When m > B/2 no permutation can
       do it: the largest class takes partners from the others in turn, and the others from it, so that some serve more
       than once (and, of the largest class, some not at all).
    2. A rotation pairs runs with runs. To forget it, swap: in each of `SWAP_ROUNDS` rounds the batch is split into
       random couples, and a couple exchanges partners, half of the time, where all labels still differ. A proposal and
       its reverse are equally likely, so the draw comes close to uniform over the shuffles that exchanges reach from
       the rotation. That is all of them but in special batches (three classes of equal size, each of which takes all
       its partners from one other), where the rotation decides which part is drawn from. Without the half, a batch that
       accepts every exchange makes the same number of them in each round: one parity would never occur.

    A batch of one class allows none: any shuffle.
    """
    size, device = labels.shape[0], labels.device
    same = labels[:, None] == labels
    counts = same.sum(dim=1)
    largest = counts.max()
    rest = size - largest

    in_largest = counts == largest  # used only where m > B/2, hence one class alone
    key = torch.where(largest > rest, (~in_largest).long(), labels)
    random_order = shuffle(labels)
    order = random_order[key[random_order].argsort(stable=True)]
    position = torch.arange(size, device=device)

    room = (rest - largest).clamp(min=0)
    rotation = largest + (torch.rand((), device=device) * (room + 1)).long().clamp(max=room)
    rotated = (position + rotation) % size
    crossed = torch.where(
        position < largest, largest + position % rest.clamp(min=1), (position - largest) % largest
    ).clamp(max=size - 1)
    start = torch.where(largest > rest, crossed, rotated)
    partner = torch.empty_like(order).scatter_(0, order, order[start])

    couples = torch.rand(SWAP_ROUNDS, size, device=device).argsort(dim=1)  # neighbours are a couple; an odd one stays
    mates = torch.empty_like(couples).scatter_(1, couples, couples[:, (position ^ 1).clamp(max=size - 1)])
    coins = torch.rand(SWAP_ROUNDS, size, device=device) < 0.5
    for mate, coin in zip(mates, coins, strict=True):
        offered = partner[mate]
        fits = (labels != labels[offered]) & coin[torch.minimum(position, mate)]
        partner = torch.where(fits & fits[mate], offered, partner)
    return torch.where(rest > 0, partner, random_order)


def relative_uncertainty(log_sigma: Tensor, partner: Tensor, mean_first: bool = False) -> Tensor:
    """u_i [B] in (0, 1) of each sample against its partner; the partner's is 1 - u_i (paper eq. 2).

    log_sigma [B, D], partner [B] long. s_i = sigma_i / (sigma_i + sigma_j) = sigmoid(log sigma_i - log sigma_j) element
    by element, exact and safe in any precision; u_i = mean of s_i over D. `mean_first` is the released code: sigma is
    averaged over D before the ratio (a log-sum-exp here, for the same safety).
    """
    log_sigma = full_precision(log_sigma)
    if mean_first:
        scale = log_sigma.logsumexp(dim=1)
        return torch.sigmoid(scale - scale[partner])
    return torch.sigmoid(log_sigma - log_sigma[partner]).mean(dim=1)


def mix(values: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    """u_i v_i + (1 - u_i) v_j for values [B, ...], partner [B], weight [B] (paper eq. 3)."""
    weight = weight.reshape(-1, *[1] * (values.dim() - 1))
    return weight * values + (1 - weight) * values[partner]


def add_up_loss(logits: Tensor, labels: Tensor, partner_labels: Tensor) -> Tensor:
    """Mean over the batch of CE(logits, y_i) + CE(logits, y_j); logits [B, K], labels [B] (paper eq. 4)."""
    log_p = torch.log_softmax(full_precision(logits), dim=1)
    both = log_p.gather(1, torch.stack((labels, partner_labels), dim=1))
    return -both.sum(dim=1).mean()


def mix_log_probabilities(log_p: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    """log(u_i p_i + (1 - u_i) p_j) [B, K] for log p [B, K], partner [B], weight [B]; without leaving logarithms."""
    weight = weight.clamp(1e-7, 1 - 1e-7)  # its logarithm's gradient is infinite where one sample takes all
    own = torch.log(weight)[:, None] + log_p
    other = torch.log1p(-weight)[:, None] + log_p[partner]
    return torch.logaddexp(own, other)


def mixing_of(
    mu: Tensor, log_sigma: Tensor, classifier: nn.Module, labels: Tensor, weight: Tensor, *, mean_first: bool = False
) -> Mixing:
    """Why RUL works (paper 3.3, figure 2): both losses of two mixed images over the mixing weight.

    Losses of the feature w mu_uncertain + (1 - w) mu_certain under W, and the weight the method itself chooses.

    Row 0 is the certain image, row 1 the uncertain one: mu, log sigma [2, D], labels [2] long. weight [S] in [0, 1] is
    the uncertain image's. `mean_first`: as in `relative_uncertainty`.
    """
    swapped = torch.tensor([1, 0], device=mu.device)
    own = relative_uncertainty(log_sigma, swapped, mean_first)[1]
    logits = classifier(weight[:, None] * mu[1] + (1 - weight[:, None]) * mu[0])
    certain, uncertain = (cross_entropy(logits, label.expand(len(weight)), reduction="none") for label in labels)
    return Mixing(certain, uncertain, own)
