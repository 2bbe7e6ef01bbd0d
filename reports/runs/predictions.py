"""A run's stored predictions, for the reports that need more than its record."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.metrics.accuracy import accuracy_after_rejection
from benchmarks.metrics.ranking import auroc
from benchmarks.metrics.scores import of_predictions
from benchmarks.store.arrays import check, read_arrays
from benchmarks.store.record import read_record
from benchmarks.store.run_folder import RunFolder
from common.foreign import Unreadable

log = logging.getLogger(__name__)
Arrays = Mapping[str, np.ndarray]
TOLERANCE = 0.5e-4  # half a unit of the fourth decimal: reports show no more

# Released records keep what many runs have in common (labels, noise) once: `shared/<digest>.npz` in their folder. A
# run's own file names it in an array of strings, `name=digest`.
SHARED = "shared"


def shared_file(root: Path, digest: str) -> Path:
    """Where below a folder of released records an array that runs share lies."""
    return root / SHARED / f"{digest}.npz"


def digest_of(values: np.ndarray) -> str:
    """What an array that runs share is named by: its type, shape and content."""
    content = f"{values.dtype}{values.shape}".encode() + np.ascontiguousarray(values).tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def read_predictions(folder: Path) -> Arrays:
    """The arrays of a run's `predictions.npz` (`benchmarks.train.results` names them), as a run writes them.

    Raises Unreadable with the reason, also where its record tells another result, FileNotFoundError without predictions
    or record.
    """
    arrays = read_arrays(RunFolder(folder).predictions)
    for entry in arrays.pop(SHARED, np.array([])).ravel():
        name, _, digest = str(entry).partition("=")
        if not re.fullmatch("[0-9a-f]{16}", digest):  # it becomes a path
            raise Unreadable(f"{SHARED}: {entry!r:.80} names no array")
        try:
            path = shared_file(folder.parents[3], digest)
            found = path.stat()
            arrays[name] = _shared(path, found.st_size, found.st_mtime_ns)
        except (FileNotFoundError, KeyError):
            raise Unreadable(f"{SHARED}/{digest}.npz, which holds its {name:.80}, is missing") from None
        except (Unreadable, OSError) as error:
            raise Unreadable(f"{SHARED}/{digest}.npz: {error}") from None
    check(arrays)
    _of_record(arrays, read_record(RunFolder(folder).record).metrics["last"] or {})
    return arrays


def _of_record(arrays: Arrays, last: Mapping[str, float | None]) -> None:
    """Raise Unreadable where the predictions are another run's than the record, by what both tell of the test set."""
    correct = arrays["test_logits"].argmax(axis=1) == arrays["test_labels"]
    found = {"accuracy": float(correct.mean()), "error_auroc": auroc(arrays["test_uncertainty"], ~correct)}
    for name, value in found.items():
        told = last.get(name)
        if value is not None and told is not None and abs(value - told) > TOLERANCE:
            raise Unreadable(f"it is of another run: its {name} is {value:.4f}, the record's {told:.4f}")


@lru_cache(maxsize=64)  # what the runs of a data set and noise share, of several seeds
def _shared(path: Path, size: int, changed: int) -> np.ndarray:
    array = read_arrays(path)["array"]
    if (found := digest_of(array)) != path.stem:
        raise Unreadable(f"it holds another array, of digest {found}")
    array.flags.writeable = False
    return array


def predictions(folder: Path) -> Arrays | None:
    """The arrays of `predictions.npz`, or None where there are none to be used; the reason is logged."""
    try:
        return read_predictions(folder)
    except FileNotFoundError:
        return None
    except Unreadable as error:
        log.warning("%s is unreadable: %s", RunFolder(folder).predictions, error)
        return None


def reversed_accuracy(arrays: Arrays | None, rate: float) -> float:
    """Test accuracy when the `rate` *least* uncertain images are rejected; NaN without stored predictions."""
    if arrays is None:
        return float("nan")
    correct = arrays["test_logits"].argmax(axis=1) == arrays["test_labels"]
    value = accuracy_after_rejection(correct, -arrays["test_uncertainty"].astype(np.float64), rate)
    return float("nan") if value is None else value


def scores_of_run(folder: Path) -> dict[str, float]:
    """The scores of a run folder; empty where its predictions are missing or damaged."""
    arrays = predictions(folder)
    return {} if arrays is None else of_predictions(arrays)
