"""A run's stored predictions, for the reports that need more than its record."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.metrics.accuracy import accuracy_after_rejection
from benchmarks.metrics.scores import of_predictions
from benchmarks.store.run_folder import RunFolder

Arrays = Mapping[str, np.ndarray]

# Released records keep what many runs have in common (labels, noise) once: `shared/<digest>.npz` in their folder. A
# run's own file names it in an array of strings, `name=digest`.
SHARED = "shared"


def shared_file(root: Path, digest: str) -> Path:
    """Where below a folder of released records an array that runs share lies."""
    return root / SHARED / f"{digest}.npz"


def predictions(folder: Path) -> Arrays | None:
    """The arrays of `predictions.npz` (`benchmarks.train.run` names them), or None when there are none to read."""
    try:
        arrays = _read(RunFolder(folder).predictions)
        for entry in arrays.pop(SHARED, ()):
            name, _, digest = str(entry).partition("=")
            arrays[name] = _read(shared_file(folder.parents[3], digest))["array"]
    except (OSError, ValueError, EOFError, KeyError, IndexError, zipfile.BadZipFile, zlib.error):
        return None
    return arrays


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


# What every run stores for its test set; everything else is optional.
_NEEDED = ("test_logits", "test_labels", "test_uncertainty")


def usable_predictions(folder: Path) -> Arrays | None:
    """The arrays of a run if the test set's are all there and finite."""
    arrays = predictions(folder)
    if arrays is None or not set(_NEEDED) <= set(arrays) or not len(arrays["test_labels"]):
        return None
    finite = all(np.isfinite(arrays[name]).all() for name in ("test_logits", "test_uncertainty"))
    return arrays if finite else None


def reversed_accuracy(arrays: Arrays | None, rate: float) -> float:
    """Test accuracy when the `rate` *least* uncertain images are rejected; NaN without stored predictions."""
    if arrays is None or not set(_NEEDED) <= set(arrays):
        return float("nan")
    correct = arrays["test_logits"].argmax(axis=1) == arrays["test_labels"]
    value = accuracy_after_rejection(correct, -arrays["test_uncertainty"].astype(np.float64), rate)
    return float("nan") if value is None else value


def scores_of_run(folder: Path) -> dict[str, float]:
    """The scores of a run folder; empty where its predictions are missing, damaged or not finite."""
    arrays = predictions(folder)
    if arrays is None:
        return {}
    try:
        if not (np.isfinite(arrays["test_logits"]).all() and np.isfinite(arrays["test_uncertainty"]).all()):
            return {}
        return of_predictions(arrays)
    except (KeyError, IndexError, ValueError):
        return {}
