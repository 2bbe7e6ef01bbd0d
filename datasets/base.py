"""The interface every data set implements, and the values that cross it.

`list` imports every data set's class, so nothing here or beside those classes imports numpy, PIL or torch before a data
set is loaded.
"""

from __future__ import annotations

import hashlib
import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from common.text import printable
from datasets.errors import ContractError, DataError
from datasets.file_lists import Listing

if TYPE_CHECKING:
    import numpy as np

SPLITS = ("train", "test", "validation")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_ARGUMENT = 100  # bytes of an argument that a run's identity holds as it is: runs' folders are named by it
_HASH_CHUNK = 1 << 26  # bytes hashed at a time: a memory map larger than the memory is never held whole


def fingerprint_of(images: np.ndarray, labels: np.ndarray) -> str:
    """32 hex digits that are equal for equal decoded content: images [N, H, W, C] uint8 and labels [N], in order."""
    import numpy as np

    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    rows = max(1, _HASH_CHUNK // max(1, images[:1].nbytes))
    for start in range(0, len(images), rows):
        digest.update(np.ascontiguousarray(images[start : start + rows], dtype=np.uint8).data)
    return digest.hexdigest()[:32]


def named_by(name: str, digest: str) -> str:
    """`NAME-<8 hex digits>`: how a run's identity names a user's own: printable, and not too long for a folder."""
    return f"{printable(name).encode()[:150].decode(errors='ignore')}-{digest[:8]}"


@dataclass(frozen=True)
class ImageSet:
    """One split, decoded."""

    images: np.ndarray  # [N, H, W, C] uint8, memory-mapped where large
    labels: np.ndarray  # [N] int64
    class_names: tuple[str, ...]
    fingerprint: str  # of the content: equal for equal images and labels
    soft_labels: np.ndarray | None = (
        None  # [N, K] float32, rows sum to 1 (votes, true ambiguity); a row of NaN has none
    )
    names: np.ndarray | None = None  # [N] str: the files' names as the data set's own label lists give them
    human_labels: Mapping[str, np.ndarray] = field(default_factory=dict)  # other people's labels [N] int64, by name
    first_code: int = 0  # the number of class 0 in the data set's own label lists (RAF-DB counts from 1)

    @classmethod
    def of(
        cls, images: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...], soft_labels: np.ndarray | None = None
    ) -> ImageSet:
        """A split with its fingerprint computed. Raises DataError for images that are no array and for labels that are
        no whole numbers; `datasets.contract` checks the rest, when all splits are there."""
        import numpy as np

        if not isinstance(images, np.ndarray):
            raise ContractError(f"images are {type(images).__name__}; wanted a NumPy array, uint8 [N, S, S, 1 or 3]")
        labels = np.asarray(labels)
        if labels.size and labels.dtype.kind not in "biu":  # others would be cut to whole numbers
            raise ContractError(f"labels are {labels.dtype}; wanted whole numbers from 0 to {len(class_names) - 1}")
        labels = labels.astype(np.int64, copy=False)
        soft = None if soft_labels is None else np.asarray(soft_labels, dtype=np.float32)
        return cls(images, labels, class_names, fingerprint_of(images, labels), soft)

    def with_images(self, images: np.ndarray) -> ImageSet:
        """The same rows with other pixels; the fingerprint is computed again."""
        return replace(self, images=images, fingerprint=fingerprint_of(images, self.labels))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Splits:
    """A data set as loaded. `notes`: what a reader of the results must know (a count that is not the official one)."""

    train: ImageSet
    test: ImageSet
    validation: ImageSet | None = None
    notes: tuple[str, ...] = ()

    def parts(self) -> Iterator[tuple[str, ImageSet]]:
        """The splits that are there, by name, in the order of `SPLITS`."""
        for name in SPLITS:
            part: ImageSet | None = getattr(self, name)
            if part is not None:
                yield name, part


class Dataset(ABC):
    """A data set under `root` (the `--data` folder). Constructing one touches no file."""

    name: ClassVar[str]
    embedded: ClassVar[bool] = False  # needs nothing on disk
    class_names: ClassVar[tuple[str, ...]]
    channels: ClassVar[int] = 3
    source: ClassVar[str] = ""  # where to get it, on what terms
    layouts: ClassVar[str] = ""  # what to put into its folder
    official: ClassVar[Mapping[str, tuple[int, ...]]] = {}  # images per class, of each split whose numbers are known
    takes: ClassVar[str] = ""  # what must follow the name and a colon, e.g. PATH
    argument: ClassVar[str | None] = None  # what follows it ("folder:PATH")
    cache_version: ClassVar[int] = 1  # raised whenever the same files would be decoded to other arrays than before

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def folder(self) -> Path:
        """Where the user puts it."""
        return self.root / self.name

    @property
    def typed(self) -> str:
        """Its name as it is typed in a shell, with what it takes (`folder:PATH`)."""
        return shlex.quote(f"{self.name}:{self.argument}") if self.argument else self.name

    @abstractmethod
    def present(self) -> bool:
        """Whether something that can be loaded lies on disk: a quick look, no decoding."""

    @abstractmethod
    def load(self, image_size: int | None = None) -> Splits:
        """All splits; images square at `image_size` pixels, or of their own size for None. Raises DataError."""

    def identity(self) -> str:
        """What a run's identity calls it: the name and what it takes, never a path. Raises DataError where it cannot
        look."""
        if not self.argument:
            return self.name
        fits = self.argument.isprintable() and "/" not in self.argument and len(self.argument.encode()) <= _ARGUMENT
        digest = hashlib.sha256(self.argument.encode(errors="surrogateescape")).hexdigest()
        return f"{self.name}:{self.argument if fits else named_by(Path(self.argument).name, digest)}"

    def absolute(self) -> str:
        """Its name as it may be typed from any working folder: a path in it is absolute."""
        return f"{self.name}:{self.argument}" if self.argument else self.name

    def download(self) -> None:
        """Fetch it into `folder`, verified. Raises DataError where only the user may (an account, an agreement)."""
        raise DataError(
            f"{self.name} cannot be downloaded for you: {self.source}; then put {self.layouts} into {self.folder}, "
            f"or give the archive: python bench.py data prepare {self.typed} --from ARCHIVE"
        )

    def files(self) -> Listing | None:
        """Every split's image files, for a look at each; None where it is not made of such. Raises DataError."""
        return None

    def packed(self) -> list[Path]:
        """Archives in its folder that nobody has unpacked."""
        try:
            found = sorted(self.folder.iterdir())
        except (OSError, ValueError):
            return []
        return [path for path in found if path.name.endswith(ARCHIVES) and not path.name.startswith(".")]

    def missing(self) -> DataError:
        """The error for a data set that is not there, or not unpacked."""
        if packed := self.packed():
            return DataError(
                f"{self.name}: {packed[0]} is still packed: python bench.py data prepare {self.typed} unpacks it"
            )
        return DataError(
            f"{self.name} is missing: looked in {self.folder} for {self.layouts}{self._found()}; {self.source}"
        )

    def _found(self) -> str:
        try:
            names = sorted(path.name for path in self.folder.iterdir())
        except (OSError, ValueError):
            return ""
        return f", found {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}" if names else ", which is empty"
