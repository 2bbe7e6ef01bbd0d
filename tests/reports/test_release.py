"""Released records: made small without changing a number, merged by every report, never mistaken for own runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench import main
from benchmarks.metrics import scores
from benchmarks.metrics.label_errors import of_training_labels
from benchmarks.metrics.scores import of_split
from common.errors import UserError
from reports.build import build
from reports.figures.features import POINTS, drawn_features
from reports.release import TOLERANCE, release, rounded
from reports.runs.frame import load
from reports.runs.predictions import predictions, scores_of_run
from reports.runs.stored import stored
from tests.reports.conftest import OWN, RECIPE, RUL, fill_table1, write

Writer = Callable[..., Path]


@pytest.fixture(autouse=True)
def quick_tsne(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.release.embed", lambda features: features[:, :2].astype(np.float32))


def arrays(seed: int = 0, size: int = POINTS + 100, trained: int = 600) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = np.random.default_rng(99).integers(0, 5, size)  # of the data set, so of every run
    logits = (2 * np.eye(5)[labels] + draw.normal(size=(size, 5))).astype(np.float16).astype(np.float32)
    clean = np.random.default_rng(98).integers(0, 5, trained)
    flipped = np.random.default_rng(97).random(trained) < 0.3
    return {
        "test_logits": logits, "test_labels": labels, "test_uncertainty": draw.random(size).astype(np.float32),
        "test_features": draw.normal(size=(size, 8)).astype(np.float16),
        "test_soft_labels": np.random.default_rng(96).dirichlet(np.ones(5), size).astype(np.float32),
        "train_uncertainty": draw.random(trained).astype(np.float32),
        "train_free_uncertainty": draw.random(trained).astype(np.float32),
        "train_clean": clean, "train_given": np.where(flipped, (clean + 1) % 5, clean), "train_flipped": flipped,
        "train_labels_last": np.where(flipped, (clean + 1) % 5, clean),
        "validation_logits": draw.normal(size=(50, 5)).astype(np.float32), "validation_labels": np.arange(50) % 5,
        "example_index": np.arange(4), "example_images": draw.integers(0, 255, (4, 8, 8, 1), dtype=np.uint8),
    }  # fmt: skip


def add(root: Path, found: dict[str, np.ndarray] | None = None, **values: object) -> Path:
    """A run whose record's metrics are those of its predictions."""
    found = found or arrays(int(values.get("seed", 0)))  # type: ignore[call-overload]
    parts = (found["test_logits"], found["test_uncertainty"], found["test_labels"], found["test_soft_labels"])
    last = {"epoch": 7, **of_split(*parts), **of_training_labels(found)}
    folder = write(root, metrics={"last": last, "best_on_test": None}, **values)  # type: ignore[arg-type]
    np.savez_compressed(folder / "predictions.npz", **found)
    (folder / "history.csv").write_text("epoch,loss,test_accuracy\n1,2.0,0.5\n")
    (folder / "checkpoint.pt").write_bytes(b"weights")
    return folder


def test_a_released_run_gives_the_same_numbers_from_fewer_bytes(tmp_path: Path) -> None:
    folders = [add(tmp_path / "runs", seed=seed) for seed in range(3)]
    text = release([tmp_path / "runs"], tmp_path / "released")
    assert text[0].startswith(f"3 runs released to {tmp_path / 'released'}; ")
    for seed, folder in enumerate(folders):
        copy = tmp_path / "released" / folder.relative_to(tmp_path / "runs")
        names = {"record.json", "history.csv", "predictions.npz"}
        assert {path.name for path in copy.iterdir()} == names
        for name in names - {"predictions.npz"}:
            assert (copy / name).read_bytes() == (folder / name).read_bytes()
        before, after = predictions(folder), predictions(copy)
        assert before is not None and after is not None
        for name in ("test_labels", "train_given", "train_flipped", "train_clean", "test_soft_labels"):
            assert (before[name] == after[name]).all(), name
        wanted, found = scores_of_run(folder), scores_of_run(copy)
        assert wanted.keys() == found.keys() and len(wanted) > 15
        assert found == pytest.approx(wanted, abs=TOLERANCE)
        assert (after["test_logits"] == before["test_logits"]).all()  # half precision can hold these
        assert (after["test_uncertainty"] != before["test_uncertainty"]).any()
        assert ("example_index" in after) is (seed == 0)
        assert not {"example_images", "figure2_images"} & set(after), "a data set's images are not ours to release"
        assert not {"validation_logits", "validation_labels"} & set(after), "no report reads them"
        assert (copy / "predictions.npz").stat().st_size < 0.7 * (folder / "predictions.npz").stat().st_size
        assert ("tsne_points" in after) is (seed == 0)
        # The rows that a figure draws, the same as from the run itself, so that a claim can compare every seed's.
        assert all((a == b).all() for a, b in zip(drawn_features(before), drawn_features(after), strict=True))
        assert stored(copy)["silhouette"] == stored(folder)["silhouette"]
    # What the three have in common lies there once.
    assert len(list((tmp_path / "released" / "shared").iterdir())) == 5


