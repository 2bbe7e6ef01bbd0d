"""Two finished runs on drawn faces, made once: by `rul` and by `baseline`, two epochs each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.plan import grid as plan
from benchmarks.plan.spec import Noise
from benchmarks.plan.suite import Arm
from benchmarks.store.runs import Store
from benchmarks.train.context import RunContext
from benchmarks.train.run import execute
from datasets.registry import DATASETS


def train(runs: Path, methods=("rul",), dataset="digits", epochs=1, noise=0.0, sets=(), recipe=None) -> list[Path]:
    """Folders of finished runs of those methods."""
    request = plan.Request(
        arms=tuple(Arm(method=name) for name in methods),
        datasets=(dataset,),
        noise=(Noise(ratio=noise),),
        seeds=(0,),
        epochs=epochs,
        recipe=recipe,
        sets=tuple(plan.parse_set(text) for text in sets),
    )
    sources = request.sources(runs.parent / "data")
    folders = []
    for spec in plan.resolve(request, sources):
        assert execute(spec, RunContext(runs, sources)), (runs / spec.folder / "failure.json").read_text()
        folders.append(Store(runs).run(spec).path)
    return folders


@pytest.fixture(scope="session")
def digits_runs(tmp_path_factory) -> Path:
    """A runs folder with one epoch of `rul`, `baseline` and `mc_dropout` on the digits."""
    runs = tmp_path_factory.mktemp("apply") / "runs"
    train(runs, ("rul", "baseline", "mc_dropout"), sets=("recipe.test_view=single",))
    return runs


@pytest.fixture(scope="session")
def digit_images(tmp_path_factory) -> Path:
    """The digits' test images as files, in their order."""
    folder = tmp_path_factory.mktemp("images")
    save(folder, DATASETS.load("digits")(folder).load().test.images)
    return folder


def save(folder: Path, images: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for row, image in enumerate(images):
        Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(folder / f"{row:05}.png")


def run_of(runs: Path, method: str) -> Path:
    return next(path.parent for path in sorted(runs.rglob("record.json")) if f"/{method}/" in str(path))
