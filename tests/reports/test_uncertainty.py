"""The uncertainty report, made from stored predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.metrics import scores
from benchmarks.metrics.calibration import softmax
from reports.build import build
from tests.benchmarks.metrics.test_scores import sample
from tests.reports.conftest import OWN, save


def arrays(seed: int = 0, size: int = 200) -> dict[str, np.ndarray]:
    logits, _, uncertainty = sample(seed, size, False)
    confident = softmax(logits).max(axis=1) > 0.5  # wrong where not confident: the free score is perfect
    labels = np.where(confident, logits.argmax(axis=1), logits.argmin(axis=1))
    draw = np.random.default_rng(seed + 10)
    return {
        "test_logits": logits, "test_labels": labels, "test_uncertainty": uncertainty.astype(np.float32),
        "test_features": draw.normal(size=(size, 8)).astype(np.float16),
        "test_soft_labels": draw.dirichlet(np.ones(5), size).astype(np.float32),
        "train_uncertainty": draw.random(size), "train_free_uncertainty": draw.random(size),
        "train_flipped": draw.random(size) < 0.3,
    }  # fmt: skip


def test_the_uncertainty_report(tmp_path: Path, runs: Callable[..., Path]) -> None:
    for seed in range(8):
        save(runs(dataset="fer2013", method="rul", seed=seed, recipe=OWN), **arrays(seed))
    for seed in range(3):
        flat = arrays(seed)
        flat["test_uncertainty"][:] = 1
        flat["test_logits"][:, 0] = 99
        save(runs(method="scn", seed=seed), **flat)
    save(runs(method="dul", seed=0), **{**arrays(), "test_logits": np.full((200, 5), np.nan)})
    runs(method="conf", seed=0)
    build(["uncertainty", "calibration", "summary"], [tmp_path / "runs"], tmp_path / "out")
    text = (tmp_path / "out" / "uncertainty.md").read_text()
    assert "faces, 10, scn: one uncertainty for every image: it ranks nothing in 3 of 3" in text
    assert "faces, 10, scn: one class predicted for every image in 3 of 3" in text
    assert "faces, 10, dul: no readable predictions (missing, damaged or not finite) in 1 of 1" in text
    assert "| faces | 10 | conf | own | 0 of 1 | – |" in text
    own, free = (line for line in text.splitlines() if line.startswith("| fer2013 | 10 | rul |"))
    assert "| **100.0 ± 0.0** |" in free and "**" not in own
    calibration = (tmp_path / "out" / "calibration.md").read_text()
    wanted = [100 * scores.of_predictions(arrays(seed))["ece"] for seed in range(8)]
    assert f"| fer2013 | 10 | rul | 8 | {np.mean(wanted):.2f} ± {np.std(wanted, ddof=1):.2f} |" in calibration
    assert "| fer2013 | 10 | rul | recipe mine, 8 epochs" in (tmp_path / "out" / "summary.md").read_text()


def test_finding_wrong_labels(tmp_path: Path, runs: Callable[..., Path]) -> None:
    flipped = np.arange(200) < 60
    old = arrays()
    save(runs(method="rul", noise=0.3), **old)
    build(["wrong-labels"], [tmp_path / "runs"], tmp_path / "out")
    text = (tmp_path / "out" / "wrong-labels.md").read_text()
    assert "do not hold p(given label)" in text and "| own | 1 |" in text and "| 1 − p(given label) |" not in text
    given = np.where(flipped, 0.1, 0.8).astype(np.float32)  # finds them all
    new = {**old, "train_flipped": flipped, "train_p_given": given, "train_p_other": 1 - given}
    new |= {"train_uncertainty": given.astype(float), "train_free_uncertainty": np.ones(200)}
    save(runs(method="dul", noise=0.3), **new)
    build(["wrong-labels"], [tmp_path / "runs"], tmp_path / "out")
    text = (tmp_path / "out" / "wrong-labels.md").read_text()
    assert "do not hold" not in text
    assert "| faces | 30 | dul | 1 − p(given label) | 1 | 100.0 | 100.0 | 100.0 | 100.0 |" in text
    assert "| faces | 30 | dul | p(another label) − p(given label) | 1 | 100.0 | 100.0 | 100.0 | 100.0 |" in text
    assert "| faces | 30 | dul | own | 1 | 0.0 | 0.0 | 0.0 | 0.0 |" in text
    assert "| faces | 30 | dul | 1 − max softmax | 1 | 50.0 | 30.0 | 30.0 | 30.0 |" in text


def test_rows_of_two_set_ups_can_be_told_apart(tmp_path: Path, runs: Callable[..., Path]) -> None:
    longer = OWN.model_copy(update={"epochs": 2 * OWN.epochs})
    for dataset, recipe in (("fer2013", OWN), ("fer2013", longer), ("cifar10", OWN)):
        save(runs(dataset=dataset, method="rul", noise=0.3, recipe=recipe), **arrays())
    build(["uncertainty", "calibration", "wrong-labels"], [tmp_path / "runs"], tmp_path / "out")
    for name in ("uncertainty", "calibration", "wrong-labels"):
        text = (tmp_path / "out" / f"{name}.md").read_text()
        assert all(f"| fer2013 | 30 | rul, recipe mine, {epochs} epochs, " in text for epochs in (8, 16)), name
        assert "| cifar10 | 30 | rul |" in text
