"""Finished runs as released records: small enough to commit, whole enough for every table and figure."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from benchmarks.metrics import label_errors, scores
from benchmarks.metrics.accuracy import REJECTION_PERCENT
from benchmarks.store.record import read_record
from benchmarks.store.run_folder import RunFolder
from benchmarks.store.runs import Store
from common.errors import UserError
from common.files import atomic_write
from common.foreign import Unreadable, read_bytes
from reports.figures.features import PERPLEXITY, drawn_features, embed, embedding_key
from reports.runs.frame import Loaded, load
from reports.runs.groups import seed_groups
from reports.runs.history import LARGEST_HISTORY
from reports.runs.predictions import (
    SHARED,
    TOLERANCE,
    Arrays,
    digest_of,
    read_predictions,
    reversed_accuracy,
    shared_file,
)

# What many runs have in common: the labels of a data set, and of a seed's noise. Kept once.
COMMON = (
    *("test_labels", "test_soft_labels", "train_clean", "train_given", "train_flipped", "train_labels_last"),
    *("test_files", "train_files"),
)
# Rounded to the fewest of these bits, of float32's 23, that leave each number that a report shows.
ROUNDED = (
    "test_logits", "test_uncertainty", "train_uncertainty", "train_free_uncertainty", "train_p_given", "train_p_other",
)  # fmt: skip
BITS = (10, 13, 16)
# A claim compares the features of all seeds, under the least noise; figures of a single run draw the lowest seed there.
FEATURES = ("test_features",)
OF_FIGURES = ("tsne_", "example_", "figure2_")
UNREAD = ("validation_",)  # a run keeps them for its user; the record has what reports say of that split
IMAGES = ("example_images", "figure2_images")  # a data set's own, whose terms are not ours to give away
OF_FLIPS = ("train_uncertainty", "train_free_uncertainty", "train_p_given", "train_p_other")


def release(runs: Sequence[Path], into: Path, *, dirty: bool = False) -> list[str]:
    """Copy every finished run below `runs` to `into`; returns what to tell the user.

    A run's record and history are copied byte for byte, checkpoints and logs are left out, predictions are slimmed
    (docs/reports.md). Runs that are there already, with the same record, are skipped. Each run is written as a run
    writes itself, its record last: an interrupted command leaves whole runs, and the same command goes on.

    Raises UserError, before anything is written, where a record cannot be read, lacks its predictions, was made with
    uncommitted changes or outside a git checkout (unless `dirty`), contradicts another of the same run, or would
    replace another one in `into`; and, at the run in question, where predictions do not give the record's numbers.
    """
    for root in runs:
        if not root.is_dir():
            raise UserError(f"release {root}: no such folder")
        if root.resolve() == into.resolve():
            raise UserError(f"release {root}: that is where released records go; name a folder of runs")
    loaded = load(runs)
    _check(loaded, dirty)
    folders = {str(row.run_id): Path(row.folder) for row in loaded.runs.itertuples()}
    if not folders:
        raise UserError(f"release: no finished runs under {', '.join(map(str, runs))}")
    # A record is one only in a folder of its own names, which lead nowhere else (RunSpec).
    targets = {run_id: into / Path(*path.absolute().parts[-4:]) for run_id, path in folders.items()}
    for path in (*folders.values(), *targets.values()):
        _no_links(path)
    new = [run_id for run_id in folders if not _there(folders[run_id], targets[run_id])]
    left_out = _left_out([into, *runs])
    for run_id in new:
        _copy(folders[run_id], targets[run_id], into, left_out=left_out.get(run_id, FEATURES + OF_FIGURES))
    return list(_summary(runs, into, len(new), len(folders) - len(new)))


def _check(loaded: Loaded, dirty: bool) -> None:
    for problem in (*loaded.unreadable, *loaded.conflicts):
        raise UserError(f"release: {problem}")
    for row in loaded.runs.itertuples():
        if row.dirty is not False and not dirty:
            what = "outside a git checkout" if row.dirty is None else "with uncommitted changes"
            raise UserError(f"release: {row.folder} was made {what}: its code is not that of a commit (--dirty allows)")
        if not RunFolder(row.folder).predictions.is_file():
            raise UserError(f"release: {row.folder} has no predictions.npz; figures and scores need them")


def _no_links(folder: Path) -> None:
    """Raise UserError where a run's files or the folders above it are links: what they lead to is not the run's."""
    files = RunFolder(folder)
    for path in (*folder.parents[:3], folder, files.record, files.history, files.predictions):
        if path.is_symlink():
            raise UserError(f"release: {path} is a link; copy what it leads to, or leave the run out")


def _there(source: Path, target: Path) -> bool:
    """Whether a run is released already. Raises UserError where another record of it is."""
    own, there = RunFolder(source).record, RunFolder(target).record
    if not there.exists():
        return False
    with suppress(Unreadable):
        if read_bytes(there) == read_bytes(own):
            return True
    raise UserError(f"release: {target} holds another record of {source}; remove it first if this one is to replace it")


def _left_out(roots: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    """What is left out of the runs under the least noise of their data set: nothing of each group's lowest seed."""
    first: dict[str, str] = {}
    found: dict[str, tuple[str, ...]] = {}
    for group in seed_groups(load(roots)):
        dataset, noise, _ = group.keys
        if first.setdefault(dataset, noise) == noise:
            lowest, *others = map(str, group.runs["run_id"])
            found |= {lowest: (), **dict.fromkeys(others, OF_FIGURES)}
    return found


