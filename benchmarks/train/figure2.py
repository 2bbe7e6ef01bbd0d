"""The figure-2 experiment of a finished run: which two test images, and what is stored of them."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.train.evaluate import EvaluationSplit, Outputs
from datasets.augment.pipeline import Pipeline
from methods.core.base import Method

POINTS = 101  # weights from 0 to 1
EXTREME = 0.01  # share of the images that count as the least, and as the most, uncertain


def choose(uncertainty: np.ndarray, correct: np.ndarray, labels: np.ndarray) -> tuple[int, int] | None:
    """Rows of the certain and of the uncertain image; all arrays [N]. A rule, so that nobody picks a pretty pair.

    Certain: the middle one of the least uncertain 1 % of the images that are classified right. Uncertain: the middle
    one of the most uncertain 1 % of all images with another label than the certain one's. (The very least and most
    uncertain would be outliers.) None where there is no such pair.
    """
    order = uncertainty.argsort(kind="stable")
    right = order[correct[order]]
    if not len(right):
        return None
    certain = _middle(right)
    other = order[labels[order] != labels[certain]][::-1]
    return (certain, _middle(other)) if len(other) else None


def _middle(ranked: np.ndarray) -> int:
    """The median row of the first 1 % of `ranked`, the lower one of two."""
    return int(ranked[(max(1, round(EXTREME * len(ranked))) - 1) // 2])


@torch.inference_mode()
def figure2(method: Method, pipeline: Pipeline, test: EvaluationSplit, outputs: Outputs) -> dict[str, np.ndarray]:
    """Arrays for `predictions.npz`; none for a method that mixes no features, or a test set without such a pair.

    Row 0 is the certain image, row 1 the uncertain one. `figure2_weight` [101], the uncertain image's share of the
    mixed feature; `figure2_loss_certain`, `figure2_loss_uncertain` [101], cross-entropies in nats towards either's
    label, whose sum RUL minimises; `figure2_own_weight` (scalar), what the method itself gives the uncertain one of
    this pair; `figure2_index`, `figure2_labels` [2], rows of the test set and their labels; `figure2_images` [2, H, W,
    C] uint8. In one view and full precision, whatever the run's own.
    """
    rows = choose(outputs.uncertainty, outputs.logits.argmax(axis=1) == test.labels, test.labels)
    if rows is None:
        return {}
    index = np.array(rows)
    raw, _ = next(test.loader.batches(torch.from_numpy(index), 2))
    labels = torch.from_numpy(test.labels[index]).to(raw.device)
    weight = torch.linspace(0, 1, POINTS, device=raw.device)
    method.eval()
    found = method.mixing_experiment(pipeline.test(raw), labels, weight)
    if found is None:
        return {}
    losses = {"certain": found.loss_certain, "uncertain": found.loss_uncertain}
    return {
        "figure2_weight": weight.cpu().numpy(),
        **{f"figure2_loss_{name}": loss.float().cpu().numpy() for name, loss in losses.items()},
        "figure2_own_weight": found.own_weight.float().cpu().numpy(),
        "figure2_index": index,
        "figure2_labels": test.labels[index],
        "figure2_images": raw.permute(0, 2, 3, 1).cpu().numpy(),
    }
