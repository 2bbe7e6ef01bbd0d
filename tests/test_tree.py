"""What is committed: files of the kinds this project has, and nothing that an editor or a set-up left behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import PurePath

import pytest

from tests.runs import CHECKOUT

KINDS = {
    ".cff", ".css", ".csv", ".html", ".ipynb", ".js", ".json", ".md", ".npz", ".png", ".py", ".tex", ".toml", ".txt",
    ".yaml", ".yml",
}  # fmt: skip
NAMES = {"LICENSE", "Makefile", ".gitignore", "run"}
REGULAR = {"100644", "100755"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_nothing_strays_into_the_tree():
    listed = subprocess.run(["git", "ls-files", "-s"], cwd=CHECKOUT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [line.split(maxsplit=3) for line in listed.stdout.splitlines()]
    assert len(files) > 500
    assert [name for mode, _, _, name in files if mode not in REGULAR] == []
    assert [name for *_, name in files if PurePath(name).suffix not in KINDS and PurePath(name).name not in NAMES] == []
