"""`retry`: each run as it was started, on what it was started on, or left out with a note that says why."""

import numpy as np
import pytest

from bench import main
from benchmarks.cli.options import parser
from benchmarks.cli.verbs import retry
from benchmarks.launch.journal import Launch
from benchmarks.plan import grid as plan
from benchmarks.plan.spec import Noise, RunSpec
from benchmarks.plan.suite import Arm
from benchmarks.store.runs import Store
from methods.core.weights import sha256
from tests.benchmarks.apply.conftest import save

IMAGES = np.random.default_rng(3).integers(0, 255, (6, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def started(tmp_path, monkeypatch):
    """`started("folder:mine", "file:list.txt")`: the spec of a run that was launched there, and failed."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "other"):
        for split in ("train", "test"):
            for label in ("a", "b"):
                save(tmp_path / name / split / label, IMAGES)
    lines = [f"{label}/{number:05}.png {int(label == 'b')}" for label in "ab" for number in range(6)]
    lines[0] = "a/00000.png 1"
    (tmp_path / "list.txt").write_text("\n".join(lines))

    def start(typed="digits", kind="symmetric", lies=None, launched=True, **change):
        arms, noise = (Arm(method="baseline"),), (Noise(kind=kind),)
        request = plan.Request(arms, (typed,), noise, (len(list((tmp_path / "runs").rglob("seed-*"))),), "quick", 1)
        sources = request.sources(tmp_path / "data")
        (spec,) = plan.resolve(request, sources)
        spec = RunSpec.model_validate({**spec.model_dump(), **change})
        if launched:
            given = {"data": tmp_path / "data", "typed": dict(sources.typed), "weights": lies}
            Launch(command="", specs=(spec,), launcher={}, **given).save(tmp_path / "runs")
        run = Store(tmp_path / "runs").run(spec)
        run.path.mkdir(parents=True)
        run.spec.write_text(spec.model_dump_json())
        run.write_failure("no", "")
        return spec

    return start


def tried(capsys, *flags):
    """(ids of the runs that a retry would do, the notes on the others)."""
    sessions = retry.sessions(parser().parse_args(["retry", *flags]))
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    return {spec.run_id for session in sessions for spec in session.specs}, notes


@pytest.mark.parametrize("what", ["a folder", "a list"])
def test_changed_content_is_not_trained_under_the_old_identity(started, tmp_path, capsys, what):
    changed, other = started("folder:mine", "file:list.txt"), started("folder:other")
    assert tried(capsys) == ({changed.run_id, other.run_id}, [])
    if what == "a folder":
        save(tmp_path / "mine" / "train" / "a", 255 - IMAGES)
    else:
        (tmp_path / "list.txt").write_text(
            (tmp_path / "list.txt").read_text().replace("a/00001.png 0", "a/00001.png 1")
        )
    ids, (note,) = tried(capsys)
    named = f"folder:{tmp_path / 'mine'}" if what == "a folder" else f"file:{tmp_path / 'list.txt'}"
    assert ids == {other.run_id}
    assert f"is left out: {named} has changed since it was started; `run` makes another run of what is there" in note


def test_content_that_has_gone_is_named(started, tmp_path, capsys):
    started("folder:mine")
    (tmp_path / "mine").rename(tmp_path / "away")
    ids, (note,) = tried(capsys)
    assert not ids and f"{tmp_path / 'mine'}" in note


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"noise": {"kind": "nonsense", "ratio": 0.2}}, "unknown noise kind 'nonsense'"),
        ({"noise": {"kind": "human:worse", "ratio": 0}}, "comes without human labels"),
        ({"noise": {"kind": "file:gone.txt-01234567", "ratio": 0}}, "no such file"),
        ({"dataset": "rafdb"}, "rafdb is missing"),
        ({"dataset": "folder:gone-01234567"}, "gone-01234567"),
        ({"weights": "0" * 64}, "its weights (sha256 000000000000) are not known to lie anywhere; give --weights FILE"),
    ],
)
@pytest.mark.parametrize("launched", [True, False])
def test_one_run_that_cannot_be_done_stops_no_other(started, capsys, change, words, launched):
    bad, good = started(launched=launched, **change), started()
    ids, (note,) = tried(capsys)
    assert ids == {good.run_id} and f"{bad.run_id} is left out: " in note and words in note


def test_a_recipe_that_does_not_fit_the_images_is_that_runs_alone(started, capsys):
    spec = started()
    recipe = {**spec.recipe.model_dump(), "crop": 9}
    big = started(recipe=recipe)
    ids, (note,) = tried(capsys)
    assert ids == {spec.run_id} and f"{big.run_id} is left out: recipe 'quick' for 'digits': crop = 9" in note


def test_a_network_of_timm_is_one_that_there_is(started, capsys):
    pytest.importorskip("timm")
    spec = started()
    known, unknown = (
        started(recipe={**spec.recipe.model_dump(), "backbone": f"timm:{name}", "image_size": 32})
        for name in ("resnet10t", "resnet10x")
    )
    ids, (note,) = tried(capsys)
    assert (
        ids == {spec.run_id, known.run_id}
        and f"{unknown.run_id} is left out: unknown backbone 'timm:resnet10x'" in note
    )


def test_weights_are_looked_for_where_they_lie_now(started, tmp_path, capsys):
    one, other = tmp_path / "a.pth", tmp_path / "b.pth"
    for number, file in enumerate((one, other)):
        file.write_bytes(bytes([number]))
    first, second = (started(lies=file, weights=sha256(file)) for file in (one, other))
    plain = started()
    assert tried(capsys) == ({first.run_id, second.run_id, plain.run_id}, [])
    one.rename(tmp_path / "moved.pth")
    ids, (note,) = tried(capsys)
    assert ids == {second.run_id, plain.run_id}
    assert f"(sha256 {first.weights:.12}) are not in {one} any more; give --weights FILE" in note
    sessions = retry.sessions(parser().parse_args(["retry", "--weights", "moved.pth"]))
    where = {spec.run_id: session.context.weights for session in sessions for spec in session.specs}
    assert where == {first.run_id: tmp_path / "moved.pth", second.run_id: other, plain.run_id: None}
    other.write_bytes(b"other content")
    ids, (note,) = tried(capsys, "--weights", "moved.pth")
    assert ids == {first.run_id, plain.run_id} and f"are not in {other} any more" in note


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    ("file", "words"), [("gone.pth", "no such file"), (".", "no such file"), ("b.pth", "no run st")]
)
def test_weights_that_no_run_was_started_from_are_refused_at_once(started, tmp_path, capsys, own, file, words):
    (tmp_path / "a.pth").write_bytes(b"a")
    (tmp_path / "b.pth").write_bytes(b"b")
    spec = started(**({"lies": tmp_path / "a.pth", "weights": sha256(tmp_path / "a.pth")} if own else {}))
    before = sorted(tmp_path.rglob("*"))
    assert main(["retry", "--weights", file]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"--weights {file}: {words}" in line
    assert "no run" not in words or f"theirs: {spec.weights[:12] if own else 'from no file'}" in line
    assert sorted(tmp_path.rglob("*")) == before


def test_a_retried_run_is_done(started, bench, tmp_path):
    """What was looked at beforehand is what the run takes."""
    spec = started("folder:mine", "file:list.txt")
    done = bench("retry")
    assert done.returncode == 0, done.stderr
    record = Store(tmp_path / "runs").run(spec).finished()
    assert record and record.noise["flipped"] == 1


def test_a_dry_run_writes_nothing(started, bench, tmp_path, monkeypatch):
    spec = started("folder:mine")
    monkeypatch.setenv("UNCERTAINTY_BENCH_CACHE", str(tmp_path / "cache"))
    before = sorted(tmp_path.rglob("*"))
    done = bench("retry", "--dry-run")
    assert done.returncode == 0 and "1 runs to do" in done.stdout and spec.run_id in done.stdout, done.stderr
    assert sorted(tmp_path.rglob("*")) == before
