"""The one reader of small files: what is right comes back, anything else is one line, at once and in little memory."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.foreign import SMALL, Foreign, Unreadable, read_bytes, read_json, read_model, read_text
from common.text import Line, folder_name, one_line, printable

CHECKOUT = Path(__file__).resolve().parents[2]


class Mark(Foreign):
    text: Line
    number: float = 0.0


def device(path):
    path.symlink_to("/dev/zero")


def server(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.mkdir(), "a folder"),
        (os.mkfifo, "a pipe"),
        (device, "a device"),
        (lambda path: path.symlink_to(path.parent), "a folder"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: (path.touch(), os.truncate(path, 2**40)), "more than the 2,097,152 bytes"),
        (lambda path: path.write_bytes(b"\xff\xfe{}"), "not valid JSON"),
        (lambda path: path.write_text(""), "not valid JSON"),
        (lambda path: path.write_text("{"), "not valid JSON"),
        (lambda path: path.write_text('{"text": NaN}'), "not valid JSON"),
        (lambda path: path.write_text('{"text": "a", "number": -Infinity}'), "not valid JSON"),
        (lambda path: path.write_text('{"text": "a", "number": 1e999}'), "out of range"),
        (lambda path: path.write_text('{"text": "a", "x": {"y": [1e999]}}'), "out of range"),
        (lambda path: path.write_text('{"text": "\\ud800"}'), "not valid JSON"),
        (lambda path: path.write_text("[" * 100_000), "recursion limit"),
        (lambda path: path.write_text('{"a":' * 100_000), "recursion limit"),
        (lambda path: path.write_text("1" * 5000), "out of range"),
        (lambda path: path.write_text("[1]"), "must be a valid dictionary"),
        (lambda path: path.write_text("{}"), "text: field required"),
        (lambda path: path.write_text('{"text": 3}'), "text: must be"),
        (lambda path: path.write_text('{"text": "a", "number": "yesterday"}'), "number: must be"),
    ],
)
def test_what_is_no_small_file_says_why(tmp_path, monkeypatch, make, reason):
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    path = tmp_path / "mark.json"
    make(path)
    with pytest.raises(Unreadable, match=reason) as error:
        read_model(path, Mark)
    assert str(error.value).isprintable()


def test_a_socket_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server(Path("s"))
    with pytest.raises(Unreadable):
        read_bytes(Path("s"))


def test_what_is_right_comes_back(tmp_path):
    path = tmp_path / "mark.json"
    with pytest.raises(FileNotFoundError):
        read_json(path)
    path.write_text(json.dumps({"text": "Infinity\x1b[2J\n", "number": 1e-300, "of another version": []}))
    assert read_model(path, Mark) == Mark(text="Infinity\\x1b[2J\\n", number=1e-300)
    path.write_bytes(b"\xef\xbb\xbf" + "é".encode())
    assert read_text(path) == "é"
    path.write_bytes(b"a" * SMALL)
    assert len(read_bytes(path)) == SMALL
    assert read_bytes(Path("/proc/self/status")).startswith(b"Name:")  # of no size that its file system would say


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=2000) | TREES.map(lambda tree: json.dumps(tree).encode()))
@settings(max_examples=500, deadline=500, suppress_health_check=list(HealthCheck))
def test_any_bytes_are_a_value_or_unreadable(tmp_path, content):
    path = tmp_path / "any"
    path.write_bytes(content)
    for read in (read_text, read_json, lambda path: read_model(path, Mark)):
        try:
            found = read(path)
        except Unreadable as error:
            assert str(error).isprintable() and len(str(error)) < 500
        else:
            if isinstance(found, Mark):
                assert found.text.isprintable()


@pytest.mark.parametrize("part", ["[],", "{},", "0,", '"",', "[[],[]],"])
def test_the_largest_file_takes_little_memory_and_time(tmp_path, part):
    """In a process of its own, since memory that was taken is never given back."""
    count = (SMALL - 8) // len(part)
    (tmp_path / "any").write_text("[" + (count * part)[:-1] + "]")
    code = (
        "import resource, sys; from pathlib import Path; from common.foreign import read_json\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert len(read_json(Path(sys.argv[1])))\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    started = time.monotonic()
    command = [sys.executable, "-c", code, str(tmp_path / "any")]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 200
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a b", "a b"), ("é\u00a0", "é\\xa0"), ("\x1b[31m", "\\x1b[31m"), ("a\r\nb", "a\\r\\nb"), ("\u202e", "\\u202e")],
)
def test_text_for_a_terminal_moves_nothing(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("name", ["rul", "my method", "Ünï", "a.b-c_d", "x" * 200])
def test_names_that_may_be_folders(name):
    assert folder_name(name) == name and one_line(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/x", "a/b", "a\\b", "-x", ".x", " x", "a:b", "a\nb", "\0", "x" * 201]
)
def test_names_that_may_not(name):
    with pytest.raises(ValueError, match="must"):
        folder_name(name)
