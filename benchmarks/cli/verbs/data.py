"""`bench.py data list | check | prepare | show`: what is on disk, whether it is sound, and how to get it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import atomic_write, check_writable
from common.text import printable
from datasets.base import Dataset, Splits
from datasets.registry import DATASETS

MOST_PIXELS = 4096  # a side
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def listing(data: Path, names: Sequence[str] = ()) -> str:
    """Every data set: present or missing, where, and its cached copies (images, size, bytes, train fingerprint)."""
    from datasets.cache.store import stored

    lines = []
    width = max(len(name) for name in DATASETS)
    for name in names or DATASETS:
        dataset: Dataset = DATASETS.load(name)(data)
        state = "embedded" if dataset.embedded else "present" if dataset.present() else "missing"
        lines.append(f"{name:<{width}}  {state:<8}  {DATASETS[name].summary}")
        if not dataset.embedded:
            lines.append(f"{'':<{width}}  {dataset.folder}")
        for entry in stored(dataset.name, data):
            count, height, across, channels = entry.shape
            what = f"{count:,} train images {across}x{height}x{channels}, {entry.bytes / 1e6:,.0f} MB"
            lines.append(f"{'':<{width}}  cached: {what}, fingerprint {entry.fingerprint[:12]}  {entry.folder}")
    return "\n".join(map(printable, lines))


def check(name: str, data: Path) -> tuple[str, bool]:
    """Decode everything. (report, whether nothing is broken). Raises UserError for a data set that is not there."""
    from datasets.inspect.check import report, survey

    dataset: Dataset = DATASETS.load(name)(data)
    started = time.perf_counter()
    found = survey(dataset)
    seconds = time.perf_counter() - started
    images = sum(len(part.labels) for part in found.parts.values())
    lines = [f"{name}: {images:,} images looked through in {seconds:.1f} s", *report(found, dataset.official)]
    return "\n".join(map(printable, lines)), not found.broken


def prepare(name: str, data: Path, archive: Path | None = None, size: int | None = None) -> Iterator[str]:
    """Fetch or unpack a data set if it is missing, and build its cache; yields what was done, line by line.

    `size`: pixels a side, the data set's recipe's if None. Raises UserError, with where to apply and what to put where
    for a data set that only its authors may hand out.
    """
    from datasets.images.archive import unpack, unpacked_name

    dataset: Dataset = DATASETS.load(name)(data)
    _check_size(size)
    if dataset.takes and not dataset.argument:
        how = f"python bench.py data prepare {name}:{dataset.takes} --from ARCHIVE"
        raise UserError(f"{name}: {dataset.takes} is missing: {how}")
    if archive is not None and dataset.embedded:
        raise UserError(f"{name} is embedded: there is nothing to unpack")
    archives = {archive: dataset.folder} if archive else {}
    if not archive and not dataset.present():
        archives = {path: dataset.folder / unpacked_name(path) for path in dataset.packed()}
    for path, folder in archives.items():
        unpack(path, folder)
        yield f"unpacked {path} into {folder}"
    if not dataset.present():
        if archives:
            inside = ", ".join(sorted(path.name for path in dataset.folder.iterdir())[:8])
            what = " and ".join(map(str, archives))
            raise UserError(f"{name}: what {what} holds ({inside}) is no layout of it; wanted: {dataset.layouts}")
        dataset.download()
        yield f"downloaded {name} into {dataset.folder}"
    wanted = size if size is not None else _recipe_size(dataset)
    started = time.perf_counter()
    splits = dataset.load(wanted)
    seconds = time.perf_counter() - started
    yield from (f"note: {note}" for note in splits.notes)
    for split, part in splits.parts():
        extras = [f"human labels {', '.join(part.human_labels)}"] if part.human_labels else []
        extras += ["soft labels"] if part.soft_labels is not None else []
        shape = "x".join(map(str, part.images.shape[1:]))
        yield "; ".join([f"{split}: {len(part):,} images {shape}, fingerprint {part.fingerprint}", *extras])
    images = sum(len(part) for _, part in splits.parts())
    yield f"cache ready in {seconds:.1f} s ({images / seconds:,.0f} images/s)"


def show(name: str, data: Path, out: Path, noise: str | None = None, seed: int = 0, size: int | None = None) -> str:
    """Write a picture of the training split, and say what is on it. `noise` as `--noise` takes it."""
    from benchmarks.train.seeding import seed_for
    from datasets import noise as noises
    from datasets.inspect.preview import draw

    _check_size(size)
    if out.suffix.lower() not in FORMATS:
        raise UserError(f"--out {out}: valid: a file ending in .png, .jpg or .webp")
    check_writable(out)
    kind, ratio = noises.parse(noise) if noise else ("symmetric", 0.0)
    dataset: Dataset = DATASETS.load(name)(data)
    splits: Splits = dataset.load(size if size is not None else _recipe_size(dataset))
    noisy = None
    text = f"{name}: {len(splits.train.class_names)} classes"
    if noise:
        # The seed of a run's label noise (benchmarks/train/build.py), so that the picture shows what the methods see.
        derived = seed_for(seed, "noise", dataset.identity(), noises.identity(kind, data))
        noisy = noises.add_noise(splits.train, kind, ratio, derived)
        text += f"; {int(noisy.mask.sum()):,} of {len(noisy.mask):,} labels flipped ({noisy.ratio:.2%}), framed red"
    picture = draw(splits.train, noisy)
    try:
        with atomic_write(out, "wb", keep=True) as file:
            picture.save(file, FORMATS[out.suffix.lower()])
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written ({error.strerror})") from None
    return f"{printable(text)}\nwritten: {printable(str(out))}"


def _check_size(size: int | None) -> None:
    if size is not None and not 1 <= size <= MOST_PIXELS:
        raise UserError(f"--size {size}: valid: 1 to {MOST_PIXELS:,} pixels")


def _recipe_size(dataset: Dataset) -> int | None:
    from benchmarks.plan import recipe

    chosen: Any = recipe.load("quick" if dataset.embedded else "paper", dataset.name)
    size: int | None = chosen.image_size
    return size
