"""All runs below one folder."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from benchmarks.plan.paths import RunPath
from benchmarks.plan.spec import RunSpec
from benchmarks.store.lease import Lease
from benchmarks.store.record import BadRecord, Record, read_record
from benchmarks.store.run_folder import RunFolder


class Store:
    """All runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, spec: RunSpec, held: Lease | None = None) -> RunFolder:
        """The folder of a spec, whether it exists or not."""
        return RunFolder(self.root / spec.folder, held)

    def now(self) -> float:
        """The time as the file server has it, which stamps the files; this machine's where nothing can be written."""
        probe = self.root / f".now-{uuid.uuid4().hex[:8]}"
        try:
            probe.touch()
            try:
                return probe.stat().st_mtime
            finally:
                probe.unlink()
        except OSError:
            return time.time()

    def folders(self) -> Iterator[RunFolder]:
        """Every run folder there is, in order of its path."""
        for path in sorted(self.root.glob(RunPath.PATTERN)):
            if ".aside-" not in path.name and _may_be_folder(path):
                yield RunFolder(path)

    def records(self) -> Iterator[tuple[Path, Record | BadRecord]]:
        """Every record, or why it cannot be read."""
        for folder in self.folders():
            try:
                yield folder.path, read_record(folder.record)
            except FileNotFoundError:
                continue
            except BadRecord as error:
                yield folder.path, error


def _may_be_folder(path: Path) -> bool:
    """Whether a path is a folder, or lies in one that may not be entered: its record then counts as unreadable."""
    try:
        return path.is_dir()
    except PermissionError:
        return True
