"""The one walk through people's folders: regular files, real folders once, nothing of the file system's own.

Whoever lists, hashes or counts the files of a data set goes this way, so that all of them see the same files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from datasets.errors import DataError
from datasets.file_lists import Skipped

# What systems, file servers and archives leave in folders (besides hidden files): never a class, never an image.
_LITTER = frozenset(
    {
        "__macosx", "__pycache__", "@eadir", "@__thumb", "@recycle", "@recently-snapshot", "@tmp", "#recycle",
        "#snapshot", "$recycle.bin", "recycler", "system volume information", "lost+found", "thumbs.db", "ehthumbs.db",
        "desktop.ini", "icon\r",
    }
)  # fmt: skip


def is_litter(name: str) -> bool:
    """Whether a file or folder belongs to a system, file server or archive tool, or is hidden."""
    return name.startswith(".") or name.casefold() in _LITTER


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted; litter left out. Raises DataError where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if not is_litter(entry.name) and entry.is_dir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None


def walk(
    folder: Path, root: Path | None = None, skipped: Skipped | None = None, *, descending: bool = False
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(name below `folder`, entry) of every regular file: a folder's files before those of the folders in it.

    Links are followed, but not to a folder of the tree at `root` (`folder` itself if None) or around it, which would be
    met twice or for ever; where `folder` itself is such a link below `root`, it gives nothing. `descending`: later
    folders first. Raises DataError for a folder that cannot be read.
    """
    skipped = skipped if skipped is not None else Skipped()
    tree = Path(os.path.realpath(root or folder))
    if root is not None and _enters_again(folder, root, tree):
        skipped.add("links back into the folder", str(folder.relative_to(root)))
        return
    seen: set[tuple[int, int]] = set()
    pending = [""]
    while pending:
        below = pending.pop()
        folders = []
        for entry in _entries(folder / below):
            name = f"{below}/{entry.name}" if below else entry.name
            if is_litter(entry.name):
                skipped.add("hidden or system files", name)
            elif entry.is_dir():
                if entry.is_symlink() and leads_back(Path(os.path.realpath(entry.path)), tree):
                    skipped.add("links back into the folder", name)
                elif _first_time(entry, seen):
                    folders.append(name)
                else:
                    skipped.add("links back into the folder", name)
            elif entry.is_file():
                yield name, entry
            else:
                skipped.add("pipes, devices or links to nothing", name)
        pending += folders if descending else reversed(folders)


def regular(path: Path) -> bool:
    """Whether it is a file that can be read to an end (no pipe, no device), links followed."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether it is a folder; False for a name that no file can have, too."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def leads_back(target: Path, tree: Path) -> bool:
    """Whether a link to `target` leads into the tree, or to a folder around it."""
    return target.is_relative_to(tree) or tree.is_relative_to(target)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None


def _enters_again(folder: Path, root: Path, tree: Path) -> bool:
    """Whether `folder` is a link below `root` to what is met without it."""
    target = Path(os.path.realpath(folder))
    if target == tree / folder.relative_to(root) or not leads_back(target, tree):
        return False
    return not (target.is_relative_to(tree) and any(map(is_litter, target.relative_to(tree).parts)))


def _first_time(entry: os.DirEntry[str], seen: set[tuple[int, int]]) -> bool:
    try:
        found = entry.stat()
    except OSError:
        return False
    identity = found.st_dev, found.st_ino
    known = identity in seen
    seen.add(identity)
    return not known