def test_features_are_kept_where_labels_have_the_least_noise(tmp_path: Path) -> None:
    folders = {noise: [add(tmp_path / "runs", noise=noise, seed=seed) for seed in (1, 2)] for noise in (0.1, 0.3)}
    release([tmp_path / "runs"], tmp_path / "released")
    for noise, seeds in folders.items():
        for folder in seeds:
            after = predictions(tmp_path / "released" / folder.relative_to(tmp_path / "runs"))
            assert after is not None and ("test_features" in after) is (noise == 0.1), folder


def test_arrays_that_would_lose_a_number_stay_as_they_are(tmp_path: Path) -> None:
    found = arrays()
    flipped = found["train_flipped"]
    # Flipped labels are just a little less certain: rounding would leave no difference.
    found["train_uncertainty"] = (0.5 + 1e-6 * flipped + 1e-7 * np.linspace(0, 1, len(flipped))).astype(np.float32)
    folder = add(tmp_path / "runs", found)
    release([tmp_path / "runs"], tmp_path / "released")
    after = predictions(tmp_path / "released" / folder.relative_to(tmp_path / "runs"))
    assert after is not None
    assert (after["train_uncertainty"] == found["train_uncertainty"]).all()
    assert (after["train_free_uncertainty"] != found["train_free_uncertainty"]).any()


@pytest.mark.parametrize("bits", [10, 16])
def test_rounding_is_to_the_nearest(bits: int) -> None:
    values = np.concatenate([np.random.default_rng(0).normal(size=1000) * 10.0**power for power in (-6, 0, 6)])
    found = rounded(values.astype(np.float32), bits)
    assert (np.abs(found / values.astype(np.float32) - 1) <= 2.0 ** -(bits + 1)).all()
    assert (found.view(np.uint32) % 2 ** (23 - bits) == 0).all()
    assert (rounded(np.array([0, -0.0, 1], np.float32), bits) == [0, 0, 1]).all()


def test_a_run_without_flipped_labels_keeps_no_scores_to_find_them(tmp_path: Path) -> None:
    found = arrays()
    found["train_flipped"][:] = False
    found["train_given"] = found["train_labels_last"] = found["train_clean"]
    found["train_p_given"] = found["train_p_other"] = found["train_uncertainty"] / 2
    folder = add(tmp_path / "runs", found, noise=0.0)
    release([tmp_path / "runs"], tmp_path / "released")
    after = predictions(tmp_path / "released" / folder.relative_to(tmp_path / "runs"))
    assert after is not None and not after["train_flipped"].any()
    assert not {"train_uncertainty", "train_free_uncertainty", "train_p_given", "train_p_other"} & set(after)
    assert "own.aurc" in scores.of_predictions(after)


def test_releasing_again_skips_and_never_overwrites(tmp_path: Path) -> None:
    folder = add(tmp_path / "runs", seed=0)
    release([tmp_path / "runs"], tmp_path / "released")
    add(tmp_path / "runs", seed=1)
    text = release([tmp_path / "runs"], tmp_path / "released")
    assert text[0].startswith("1 runs released") and "1 there already" in text[0]
    record = json.loads((folder / "record.json").read_text())
    record["timing"]["seconds"] = 1.0
    (folder / "record.json").write_text(json.dumps(record))
    before = {path: path.read_bytes() for path in (tmp_path / "released").rglob("*") if path.is_file()}
    add(tmp_path / "runs", seed=2)
    with pytest.raises(UserError, match="holds another record of .*remove it first"):
        release([tmp_path / "runs"], tmp_path / "released")
    assert {path: path.read_bytes() for path in (tmp_path / "released").rglob("*") if path.is_file()} == before


