"""Figures from generated predictions: they are made, made the same twice, and survive what may be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.plan import recipe as recipes
from benchmarks.plan.recipe import Recipe
from reports.build import build
from reports.figures.evaluation import _rejection_curve
from reports.figures.mixing import _mixing_losses
from reports.figures.ranks import cliques
from reports.figures.wrong_labels import INSPECTED, share_found
from reports.paper.numbers import lookup
from tests.reports.conftest import OWN, RECIPE, fill_table1, save, write

Writer = Callable[..., Path]
HISTORY = "epoch,loss,test_accuracy\n1,2.0,0.5\n2,1.5,0.7\n"


def arrays(seed: int = 0, size: int = 60) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, size)
    logits = (4 * np.eye(3)[labels] + draw.normal(size=(size, 3))).astype(np.float32)
    return {
        "test_logits": logits,
        "test_labels": labels,
        "test_uncertainty": draw.random(size).astype(np.float32),
        "test_features": draw.normal(size=(size, 4)).astype(np.float16),
        "example_index": np.arange(20),
        "example_images": draw.integers(0, 255, (20, 8, 8, 1), dtype=np.uint8),
    }


def add(folder: Path, **values: np.ndarray) -> None:
    save(folder, **{**arrays(), **values})
    (folder / "history.csv").write_text(HISTORY)


def test_every_figure_is_made(tmp_path: Path, runs: Writer) -> None:
    for method in ("rul", "scn"):
        add(runs(method=method, noise=0.0))
    add(runs(method="rul", noise=0.0, seed=1), **arrays(1))
    paths = build(["figures"], [tmp_path / "runs"], tmp_path / "out")
    names = {path.name for path in paths if path.parent.name == "figures"}
    kinds = ("rejection", "uncertainty-histogram", "confusion", "training", "mixing-weight", "examples")
    assert names == {f"{kind}-faces-noise-0.{suffix}" for kind in kinds for suffix in ("png", "pdf")}
    assert all(path.stat().st_size > 1000 for path in paths if path.parent.name == "figures")
    text = (tmp_path / "out" / "figures.md").read_text()
    assert "min-max normalised per method" in text and "Accuracy over label noise: it takes" in text


def test_how_many_wrong_labels_turn_up_is_counted() -> None:
    draw = np.random.default_rng(0)
    flipped, score = draw.random(97) < 0.3, draw.permutation(97)
    order = np.argsort(-score)
    counted = [flipped[order[: round(share * 97)]].sum() / flipped.sum() for share in INSPECTED]
    assert share_found(flipped, score) == pytest.approx(counted)
    assert share_found(flipped, np.ones(97)) == pytest.approx(np.round(97 * INSPECTED) / 97), "a constant is chance"
    assert share_found(flipped, flipped)[50] == 1 and share_found(flipped, ~flipped)[50] < 0.3


def test_wrong_labels_are_drawn_where_they_are_known(tmp_path: Path, runs: Writer) -> None:
    flipped = np.arange(60) % 3 == 0
    train = {"train_flipped": flipped, "train_uncertainty": np.arange(60.0), "train_free_uncertainty": np.ones(60)}
    add(runs(method="rul", noise=0.3), **train)  # of before p(given label) was stored
    add(runs(method="dul", noise=0.3), **train, train_p_given=np.linspace(0, 1, 60), train_p_other=np.zeros(60))
    add(runs(method="scn", noise=0.3))
    add(runs(method="rul", noise=0.1), **{**train, "train_flipped": np.zeros(60, bool)})
    build(["figures"], [tmp_path / "runs"], tmp_path / "out")
    found = {path.name for path in (tmp_path / "out/figures").glob("wrong-labels*")}
    assert found == {"wrong-labels-faces-noise-30.png", "wrong-labels-faces-noise-30.pdf"}


def test_without_images_the_other_figures_are_made_and_the_reader_is_told(tmp_path: Path, runs: Writer) -> None:
    found = arrays()
    del found["example_images"]
    save(runs(method="rul", noise=0.0), **found)
    paths = build(["figures"], [tmp_path / "runs"], tmp_path / "out")
    assert not [path for path in paths if path.name.startswith("examples")] and len(paths) > 4
    assert "hold no images" in (tmp_path / "out" / "figures.md").read_text()


def test_figures_are_made_the_same_twice_and_ranks_are_drawn(tmp_path: Path, runs: Writer) -> None:
    for noise in (0.1, 0.2, 0.3):
        for rank, method in enumerate(("dul", "rul", "scn")):
            runs(dataset="fer2013", method=method, noise=noise, accuracy=0.8 + 0.01 * rank, recipe=OWN)
    first = build(["figures"], [tmp_path / "runs"], tmp_path / "out")
    assert {path.name for path in first} >= {"critical-difference-accuracy.png", "critical-difference-accuracy.pdf"}
    before = {path: path.read_bytes() for path in first}
    build(["figures"], [tmp_path / "runs"], tmp_path / "out")
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize(("dataset", "recipe"), [("faces", OWN), ("digits", OWN), ("fer2013", RECIPE)])
def test_stand_ins_and_demonstrations_enter_no_ranks(
    tmp_path: Path, runs: Writer, dataset: str, recipe: Recipe
) -> None:
    for noise in (0.0, 0.1, 0.2, 0.3):
        for rank, method in enumerate(("dul", "rul", "scn")):
            runs(dataset=dataset, method=method, noise=noise, accuracy=0.8 + 0.01 * rank, recipe=recipe)
    paths = build(["figures"], [tmp_path / "runs"], tmp_path / "out")
    assert not [path for path in paths if path.name.startswith("critical-difference")]
    assert "there are 0 blocks" in (tmp_path / "out" / "figures.md").read_text()


def test_many_panels_are_drawn_by_several_processes_in_the_same_order(tmp_path: Path, runs: Writer) -> None:
    for noise in (0.0, 0.1, 0.2, 0.3):
        add(runs(noise=noise))
    paths = build(["figures"], [tmp_path / "runs"], tmp_path / "out")
    drawn = [path.name for path in paths if path.name.startswith("rejection") and path.suffix == ".png"]
    assert drawn == [f"rejection-faces-noise-{noise}.png" for noise in (0, 10, 20, 30)]


def over_noise_lines(root: Path) -> tuple[str, dict[str, tuple[float, ...]], int]:
    """The caption, each line's values by its label, and how many bands there are."""
    from reports.figures.noise import over_noise
    from reports.runs.frame import load

    drawing = over_noise(load([root]))
    assert isinstance(drawing, tuple)
    (axis,) = drawing[2].axes
    lines = {line.get_label(): tuple(line.get_ydata()) for line in axis.lines}
    return drawing[1], lines, len(axis.collections)


