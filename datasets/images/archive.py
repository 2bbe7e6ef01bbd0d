"""A user's archive, unpacked: never outside its folder, never over what is there, never more than the disk can hold."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import shutil
import tarfile
import uuid
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from datasets.base import ARCHIVES
from datasets.cache.walk import is_litter, regular
from datasets.errors import DataError
from datasets.images.listing import split_named

_MOST_RATIO = 100  # unpacked / packed; images hardly shrink, FER2013's text by 5
_FREE_RATIO = 1 << 27  # bytes up to which the ratio does not matter
_SLACK = 1 << 28  # bytes of the disk left free
_MOST_HEADER = 1 << 20  # bytes of a tar's headers before a member
_MOST_EMPTY = 10_000  # empty files; a data set has a handful
_MOST_FOLDERS = 100_000  # ImageNet-21k has 22,000
_MOST_DEPTH = 32  # folders in folders
_XZ_MEMORY = 1 << 27  # bytes that xz may take to decompress
_BLOCK = 1 << 20


def unpacked_name(archive: Path) -> str:
    """What a folder for its content is called: its name without .zip, .tar.gz ..."""
    end = max((end for end in ARCHIVES if archive.name.endswith(end)), key=len, default=archive.suffix)
    return archive.name.removesuffix(end)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar (gz, bz2, xz) as `folder`, whole or not at all; a single folder in it is stepped over.

    The archive is read to its end, checksums included. Links and devices are refused, as are absolute names and `..`, a
    decompression bomb, an encrypted or damaged archive, and a `folder` that holds something. Raises DataError naming
    archive and member.
    """
    if not regular(archive):
        raise DataError(f"{archive}: no such file")
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.unpacking")
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise DataError(f"{folder} is there and not empty: nothing is unpacked over it; rename or remove it first")
        temporary.mkdir(parents=True)
        _unpack(archive, temporary, folder)
        inside = [path for path in temporary.iterdir() if not is_litter(path.name)]
        whole = inside[0] if len(inside) == 1 and inside[0].is_dir() and _is_wrapper(inside[0]) else temporary
        if folder.exists():
            folder.rmdir()
        whole.rename(folder)
    except OSError as error:  # a full disk is met by the budget before, but others may fill it
        raise DataError(
            f"{archive}: cannot be unpacked into {folder} ({error.strerror}); nothing is left of it"
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_wrapper(folder: Path) -> bool:
    """A folder that only wraps the rest, and is no part of a layout."""
    return split_named(folder.name) is None and folder.name != "cifar-10-batches-py"


def _unpack(archive: Path, target: Path, folder: Path) -> None:
    budget = _Budget(archive, target)
    try:
        with open(archive, "rb") as file:
            beginning = file.read(tarfile.BLOCKSIZE)
        if (stream := _decompressed(archive, beginning)) is not None:  # before zip: a tar may end in a zip
            with stream:
                _from_tar(archive, target, _TarStream(archive, stream, budget), budget)
        elif zipfile.is_zipfile(archive):
            _from_zip(archive, target, budget)
        elif beginning.startswith(b"PK\x03\x04"):
            raise DataError(f"{archive}: damaged or cut short (a zip without its end); get the file again")
        else:
            raise DataError(f"{archive}: neither zip nor tar (rar and 7z: unpack it yourself into {folder})")
    except (DataError, OSError) as error:
        if isinstance(error, DataError) or error.errno is not None:
            raise
        raise DataError(f"{archive}: damaged ({error}); get the file again") from None  # gzip's and bz2's own
    except NotImplementedError as error:  # Deflate64, which Windows makes of large files, among them
        raise DataError(f"{archive}: {error}; unpack it with 7z into {folder}") from None
    except Exception as error:  # the readers raise anything on damaged files
        raise DataError(f"{archive}: damaged or refused ({str(error)[:80]}); get the file again") from None


def _from_zip(archive: Path, target: Path, budget: _Budget) -> None:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            if member.flag_bits & 1:
                raise DataError(f"{archive}: encrypted; unpack it yourself with the password its authors sent you")
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                raise DataError(f"{archive}: {member.filename[:200]} is a link: refused")
            path = target / budget.place(member.filename, folder=member.is_dir(), empty=not member.file_size)
            if not member.is_dir():
                budget.came_out(member.file_size, member.filename)  # no more than that is read
                with packed.open(member) as source:
                    _write(path, source, member.filename, budget)


def _from_tar(archive: Path, target: Path, stream: _TarStream, budget: _Budget) -> None:
    with tarfile.open(fileobj=stream, mode="r:") as packed:
        while (member := packed.next()) is not None:
            if not (member.isfile() or member.isdir()) or member.issparse():
                raise DataError(f"{archive}: {member.name[:200]} is a link or device: refused")
            path = target / budget.place(member.name, folder=member.isdir(), empty=not member.size)
            tarfile.data_filter(member, str(target))  # a second opinion on where it would go
            if member.isfile() and (source := packed.extractfile(member)) is not None:
                budget.check(member.size, member.name)
                stream.in_headers = None
                _write(path, source, member.name, budget)
            stream.in_headers = 0
            packed.members = []  # type: ignore[attr-defined]  # they would add up
            if len(packed.pax_headers) > 1000:
                raise DataError(f"{archive}: too many global headers: refused")
    if stream.last != bytes(tarfile.BLOCKSIZE):
        raise DataError(f"{archive}: damaged or cut short after {budget.members:,} members; get the file again")
    stream.in_headers = None
    while stream.read(_BLOCK):  # checksums come last
        pass


def _write(path: Path, source: IO[bytes], name: str, budget: _Budget) -> None:
    try:
        with open(path, "xb") as out:
            while block := source.read(_BLOCK):
                out.write(block)
                budget.room -= len(block)
    except FileExistsError:
        raise DataError(f"{budget.archive}: {name[:200]} is in it twice: refused") from None


def _decompressed(archive: Path, beginning: bytes) -> IO[bytes] | None:
    """The tar that a file which begins so is; None where it is none."""
    if beginning.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(archive)  # type: ignore[return-value]
    if beginning.startswith(b"BZh"):
        return bz2.BZ2File(archive)
    if beginning.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        lzma.LZMADecompressor(memlimit=_XZ_MEMORY).decompress(beginning)  # raises for a dictionary beyond the memory
        return lzma.LZMAFile(archive)
    try:
        tarfile.TarInfo.frombuf(beginning, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return None
    return open(archive, "rb")


class _TarStream(io.RawIOBase):
    """A decompressed tar, read forward only; every byte of it counts, and headers are small."""

    def __init__(self, archive: Path, stream: IO[bytes], budget: _Budget) -> None:
        self.archive, self.stream, self.budget = archive, stream, budget
        self.at = 0
        self.last = b""
        self.in_headers: int | None = 0  # bytes of headers since the last member; None: within a member

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises DataError for a header that would fill the memory, and for a bomb."""
        if self.in_headers is not None:
            self.in_headers += size
            if not 0 <= self.in_headers <= _MOST_HEADER:
                raise DataError(f"{self.archive}: a header of more than {_MOST_HEADER:,} bytes: refused")
        self.last = self.stream.read(size)
        self.at += len(self.last)
        self.budget.came_out(len(self.last))
        return self.last

    def seek(self, position: int, whence: int = 0) -> int:
        """Forward only."""
        if whence or position < self.at:
            raise tarfile.ReadError("members out of order")
        while position > self.at and self.read(min(_BLOCK, position - self.at)):
            pass
        return self.at

    def tell(self) -> int:
        """Bytes read."""
        return self.at


class _Budget:
    """What may be unpacked yet: bytes, files and folders."""

    def __init__(self, archive: Path, target: Path) -> None:
        self.archive = archive
        self.bomb = max(_FREE_RATIO, _MOST_RATIO * archive.stat().st_size)
        self.room = shutil.disk_usage(target).free - _SLACK
        self.files_free = os.statvfs(target).f_favail or None  # some file systems do not count them
        self.target = target
        self.members = self.empty = 0
        self.folders: set[PurePosixPath] = set()

    def place(self, name: str, *, folder: bool, empty: bool) -> PurePosixPath:
        """Where a member goes, its folder made. Raises DataError for a place outside, and for too many."""
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", str(path)):  # C:\, not a time of day
            raise DataError(f"{self.archive}: {name[:200]} would be unpacked outside its folder: refused")
        if len(path.parts) > _MOST_DEPTH or not (path.parts or folder):
            raise DataError(f"{self.archive}: {name[:200]} is no name of a file in a data set: refused")
        self.members += 1
        self.empty += empty and not folder
        parent = path if folder else path.parent
        if parent not in self.folders:
            self.folders |= {parent, *parent.parents}
            self._make(parent, name)
        if self.empty > _MOST_EMPTY or len(self.folders) > _MOST_FOLDERS:
            raise DataError(f"{self.archive}: refused at member {self.members:,}: too many empty files or folders")
        if self.files_free is not None and self.members + len(self.folders) > self.files_free:
            raise DataError(f"disk full: {self.archive} holds more files than {self.target.parent} can take")
        if len(path.name.encode(errors="surrogateescape")) > 255:
            raise DataError(
                f"{self.archive}: a name of {len(path.name)} characters ({name[:40]}...): no file can have it"
            )
        return path

    def _make(self, parent: PurePosixPath, name: str) -> None:
        try:
            (self.target / parent).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise DataError(f"{self.archive}: {name[:200]} is a file and a folder: refused") from None

    def check(self, size: int, member: str) -> None:
        """Raise DataError where so many more bytes are too many."""
        if size > self.bomb:
            times = f"unpacks to more than {_MOST_RATIO} times its size"
            raise DataError(f"{self.archive}: refused{f' at {member[:200]}' if member else ''}: {times}")
        if size > self.room:
            raise DataError(f"disk full: {self.archive} does not fit; nothing is left of it")

    def came_out(self, size: int, member: str = "") -> None:
        """Bytes out of the archive, written or not."""
        self.check(size, member)
        self.bomb -= size