def test_an_interrupted_publication_goes_on(tmp_path: Path) -> None:
    folder = add(tmp_path / "runs", seed=0)
    release([tmp_path / "runs"], tmp_path / "released")
    copy = tmp_path / "released" / folder.relative_to(tmp_path / "runs")
    (copy / "record.json").unlink()  # written last
    assert not len(load([], [tmp_path / "released"]).runs)
    release([tmp_path / "runs"], tmp_path / "released")
    assert len(load([], [tmp_path / "released"]).runs) == 1


@pytest.mark.parametrize(
    ("damage", "wanted"),
    [
        (lambda folder: (folder / "predictions.npz").unlink(), "has no predictions.npz"),
        (lambda folder: (folder / "predictions.npz").write_bytes(b"PK\x03\x04"), "cannot be read"),
        (lambda folder: (folder / "record.json").write_text("{"), "not valid JSON"),
        (lambda folder: change(folder, "provenance", dirty=True), "with uncommitted changes"),
        (lambda folder: change(folder, "provenance", dirty=None), "outside a git checkout"),
        (lambda folder: change(folder, "metrics", last={"accuracy": 0.123}), "of another run: its accuracy .* 0.1230"),
        (lambda folder: change(folder, "metrics", last={"flip_auroc": 0.1}), "gives flip_auroc .* its record says 0.1"),
    ],
)
def test_what_cannot_be_released_is_named(tmp_path: Path, damage: Callable[[Path], object], wanted: str) -> None:
    folder = add(tmp_path / "runs")
    damage(folder)
    with pytest.raises(UserError, match=wanted):
        release([tmp_path / "runs"], tmp_path / "released")
    assert not list((tmp_path / "released").rglob("record.json"))


def change(folder: Path, part: str, **values: object) -> None:
    record = json.loads((folder / "record.json").read_text())
    record[part] |= values
    (folder / "record.json").write_text(json.dumps(record))


def test_dirty_runs_on_request_and_bad_folders(tmp_path: Path) -> None:
    change(add(tmp_path / "runs"), "provenance", dirty=True)
    assert release([tmp_path / "runs"], tmp_path / "released", dirty=True)[0].startswith("1 runs released")
    with pytest.raises(UserError, match="no such folder"):
        release([tmp_path / "nowhere"], tmp_path / "released")
    with pytest.raises(UserError, match="name a folder of runs"):
        release([tmp_path / "released"], tmp_path / "released")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no finished runs"):
        release([tmp_path / "empty"], tmp_path / "released")


def test_a_missing_shared_array_makes_predictions_unreadable_and_is_said(tmp_path: Path) -> None:
    add(tmp_path / "runs")
    release([tmp_path / "runs"], tmp_path / "released")
    next((tmp_path / "released" / "shared").iterdir()).unlink()
    build(["uncertainty"], [], tmp_path / "out", released=[tmp_path / "released"])
    assert "no readable predictions" in (tmp_path / "out" / "uncertainty.md").read_text()


def table1(tmp_path: Path, **options: object) -> str:
    build(["table1"], [tmp_path / "runs"], tmp_path / "out", released=[tmp_path / "released"], **options)  # type: ignore[arg-type]
    return (tmp_path / "out" / "table1.md").read_text(encoding="utf-8")


def test_released_records_are_shown_and_said_to_be_released(tmp_path: Path) -> None:
    fill_table1(lambda **values: write(tmp_path / "released", commit="feedfacefeedface", **values), "fer2013")
    text = table1(tmp_path)
    assert "45 of 45 runs are released records (reports/released). Hardware: Test CPU. Code: feedfacefe." in text
    build(["site"], [tmp_path / "runs"], tmp_path / "out", released=[tmp_path / "released"])
    assert '<td class="released">released</td>' in (tmp_path / "out" / "site" / "runs.html").read_text()


