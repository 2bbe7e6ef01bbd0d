"""A dry run leaves nothing behind, whichever verb it is of, and decodes each data set once."""

import pytest

from datasets.folder import Folder
from tests.datasets.miniatures import put

QUICK = ("--recipe", "quick", "--epochs", "1", "--methods", "baseline", "--dry-run")


@pytest.mark.parametrize(
    "call",
    [
        ("run", "--datasets", "folder:mine", "--noise", "0", "--seeds", "1", *QUICK),
        ("suspects", "folder:mine", "--folds", "2", *QUICK),
        ("tune", "folder:mine", "--lr", "0.1,0.2", "--out", "page.md", *QUICK),
    ],
    ids=lambda call: call[0],
)
def test_a_dry_run_writes_nothing(bench, tmp_path, monkeypatch, call):
    monkeypatch.setenv("UNCERTAINTY_BENCH_CACHE", str(tmp_path / "cache"))
    for split in ("train", "test"):
        for number in range(24):
            put(tmp_path / "mine" / split / "ab"[number % 2] / f"{number}.png", number, side=16)
    read, before = [], sorted(tmp_path.rglob("*"))
    original = Folder.read
    monkeypatch.setattr(Folder, "read", lambda self, base: read.append(base) or original(self, base))
    done = bench(*call)
    assert done.returncode == 0 and "runs to do, 0 finished already" in done.stdout, done.stderr
    assert sorted(tmp_path.rglob("*")) == before and len(read) == 1