def test_table_1_as_a_picture(tmp_path: Path, runs: Writer) -> None:
    fill_table1(runs)
    caption, lines, bands = over_noise_lines(tmp_path / "runs")
    assert set(lines) == {"baseline", "scn", "dul", "rul", "rul, no relabelling"} and bands == 5
    assert lines["scn"] == pytest.approx((80.13, 78.13, 76.13), abs=0.1)
    assert "the paper" not in caption and "stand-in" in caption


def test_the_papers_lines_stand_beside_its_own_schedule_alone(tmp_path: Path, runs: Writer) -> None:
    recipe = recipes.load("paper", "fer2013")
    for root, changes in (("whole", {}), ("short", {"epochs": 2})):
        for noise in (0.1, 0.2, 0.3):
            for seed in (0, 1):
                values = {"noise": noise, "seed": seed, "accuracy": 0.7 - noise / 10 + seed / 100}
                write(tmp_path / root, "scn", "fer2013", recipe=recipe.model_copy(update=changes), **values)
    caption, lines, _ = over_noise_lines(tmp_path / "whole")
    assert "Thin lines with crosses: the paper." in caption
    published = [lookup("table1", "fer2013", "scn", noise) for noise in (10, 20, 30)]
    assert tuple(value.mean for value in published if value) in lines.values()
    caption, lines, _ = over_noise_lines(tmp_path / "short")
    assert "the paper" not in caption and len(lines) == 1