def test_own_runs_fill_a_table_together_with_released_ones_of_the_same_set_up(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        write(tmp_path / "released", "scn", "fer2013", seed=seed, accuracy=0.80)
    write(tmp_path / "runs", "scn", "fer2013", seed=0, accuracy=0.83)
    text = table1(tmp_path)
    assert "| 10 | scn | 81.00 ± 1.73 | 3 |" in text  # the own one counts, once
    assert "2 of 3 runs are released records" in text and "1 of 3 runs are own." in text
    assert "1 of these runs are released too; the own ones are used." in text
    assert "mean +3.00, largest +3.00 points" in text
    assert "Conflict" not in text


def test_own_runs_decide_the_set_up_and_data_sets(tmp_path: Path) -> None:
    fill_table1(lambda **values: write(tmp_path / "released", **values), "fer2013")
    longer = RECIPE.model_copy(update={"name": "paper", "epochs": 20})
    write(tmp_path / "runs", "scn", "fer2013", recipe=longer, accuracy=0.5)
    text = table1(tmp_path)
    assert "| 10 | scn | 50.00 | 1 of 3 |" in text and "released records" not in text.split("| noise")[0]
    assert "fer2013: released records of another set-up exist and are not used here" in text
    assert "| 10 | scn | 80.1" in table1(tmp_path, recipe="quick")


def test_what_may_say_something_stands_before_a_demonstration_unless_that_is_ones_own(tmp_path: Path) -> None:
    fill_table1(lambda **values: write(tmp_path / "released", **values), "fer2013")
    write(tmp_path / "released", "scn", "fer2013", recipe=OWN, accuracy=0.5)
    text = table1(tmp_path)
    assert "| 10 | scn | 50.00 |" in text and "are not used here (recipe quick" in text
    write(tmp_path / "runs", "scn", "fer2013", accuracy=0.4)
    text = table1(tmp_path)
    assert "| 10 | scn |" in text and "are not used here (recipe mine" in text


def test_a_stand_in_of_ones_own_stays_in_sight(tmp_path: Path) -> None:
    fill_table1(lambda **values: write(tmp_path / "released", **values), "fer2013")
    assert "faces" not in table1(tmp_path)
    write(tmp_path / "runs", "rul", "faces", accuracy=0.5, overrides=RUL)
    text = table1(tmp_path)
    assert "faces stands in for RAF-DB, AffectNet" in text and "FER2013: accuracy" in text
    write(tmp_path / "runs", "rul", "fer2013", accuracy=0.5, overrides=RUL)
    assert "faces" not in table1(tmp_path)


def test_a_released_folder_named_as_runs_is_still_a_released_one(tmp_path: Path) -> None:
    write(tmp_path / "released", "scn")
    loaded = load([tmp_path / "released"], [tmp_path / "released"])
    assert len(loaded.runs) == 1 and loaded.runs["released"].all() and not loaded.repeats


def test_human_noise_is_no_clean_run(tmp_path: Path) -> None:
    for seed in range(3):
        write(tmp_path / "runs", "rul", "cifar10", noise=0.0, seed=seed, accuracy=0.9)
        write(tmp_path / "runs", "rul", "cifar10", noise=0.402, kind="human:worse", seed=seed, accuracy=0.6)
    build(["table6", "summary"], [tmp_path / "runs"], tmp_path / "out")
    assert "| 0 | rul | 90.00 ± 0.00 |" in (tmp_path / "out" / "table6.md").read_text()
    assert "| cifar10 | 40.2 human:worse | rul |" in (tmp_path / "out" / "summary.md").read_text()


def test_the_command_line_releases_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reports.build.RELEASED", tmp_path / "released")
    for name, seed in (("a", 0), ("b", 1)):
        add(tmp_path / name, seed=seed, method="scn", noise=0.0)
    a, b, into, out = (str(tmp_path / name) for name in ("a", "b", "released", "out"))
    assert main(["release", a, b, "--into", into]) == 0
    assert capsys.readouterr().out.startswith("2 runs released")
    add(tmp_path / "a", seed=2, method="scn", noise=0.0)
    for flags, count in ((["--from", a, b], 3), (["--runs", a], 3), (["--runs", a, "--no-released"], 2)):
        assert main(["report", "summary", "--out", out, *flags]) == 0
        printed = capsys.readouterr().out
        assert "recipe quick, 8 epochs, backbone small, from scratch" in printed
        assert [line.split()[:4] for line in printed.splitlines() if " scn " in line] == [["0", "%", "scn", str(count)]]
    assert main(["release", str(tmp_path / "nothing")]) == 2
    assert main(["report", "--from", a, "summary"]) == 2
    assert "no such folder (names of reports go before --from)" in capsys.readouterr().err
