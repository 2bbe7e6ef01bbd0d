from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import random
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.errors import DataError
from datasets.images import archive as archives
from datasets.images.archive import unpack

MEMBERS = {"train/a/1.jpg": b"one", "test/a/2.jpg": b"two"}


def make(path: Path, members: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            for name, content in members.items():
                out.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz") as out:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                out.addfile(member, io.BytesIO(content))
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=["zip", "tar.gz"])
def name(request: pytest.FixtureRequest) -> str:
    return f"data.{request.param}"


def test_what_is_unpacked_is_what_was_packed(tmp_path: Path, name: str) -> None:
    unpack(make(tmp_path / name, MEMBERS), tmp_path / "data/set")
    assert tree(tmp_path / "data/set") == MEMBERS


def test_a_folder_around_everything_is_stepped_over(tmp_path: Path, name: str) -> None:
    unpack(make(tmp_path / name, {f"basic/{member}": content for member, content in MEMBERS.items()}), tmp_path / "set")
    assert tree(tmp_path / "set") == MEMBERS


@pytest.mark.parametrize("evil", ["../evil", "train/../../evil", "/tmp/evil-of-the-tests", "..\\evil"])
def test_a_name_outside_is_refused_and_nothing_left(tmp_path: Path, name: str, evil: str) -> None:
    make(tmp_path / name, {**MEMBERS, evil: b"evil"})
    with pytest.raises(DataError, match="outside its folder: refused"):
        unpack(tmp_path / name, tmp_path / "in/set")
    assert list((tmp_path / "in").iterdir()) == [] and not (tmp_path / "evil").exists()


def test_a_time_in_a_name_is_no_drive(tmp_path: Path, name: str) -> None:
    members = {"train/a/2024-01-01T10:00:00.png": b"one", "test/a:b/2.jpg": b"two"}
    unpack(make(tmp_path / name, members), tmp_path / "set")
    assert tree(tmp_path / "set") == members


@pytest.mark.parametrize("evil", ["C:evil", "c:\\evil", "./C:/evil"])
def test_a_name_on_a_drive_is_refused(tmp_path: Path, name: str, evil: str) -> None:
    with pytest.raises(DataError, match="outside its folder: refused"):
        unpack(make(tmp_path / name, {**MEMBERS, evil: b"evil"}), tmp_path / "set")


def test_a_bomb_is_refused_and_nothing_left(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_FREE_RATIO", 1 << 16)
    make(tmp_path / name, {"train/a/1.jpg": bytes(1 << 24)})
    with pytest.raises(DataError, match="unpacks to more than 100 times its size"):
        unpack(tmp_path / name, tmp_path / "in/set")
    assert list((tmp_path / "in").iterdir()) == []


def test_more_than_the_disk_holds_is_a_clear_error(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / name, MEMBERS)
    monkeypatch.setattr(archives, "_SLACK", 1 << 62)
    with pytest.raises(DataError, match="disk full"):
        unpack(tmp_path / name, tmp_path / "in/set")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as out:
        member = tarfile.TarInfo("train/link")
        member.type, member.linkname = kind, "/etc/passwd"
        out.addfile(member)
    with pytest.raises(DataError, match="train/link is a link or device: refused"):
        unpack(tmp_path / "a.tar", tmp_path / "set")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        link = zipfile.ZipInfo("train/link")
        link.external_attr = 0o120777 << 16
        out.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="is a link: refused"):
        unpack(tmp_path / "a.zip", tmp_path / "set")


def test_a_damaged_archive_is_a_clear_error(tmp_path: Path, name: str) -> None:
    content = make(tmp_path / name, {"train/a": bytes(range(256)) * 400, "train/b": b"x"}).read_bytes()
    damaged = bytearray(content)
    damaged[60:90] = bytes(30)
    (tmp_path / name).write_bytes(bytes(damaged))
    with pytest.raises(DataError, match="damaged|neither zip nor tar"):
        unpack(tmp_path / name, tmp_path / "in/set")
    assert list((tmp_path / "in").iterdir()) == []


def test_what_is_there_is_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/mine").write_text("mine")
    with pytest.raises(DataError, match="not empty: nothing is unpacked over it"):
        unpack(make(tmp_path / name, MEMBERS), tmp_path / "set")
    assert tree(tmp_path / "set") == {"mine": b"mine"}


def test_no_archive_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    with pytest.raises(DataError, match="neither zip nor tar"):
        unpack(tmp_path / "a.rar", tmp_path / "set")
    with pytest.raises(DataError, match="no such file"):
        unpack(tmp_path / "b.zip", tmp_path / "set")


def tar_member(name: str, content: bytes = b"x") -> bytes:
    """A header and its content, without an archive around them."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member.tobuf() + content + bytes(-len(content) % 512)


def header_of(size: int, kind: bytes) -> bytes:
    member = tarfile.TarInfo("././@LongLink")
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def zipped(*members: tuple[zipfile.ZipInfo | str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as packed, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members:
            packed.writestr(name, content)
    return out.getvalue()


def deflate64() -> bytes:
    """As Windows' Explorer packs what is larger than 2 GB."""
    content = bytearray(zipped(("train/a/1.jpg", b"one"), compression=zipfile.ZIP_DEFLATED))
    for start, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        content[content.index(start) + offset] = 9
    return bytes(content)


END = bytes(1024)
PIECES = {f"train/a/{number}.jpg": random.Random(number).randbytes(3000) for number in range(30)}
TAR = b"".join(tar_member(name, content) for name, content in PIECES.items()) + END

HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "Deflate64": (deflate64, "compression method is not supported; unpack it with 7z"),
    "a name of 300 characters in a zip": (lambda: zipped(("x" * 300, b"x")), "a name of 300 characters"),
    "a name of 300 characters in a tar": (
        lambda: make_tar(tarfile.PAX_FORMAT, {"train/" + "x" * 300: b"x"}), "a name of 300 characters",
    ),
    "a path of 5,000 characters": (lambda: zipped(("/".join(["y" * 200] * 25), b"x")), "cannot be unpacked|is no name"),
    "folders without end": (lambda: zipped(("a/" * 500 + "b", b"x")), "is no name of a file"),
    "200 empty files in a zip": (lambda: zipped(*((str(n), b"") for n in range(200))), "too many empty files"),
    "200 empty files in a tar": (
        lambda: gzip.compress(b"".join(tar_member(f"{n}", b"") for n in range(200)) + END), "too many empty files",
    ),
    "a long name of 3 GiB": (
        lambda: gzip.compress(header_of(3 << 30, tarfile.GNUTYPE_LONGNAME) + bytes(1 << 20)), "header of more than",
    ),
    "a pax header of 3 GiB": (
        lambda: bz2.compress(header_of(3 << 30, tarfile.XHDTYPE) + bytes(1 << 20)), "header of more than",
    ),
    "a header of more bytes than there are": (lambda: header_of(1 << 40, tarfile.XHDTYPE) + END, "header of more than"),
    "a tar bomb": (lambda: gzip.compress(tar_member("train/a", bytes(1 << 23)) + END), "more than 100 times"),
    "a bomb after the end": (lambda: gzip.compress(TAR + bytes(1 << 24)), "more than 100 times"),
    "a sparse file": (lambda: header_of(0, tarfile.GNUTYPE_SPARSE) + END, "refused|damaged"),
    "xz with a large dictionary": (
        lambda: lzma.compress(TAR, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 4 << 20}]), "Memory usage limit",
    ),
    "one name twice": (lambda: zipped(("train/a", b"1"), ("train/a", b"2")), "train/a is in it twice"),
    "a file and a folder": (lambda: zipped(("train", b"1"), ("train/a", b"2")), "is a file and a folder|cannot be"),
    "a zip without its end": (lambda: zipped(("train/a", b"1" * 5000))[:-200], "cut short .a zip without its end"),
    "a name that is no UTF-8": (
        lambda: zipped((zipfile.ZipInfo("ü"), b"1")).replace("ü".encode(), b"\xff\xfe"), "damaged|unpacked outside",
    ),
    "no name": (lambda: tar_member("") + END, "is no name of a file|damaged"),
    "a web page": (lambda: b"<html>" + b" " * 600, "neither zip nor tar"),
    "nothing": (lambda: b"", "neither zip nor tar"),
}  # fmt: skip


def make_tar(form: int, members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as packed:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives_are_one_line_and_leave_nothing(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, value in {"_FREE_RATIO": 1 << 22, "_MOST_EMPTY": 100, "_XZ_MEMORY": 1 << 20}.items():
        monkeypatch.setattr(archives, limit, value)
    content, message = HOSTILE[case]
    (tmp_path / "data.bin").write_bytes(content())
    with pytest.raises(DataError, match=f"data.bin.*({message})") as error:
        unpack(tmp_path / "data.bin", tmp_path / "in/set")
    assert "\n" not in str(error.value) and len(str(error.value)) < 600
    assert not (tmp_path / "in").exists() or list((tmp_path / "in").iterdir()) == []


PACK = {"tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress}


@pytest.mark.parametrize("kind", PACK)
def test_tars_of_every_kind_are_read(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(PACK[kind](TAR))
    unpack(tmp_path / "a", tmp_path / "set")
    assert tree(tmp_path / "set") == PIECES
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        (tmp_path / "b").write_bytes(PACK[kind](make_tar(form, {f"train/{'n' * 80}/{'m' * 80}.jpg": b"long"})))
        unpack(tmp_path / "b", tmp_path / f"set {form}")


def test_a_tar_that_ends_in_a_zip_is_a_tar_and_a_lone_split_stays(tmp_path: Path) -> None:
    members = {"Training/cat/1.jpg": b"one", "Training/more.zip": zipped(("x", b"y"))}
    (tmp_path / "a").write_bytes(make_tar(tarfile.USTAR_FORMAT, members))
    unpack(tmp_path / "a", tmp_path / "set")
    assert tree(tmp_path / "set") == members


@pytest.mark.parametrize("kind", [*PACK, "zip"])
def test_an_archive_cut_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    """At the ends of members too, where nothing but the missing end tells."""
    whole = zipped(*PIECES.items()) if kind == "zip" else PACK[kind](TAR)
    step = 512 * 7 if kind == "tar" else len(whole) // 16
    for end in range(0, len(whole) - 1024, step):
        (tmp_path / "a").write_bytes(whole[:end])
        with pytest.raises(DataError, match="damaged|cut short|neither zip nor tar"):
            unpack(tmp_path / "a", tmp_path / "set")
        assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("kind", [*(kind for kind in PACK if kind != "tar"), "zip"])
def test_a_flipped_byte_is_noticed_wherever_there_is_a_checksum(tmp_path: Path, kind: str) -> None:
    whole = zipped(*PIECES.items()) if kind == "zip" else PACK[kind](TAR)
    for place in range(40, len(whole), len(whole) // 16):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        (tmp_path / "a").write_bytes(damaged)
        with contextlib.suppress(DataError):  # a header's date is covered by no checksum of a zip
            unpack(tmp_path / "a", tmp_path / f"set {place}")
            assert tree(tmp_path / f"set {place}") == PIECES