def test_captions_carry_the_data_sets_notes(tmp_path: Path, runs: Writer) -> None:
    for noise in (0.1, 0.2):
        for seed in (0, 1):
            folder = runs(noise=noise, method="scn", seed=seed, accuracy=0.8 + seed / 100)
            record = json.loads((folder / "record.json").read_text())
            record["provenance"]["data"] = {"notes": ["173 rows were altered"]}
            (folder / "record.json").write_text(json.dumps(record))
            add(folder)
    build(["figures"], [tmp_path / "runs"], tmp_path / "out")
    drawn = [one for one in json.loads((tmp_path / "out/figures/figures.json").read_text()) if one["drawn"]]
    assert len(drawn) > 6 and all("173 rows were altered." in one["caption"] for one in drawn)


def test_no_legend_lies_on_the_data(tmp_path: Path, runs: Writer) -> None:
    from reports.figures import evaluation, mixing
    from reports.figures.panels import panels
    from reports.runs.frame import load

    for method in ("rul", "scn", "dul"):
        add(runs(method=method, noise=0.0))
    (panel,) = panels(load([tmp_path / "runs"]))
    for draw in (evaluation.rejection, evaluation.training, mixing.many_pairs):
        drawing = draw(panel, tmp_path)
        assert drawing
        figure = drawing[2]
        assert len(figure.legends) == 1 and all(axis.get_legend() is None for axis in figure.axes)
        figure.draw_without_rendering()
        box = figure.legends[0].get_window_extent()
        assert not any(box.overlaps(axis.get_window_extent()) for axis in figure.axes)


def test_robust_limits_and_the_same_images_in_every_row(tmp_path: Path, runs: Writer) -> None:
    from reports.figures.distribution import HARD, histograms
    from reports.figures.panels import panels
    from reports.runs.frame import load

    draw = np.random.default_rng(0)
    for method in ("rul", "scn"):
        values = draw.normal(size=1000).astype(np.float32)
        values[0] = 1e6
        logits = draw.normal(size=(1000, 3)).astype(np.float32)
        labels = draw.integers(0, 3, 1000)
        add(runs(method=method, noise=0.0), test_uncertainty=values, test_logits=logits, test_labels=labels,
            test_features=draw.normal(size=(1000, 4)).astype(np.float16))  # fmt: skip
    (panel,) = panels(load([tmp_path / "runs"]))
    figure = histograms(panel, tmp_path)[2]
    raw = [axis for axis in figure.axes if axis.get_subplotspec().colspan.start == 0]
    common = [axis for axis in figure.axes if axis not in raw]
    assert all(axis.dataLim.x1 < 10 for axis in raw) and len(raw) == len(common) == 2
    assert {axis.get_xlim() for axis in common} == {common[0].get_xlim()}
    assert [sum(line.get_marker() != "None" for line in axis.lines) for axis in common] == [HARD, HARD]


def test_tsne_is_released_or_cached_and_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    from reports.figures.features import _points, embedding_key

    features = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float16)
    first = _points({}, features, tmp_path)
    (cache,) = tmp_path.iterdir()
    np.save(cache, first + 1)
    assert (_points({}, features, tmp_path) == first + 1).all()
    released = {"tsne_key": np.array(embedding_key(features)), "tsne_points": first + 2}
    assert (_points(released, features, tmp_path) == first + 2).all()
    assert (_points({**released, "tsne_key": np.array("of others")}, features, tmp_path) == first + 1).all()
    cache.write_bytes(b"half")
    assert np.allclose(_points({}, features, tmp_path), first)


