from __future__ import annotations

import io
import tarfile
import zipfile
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
