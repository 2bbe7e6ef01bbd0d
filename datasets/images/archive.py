"""A user's archive, unpacked: never outside its folder, never over what is there, never more than the disk can hold."""

from __future__ import annotations

import shutil
import tarfile
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from datasets.errors import DataError

_MOST_RATIO = 100  # unpacked / packed; images hardly shrink, FER2013's text by 5
_FREE_RATIO = 1 << 27  # bytes up to which the ratio does not matter
_SLACK = 1 << 28  # bytes of the disk left free


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar (gz, bz2, xz) as `folder`, whole or not at all; a single folder in it is stepped over.

    Links and devices are refused, as are absolute names and `..`, a decompression bomb, an encrypted or damaged
    archive, and a `folder` that holds something. Raises DataError naming archive and member.
    """
    if not archive.is_file():
        raise DataError(f"{archive}: no such file")
    if folder.is_dir() and any(folder.iterdir()):
        raise DataError(f"{folder} is there and not empty: nothing is unpacked over it; rename or remove it first")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.unpacking")
    temporary.mkdir()
    try:
        if zipfile.is_zipfile(archive):
            _from_zip(archive, temporary)
        elif tarfile.is_tarfile(archive):
            _from_tar(archive, temporary)
        else:
            raise DataError(f"{archive}: neither zip nor tar (rar and 7z: unpack it yourself into {folder})")
        inside = [path for path in temporary.iterdir() if path.name != "__MACOSX"]
        whole = inside[0] if len(inside) == 1 and inside[0].is_dir() and _is_wrapper(inside[0]) else temporary
        if folder.exists():
            folder.rmdir()
        whole.rename(folder)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise DataError(f"{archive}: damaged or refused ({error}); get the file again") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_wrapper(folder: Path) -> bool:
    """A folder that only wraps the rest, and is no part of a layout."""
    return folder.name not in ("train", "cifar-10-batches-py")


def _from_zip(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        budget = _Budget(archive, target)
        for member in packed.infolist():
            path = target / _safe(archive, member.filename)
            if member.flag_bits & 1:
                raise DataError(f"{archive}: encrypted; unpack it yourself with the password its authors sent you")
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                raise DataError(f"{archive}: {member.filename} is a link: refused")
            if member.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with packed.open(member) as source, open(path, "wb") as out:
                for block in _blocks(source):
                    budget.spend(len(block), member.filename)
                    out.write(block)


def _from_tar(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as packed:
        budget = _Budget(archive, target)
        for member in packed:
            _safe(archive, member.name)
            if not (member.isfile() or member.isdir()):
                raise DataError(f"{archive}: {member.name} is a link or device: refused")
            budget.spend(member.size, member.name)  # before it is unpacked
            packed.extract(member, target, filter="data")


class _Budget:
    """Bytes that may be unpacked yet."""

    def __init__(self, archive: Path, target: Path) -> None:
        self.archive = archive
        self.bomb = max(_FREE_RATIO, _MOST_RATIO * archive.stat().st_size)
        self.room = shutil.disk_usage(target).free - _SLACK

    def spend(self, number: int, member: str) -> None:
        self.bomb -= number
        self.room -= number
        if self.bomb < 0:
            raise DataError(f"{self.archive}: refused at {member}: unpacks to more than {_MOST_RATIO} times its size")
        if self.room < 0:
            raise DataError(f"disk full: {self.archive} does not fit; nothing is left of it")


def _safe(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name:
        raise DataError(f"{archive}: {name} would be unpacked outside its folder: refused")
    return path


def _blocks(source: IO[bytes]) -> Iterator[bytes]:
    while block := source.read(1 << 20):
        yield block