def test_figures_are_drawn_again_only_if_something_changed(tmp_path: Path, runs: Writer) -> None:
    folder = runs(noise=0.0)
    add(folder)
    picture = tmp_path / "out" / "figures" / "uncertainty-histogram-faces-noise-0.png"

    def drawn() -> tuple[int, bytes]:
        build(["figures"], [tmp_path / "runs"], tmp_path / "out")
        return picture.stat().st_mtime_ns, picture.read_bytes()

    first = drawn()
    assert drawn() == first
    picture.write_bytes(b"spoilt")
    again = drawn()
    assert again[0] != first[0] and again[1] == first[1]
    next((tmp_path / "out" / ".cache").glob("panel-*.json")).write_text("{")
    assert drawn()[1] == first[1]
    add(folder, **arrays(5))
    assert drawn()[1] != first[1]


def test_what_runs_share_is_part_of_what_a_figure_is_made_of(tmp_path: Path, runs: Writer) -> None:
    from reports.figures import reuse
    from reports.figures.panels import panels
    from reports.runs.frame import load

    add(runs(method="scn"))
    (panel,) = panels(load([tmp_path / "runs"]))
    keys = [reuse.key(panel)]
    for content in (b"one", b"two"):
        (tmp_path / "runs" / "shared").mkdir(exist_ok=True)
        (tmp_path / "runs" / "shared" / "0123456789abcdef.npz").write_bytes(content)
        keys.append(reuse.key(panel))
    assert len(set(keys)) == 3 and reuse.key(panel) == keys[-1]


def test_no_predictions_and_damaged_ones(tmp_path: Path, runs: Writer) -> None:
    runs(method="dul")
    (runs(method="rul") / "predictions.npz").write_bytes(b"PK\x03\x04")
    add(runs(method="scn"), test_logits=np.full((60, 3), np.nan))
    paths = build(["figures"], [tmp_path / "runs"], tmp_path / "out")
    assert [path.name for path in paths] == ["figures.md", "runs.csv", "results.csv"]
    assert "No finished runs with stored predictions" in paths[0].read_text()


def test_constant_uncertainty_and_one_class(tmp_path: Path, runs: Writer) -> None:
    from reports.figures.distribution import histograms
    from reports.figures.evaluation import rejection
    from reports.figures.panels import panels
    from reports.runs.frame import load

    add(runs(method="scn"), test_uncertainty=np.ones(60, np.float32), test_logits=np.zeros((60, 3), np.float32))
    (panel,) = panels(load([tmp_path / "runs"]))
    _, _, figure = histograms(panel, tmp_path)
    assert "constant" in {text.get_text() for axis in figure.axes for text in axis.texts}
    rejection(panel, tmp_path)


def test_mixed_logits_are_the_logits_of_mixed_features() -> None:
    """Figure 2 needs no network: its losses from logits equal those from features and the classifier."""
    draw = np.random.default_rng(0)
    classifier, features = draw.normal(size=(3, 5)), draw.normal(size=(2, 5))
    for weight in (0.0, 0.3, 1.0):
        mixed = classifier @ (weight * features[0] + (1 - weight) * features[1])
        assert np.allclose(mixed, weight * classifier @ features[0] + (1 - weight) * classifier @ features[1])
    uncertain, certain = _mixing_losses(arrays(), np.array([0.0, 1.0])) or pytest.fail("no pairs")
    assert uncertain[0] > uncertain[1] and certain[0] < certain[1]


def test_rejection_curve_starts_at_the_accuracy() -> None:
    correct = np.array([True, True, False, True])
    curve = _rejection_curve(correct, np.array([0.1, 0.2, 0.9, 0.3]))
    assert (curve[0], curve[-1]) == (75, 100)


def testcliques() -> None:
    assert cliques(np.array([1.0, 1.5, 3.0, 3.2]), 0.6) == [(1.0, 1.5), (3.0, 3.2)]
    assert cliques(np.array([1.0, 2.0, 3.0]), 1.0) == [(1.0, 2.0), (2.0, 3.0)]
    assert cliques(np.array([1.0, 3.0]), 0.5) == []
