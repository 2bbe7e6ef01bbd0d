"""Which recipe real data is trained with when nobody says so."""

import pytest

from bench import main
from benchmarks.cli import options, request
from tests.datasets.miniatures import put


@pytest.fixture
def pictures(tmp_path):
    for split in ("train", "test"):
        for number in range(12):
            put(tmp_path / split / "ab"[number % 2] / f"{number}.png", number, side=48)
    return f"folder:{tmp_path}"


def test_without_a_gpu_it_is_compact_and_the_first_line_has_both_times(pictures, tmp_path, capsys):
    flags = ("--methods", "rul", "--noise", "0", "--seeds", "1", "--runs", str(tmp_path / "runs"), "--dry-run")
    assert main(["--datasets", pictures, *flags]) == 0
    text = capsys.readouterr().out
    first, *rest = text.splitlines()
    assert first.startswith("recipe compact, since there is no GPU: about ") and "--recipe paper: about " in first
    assert "compact, 16 epochs, compact" in text and not (tmp_path / "runs").exists()
    assert any("two classes" in line for line in rest), "RUL cannot learn these"
    assert main(["--datasets", pictures, "--recipe", "quick", *flags]) == 0
    assert not capsys.readouterr().out.startswith("recipe ")


def test_a_dry_run_writes_nothing(pictures, tmp_path, monkeypatch):
    cache, before = tmp_path / "cache", sorted(tmp_path.rglob("*"))
    monkeypatch.setenv("UNCERTAINTY_BENCH_CACHE", str(cache))
    flags = ("--recipe", "quick", "--methods", "rul", "--noise", "0", "--seeds", "1", "--runs", str(tmp_path / "runs"))
    assert main(["--datasets", pictures, *flags, "--dry-run"]) == 0
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("found", "slurm", "real"), [(["cpu"], [], "compact"), (["cuda:0"], [], "paper"), (["cpu"], ["--slurm"], "paper")]
)
def test_a_gpu_or_a_cluster_gets_the_papers(monkeypatch, found, slurm, real):
    monkeypatch.setattr(request, "devices", lambda asked: found)
    flags = options.parser().parse_args(["run", "--datasets", "fer2013", *slurm])
    assert request.from_flags(flags).real_recipe == real