def _copy(source: Path, target: Path, root: Path, *, left_out: tuple[str, ...]) -> None:
    """Release one run: shared arrays, its own, history, and the record last."""
    files, copies = RunFolder(source), RunFolder(target)
    try:
        arrays = read_predictions(source)
    except (Unreadable, FileNotFoundError) as error:
        raise UserError(f"release: {files.predictions} cannot be read: {error}") from None
    recorded = (read_record(files.record).metrics.get("last") or {}).items()
    found = _numbers(arrays)
    for name, value in recorded:
        if name in found and isinstance(value, float) and not _near(found[name], value):
            raise UserError(f"release: {files.predictions} gives {name} {found[name]}, its record says {value}")
    slim = _slim(arrays, found, left_out)
    shared = [f"{name}={_share(root, slim.pop(name))}" for name in COMMON if name in slim]
    _save(copies.predictions, slim | {SHARED: np.array(shared)})
    for original, copy in ((files.history, copies.history), (files.record, copies.record)):
        try:
            content = read_bytes(original, LARGEST_HISTORY)
        except FileNotFoundError:
            continue
        except Unreadable as error:
            raise UserError(f"release: {original} cannot be read: {error}") from None
        with atomic_write(copy, "wb") as file:
            file.write(content)


def _slim(arrays: Arrays, numbers: Mapping[str, float], left_out: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays without what no report reads, floats rounded as far as each number stays, labels in few bytes."""
    unread = (*UNREAD, *IMAGES, *left_out)
    kept = {name: array for name, array in arrays.items() if not name.startswith(unread)}
    if "test_features" in kept and "test_features_rows" not in kept:
        kept["test_features_rows"], kept["test_features"] = drawn_features(arrays)
        if not left_out and len(kept["test_features"]) > 3 * PERPLEXITY:
            kept["tsne_key"] = np.array(embedding_key(kept["test_features"]))
            kept["tsne_points"] = embed(kept["test_features"])
    if "train_flipped" in kept and not kept["train_flipped"].any():  # there is nothing for them to find
        kept = {name: array for name, array in kept.items() if name not in OF_FLIPS}
    kept |= {name: _few_bytes(kept[name]) for name in COMMON if name in kept}
    for name in ROUNDED:
        if name in kept and kept[name].dtype == np.float32 and np.isfinite(kept[name]).all():
            trials = (kept | {name: rounded(kept[name], bits)} for bits in BITS)
            kept = next((trial for trial in trials if _agree(numbers, _numbers(trial))), kept)
    return kept


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Float32 rounded to so many bits of mantissa: the rest is zero, which compresses to nothing."""
    dropped = np.uint32(23 - bits)
    whole = np.ascontiguousarray(values).view(np.uint32)
    return ((whole + (np.uint32(1) << (dropped - np.uint32(1)))) >> dropped << dropped).view(np.float32)


def _few_bytes(values: np.ndarray) -> np.ndarray:
    """Whole numbers in the smallest type that holds them; everything else as it is."""
    if values.dtype.kind not in "iu" or not values.size or values.min() < 0:
        return values
    return values.astype(np.min_scalar_type(int(values.max())))


def _numbers(arrays: Arrays) -> dict[str, float]:
    """Every number that a run or a report computes from these arrays, by its name there; NaN where undefined."""
    of_split = scores.of_split(
        arrays["test_logits"], arrays["test_uncertainty"], arrays["test_labels"], arrays.get("test_soft_labels")
    )
    found = {**of_split, **scores.of_predictions(arrays)}
    found |= {f"reversed_accuracy_at_{rate}": reversed_accuracy(arrays, rate / 100) for rate in REJECTION_PERCENT}
    if {"train_uncertainty", "train_free_uncertainty", "train_flipped"} <= set(arrays):
        found |= label_errors.of_training_labels(arrays)
    return {name: float("nan") if value is None else float(value) for name, value in found.items()}


def _agree(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
    """Whether every number that `a` defines is the same in `b`."""
    return all(_near(value, b.get(name, float("nan"))) for name, value in a.items() if value == value)


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= TOLERANCE


def _share(root: Path, values: np.ndarray) -> str:
    """Keep an array in the folder's `shared`; returns its digest. The content is the name: it is written once."""
    digest = digest_of(values)
    path = shared_file(root, digest)
    if not path.is_file():
        _save(path, {"array": values})
    return digest


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """As `np.savez_compressed`, by LZMA, which knows that a number is four bytes; `np.load` reads both."""
    with atomic_write(path, "wb") as file, zipfile.ZipFile(file, "w") as archive:
        for name, values in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # of a fixed date: the same arrays give the same file
            entry.compress_type = zipfile.ZIP_LZMA
            with archive.open(entry, "w") as stream:
                np.lib.format.write_array(stream, np.asanyarray(values), allow_pickle=False)


def _summary(runs: Sequence[Path], into: Path, new: int, known: int) -> Iterator[str]:
    size = sum(path.stat().st_size for path in into.rglob("*") if path.is_file())
    there = f", {known} there already" if known else ""
    yield f"{new} runs released to {into}{there}; {size / 1e6:.1f} MB in all"
    states = Counter(folder.status().state for root in runs for folder in Store(root).folders())
    left = ", ".join(f"{number} {state}" for state, number in sorted(states.items()) if state not in ("done", "absent"))
    if left:
        yield f"not finished, so left out: {left}"
