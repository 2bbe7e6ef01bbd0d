"""Plug-ins as records know them: by a printable name of one file, and by what it holds."""

import os
import sys

import pytest

from bench import main
from benchmarks.plan.plugins import digests, load_plugins
from benchmarks.store.record import read_record
from common.errors import UserError
from methods.core.weights import sha256
from tests.benchmarks.plan.test_plugins import BROKEN, GOOD_PREDICT, GOOD_STEP

RUN = ("--datasets", "digits", "--noise", "0.2", "--seeds", "1", "--epochs", "1")


@pytest.fixture
def plugin(tmp_path):
    """`plugin("a/m.py", "one")`: a file that registers the method broken_one, which is sound."""

    def write(path, name, step=GOOD_STEP):
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(BROKEN.format(name=name, step=step, predict=GOOD_PREDICT))
        return file

    return write


def test_two_files_of_one_name_are_refused_before_anything_is_written(plugin, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first, second = plugin("a/m.py", "one"), plugin("b/m.py", "two")
    before = sorted(tmp_path.rglob("*"))
    assert main(["--plugin", str(first), "--plugin", str(second), "--methods", "broken_one,broken_two", *RUN]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"--plugin {second}: {first} has the same name, by which records know it; rename one" in line
    assert sorted(tmp_path.rglob("*")) == before


def test_one_file_may_be_given_twice(plugin, tmp_path):
    file = plugin("m.py", "one")
    (tmp_path / "link.py").symlink_to(file)
    (tmp_path / "a").mkdir()
    found = digests([file, tmp_path / "a" / ".." / "m.py", tmp_path / "link.py"])
    assert found == {"m.py": sha256(file), "link.py": sha256(file)}


def test_the_second_file_of_one_class_does_not_replace_the_firsts(plugin):
    first, second = plugin("v1.py", "mine"), plugin("v2.py", "mine", "return methods.Step(2 * loss)")
    load_plugins([first])
    with pytest.raises(UserError, match=r"v2.py: method 'broken_mine' is registered already"):
        load_plugins([second])
    load_plugins([first])  # is there already
    for name in [name for name in sys.modules if name.startswith("plugin_")]:
        del sys.modules[name]
    load_plugins_again = plugin("v1.py", "mine", "return methods.Step(3 * loss)")
    with pytest.raises(UserError, match="registers no method"):  # nothing new, and nothing refused either
        load_plugins([load_plugins_again])


@pytest.mark.skipif(os.fsencode("\udce9") != b"\xe9", reason="file names are no bytes here")
def test_a_name_that_is_no_text_is_recorded_printable(bench, plugin, tmp_path):
    try:
        file = plugin(os.fsdecode(b"m\xe9.py"), "odd")
    except OSError:
        pytest.skip("the file system takes no such names")
    done = bench("--plugin", str(file), "--methods", "broken_odd", *RUN)
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "runs").rglob("record.json")
    assert read_record(path).provenance["plugins"] == {r"m\udce9.py": sha256(file)}
    again = bench("--plugin", str(file), "--methods", "broken_odd", *RUN)
    assert "0 runs to do, 1 finished already" in again.stdout and "note: 1 finished" not in again.stdout
