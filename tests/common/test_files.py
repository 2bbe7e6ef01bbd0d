"""Files that are whole or absent, and never anything else than files."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

import pytest

from common.errors import UserError
from common.files import atomic_write, check_writable


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


SPECIAL = {
    "a pipe": (os.mkfifo, "a pipe"),
    "a link to a pipe": (lambda path: (os.mkfifo(path.with_name("p")), path.symlink_to("p")), "a pipe"),
    "a link to a device": (lambda path: path.symlink_to("/dev/null"), "a device"),
    "a link to a link to one": (
        lambda path: (path.with_name("l").symlink_to("/dev/null"), path.symlink_to("l")),
        "dev",
    ),
    "a folder": (Path.mkdir, "a folder"),
    "a socket": (_socket, "a socket"),
}


@pytest.mark.parametrize("case", SPECIAL)
@pytest.mark.parametrize("keep", [False, True])
def test_what_is_no_file_stays_what_it_is(case, keep, tmp_path):
    make, kind = SPECIAL[case]
    path = tmp_path / "out.csv"
    make(path)
    before = {one: one.lstat() for one in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match=kind), atomic_write(path, keep=keep) as file:
        file.write("x")
    with pytest.raises(UserError, match=f"out.csv: is .*{kind}.*give a file's name"):
        check_writable(path)
    assert {one: one.lstat() for one in tmp_path.iterdir()} == before


def test_standard_output_is_no_file_where_it_leads_to_one(tmp_path):
    if Path("/dev/stdout").is_symlink():  # in the tests, often a file
        with pytest.raises(UserError, match=r"/dev/stdout: is a "):
            check_writable(Path("/dev/stdout"))


def test_a_link_to_a_file_becomes_a_file_and_its_target_stays(tmp_path, caplog):
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to("target")
    check_writable(tmp_path / "link")
    with atomic_write(tmp_path / "link", keep=True) as file:
        file.write("new")
    assert (tmp_path / "target").read_text() == "mine" and (tmp_path / "link").read_text() == "new"
    assert (tmp_path / "link.aside-1").is_symlink()


@pytest.mark.parametrize("name", ["a\udce9\x1b[31m", "two\nlines"])
def test_a_warning_is_one_line_that_can_be_printed(name, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        for text in ("old", "new"):
            with atomic_write(tmp_path / name, keep=True) as file:
                file.write(text)
    assert "was there: kept as" in caplog.text and caplog.messages[0].isprintable()


@pytest.mark.parametrize("place", ["file/x.csv", "file/deeper/x.csv", "/proc/x.csv", f"{'x' * 250}.csv"])
def test_what_cannot_be_written_is_known_before(place, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        check_writable(tmp_path / place)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_check_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "new" / "deeper" / "x.csv")
    assert not list(tmp_path.iterdir())
