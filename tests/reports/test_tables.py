"""Tables 2-6 from generated records."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.plan import suite as suites
from reports.build import build
from reports.paper.tables import TABLES
from reports.runs.frame import load
from reports.runs.select import SETUP, describe_setup, largest
from tests.reports.conftest import OWN, RECIPE, last_metrics, save, write

Writer = Callable[..., Path]
RAW = tomllib.loads((Path(__file__).parents[2] / "reports" / "paper" / "numbers.toml").read_text(encoding="utf-8"))


def fill(one: Writer, name: str, datasets: tuple[str, ...] | None = None, **values: object) -> None:
    suite = suites.load(TABLES[name].suite)
    for dataset in datasets or suite.datasets:
        for rank, arm in enumerate(suite.arms):
            for seed in suite.seeds:
                accuracy = 0.7 + 0.02 * rank + 0.001 * seed + 0.0003 * rank * seed * seed
                one(
                    dataset=dataset,
                    method=arm.method,
                    noise=0.0,
                    seed=seed,
                    accuracy=accuracy,
                    overrides=arm.set,
                    **values,
                )


def make(tmp_path: Path, name: str) -> tuple[str, dict[tuple[str, str, str], dict[str, str]]]:
    build([name], [tmp_path / "runs"], tmp_path / "out")
    with open(tmp_path / "out" / f"{name}.csv", newline="", encoding="utf-8") as file:
        rows = {(row["dataset"], row["rejected"], row["arm"]): row for row in csv.DictReader(file)}
    return (tmp_path / "out" / f"{name}.md").read_text(encoding="utf-8"), rows


def published() -> dict[str, dict[tuple[str, str, str], float]]:
    """published.toml, read a second time in another way than reports/published.py does."""
    wanted: dict[str, dict[tuple[str, str, str], float]] = {name: {} for name in TABLES}
    for name, datasets in (("table2", ("rafdb", "fer2013")), ("table6", ("cifar10", "imagenet100"))):
        for dataset in datasets:
            for method, numbers in RAW[name][dataset].items():
                for position, number in enumerate(numbers):
                    wanted[name][dataset, str(10 * position), method] = number
    for name, dataset in (("table3", "rafdb"), ("table4", "fer2013")):
        for method in ("scn", "rul"):
            wanted[name][dataset, "0", method] = RAW[name]["measured"][method]
    for rate, key in (("0", "accuracy"), ("10", "rejection_10")):
        for method, label in (("mix_output", "mix_output (logits)"), ("loss_attention",) * 2, ("rul",) * 2):
            wanted["table5"]["rafdb", rate, label] = RAW["table5"][key][method]
    for method in ("dul", "dul_rul"):
        wanted["table5"]["rafdb", "0", method] = RAW["text"]["dul_guided_by_rul"][method]
    return wanted


@pytest.mark.parametrize("name", ["table2", "table3", "table4", "table5", "table6"])
def test_published_numbers_are_those_of_published_toml(tmp_path: Path, runs: Writer, name: str) -> None:
    fill(runs, name, recipe=OWN)
    _, rows = make(tmp_path, name)
    assert {key: float(row["published"]) for key, row in rows.items() if row["published"]} == published()[name]
    assert all(row["n"] == "3" and row["verdict"] in ("", "not comparable") for row in rows.values())


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_is_made_without_records_and_with_its_stand_in(tmp_path: Path, runs: Writer, name: str) -> None:
    text, rows = make(tmp_path, name)
    assert {row["n"] for row in rows.values()} == {"0"} and "stands in" not in text
    suite = suites.load(TABLES[name].suite)
    for seed in suite.seeds:
        runs(
            dataset=suite.stand_in,
            method=suite.arms[0].method,
            noise=suite.noise[0],
            overrides=suite.arms[0].set,
            seed=seed,
        )
    text, rows = make(tmp_path, name)
    assert f"{suite.stand_in} stands in for" in text and {dataset for dataset, *_ in rows} == {suite.stand_in}


def test_rejection_shows_own_and_free_score_side_by_side(tmp_path: Path, runs: Writer) -> None:
    for seed in range(3):
        metrics = {
            "last": last_metrics(0.7 + 0.01 * seed, uncertain=0.01, free=0.03 + 0.001 * seed),
            "best_on_test": None,
        }
        runs(dataset="fer2013", method="rul", noise=0.0, seed=seed, metrics=metrics, recipe=OWN)
    text, rows = make(tmp_path, "table2")
    assert "| 20 | rul | 73.00 ± 1.00 | 77.20 ± 1.20 | −4.20 \\* | 3 |" in text
    assert rows["fer2013", "20", "rul"]["own_less_free_outcome"] == "opposed"
    assert "instead of 1 − max softmax, 3 cells: worse in 3." in text


def test_quoted_systems_are_quoted(tmp_path: Path, runs: Writer) -> None:
    fill(runs, "table3", recipe=OWN)
    text, rows = make(tmp_path, "table3")
    for name, value in RAW["table3"]["quoted"].items():
        assert f"| {name} (quoted) | – | – | – | {value:.2f} | – |" in text
    assert {arm for _, _, arm in rows} == {"scn", "rul"}


def test_table5_rejects_in_both_directions(tmp_path: Path, runs: Writer) -> None:
    for seed in range(2):
        folder = runs(method="loss_attention", noise=0.0, seed=seed, accuracy=0.9)
        logits = np.eye(2, dtype=np.float32)[np.zeros(10, dtype=int)]
        labels = np.array([1] + [0] * 9)  # the wrong one has the lowest value: a certainty
        save(folder, test_logits=logits, test_labels=labels, test_uncertainty=np.arange(10.0))
    text, rows = make(tmp_path, "table5")
    assert rows["faces", "10", "loss_attention"]["reversed_mean"] == "100"
    assert rows["faces", "0", "loss_attention"]["reversed_mean"] == ""
    assert "mixing the logits is mixing the features" in text


def test_damaged_predictions_leave_the_table_whole(tmp_path: Path, runs: Writer) -> None:
    folder = runs(method="loss_attention", noise=0.0)
    (folder / "predictions.npz").write_bytes(b"PK\x03\x04 half a file")
    _, rows = make(tmp_path, "table5")
    assert rows["faces", "10", "loss_attention"]["reversed_mean"] == ""


def test_the_two_mixing_spaces_are_two_rows(tmp_path: Path, runs: Writer) -> None:
    runs(method="mix_output", noise=0.0, accuracy=0.8, config={"space": "logits"})
    runs(method="mix_output", noise=0.0, accuracy=0.6, overrides={"space": "probabilities"})
    _, rows = make(tmp_path, "table5")
    assert rows["faces", "0", "mix_output (logits)"]["mean"] == "80"
    assert rows["faces", "0", "mix_output (probabilities)"]["mean"] == "60"


def test_reports_need_no_torch() -> None:
    code = "import sys, reports.build, reports.render, reports.tables; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
@pytest.mark.parametrize("alone", [True, False])
def test_latex_compiles_alone_and_inside_a_paper(tmp_path: Path, runs: Writer, alone: bool) -> None:
    runs(dataset="fer2013 <&%$#_{}~^\\|", method="rul", noise=0.0)
    paths = build(["table5"], [tmp_path / "runs"], tmp_path / "out", datasets=["fer2013 <&%$#_{}~^\\|", "rafdb"])
    source = next(path for path in paths if path.suffix == ".tex").name
    if not alone:
        paper = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}\input{table5}\end{document}"
        source = "paper.tex"
        (tmp_path / "out" / source).write_text(paper)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", source]
    result = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:]


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (None, "from scratch"),
        ("imagenet", "pretrained (ImageNet)"),
        ("ab" * 32, "pretrained (weights of sha256 abababababab)"),
    ],
)
def test_a_set_up_names_the_weights_that_a_run_started_from(tmp_path: Path, weights: str | None, text: str) -> None:
    wish = RECIPE.model_copy(update={"pretrained": "msceleb"})
    write(tmp_path, recipe=wish, weights=weights)
    assert describe_setup(load([tmp_path]).runs.iloc[0]).endswith(text)


def test_a_set_up_names_protocols_of_the_methods_own(tmp_path: Path) -> None:
    for method, epochs in (("rul", 60), ("scn", 70)):
        write(tmp_path, method=method, recipe=RECIPE.model_copy(update={"protocol": "own", "epochs": epochs}))
    runs = load([tmp_path]).runs
    assert all("each method's own protocol" in describe_setup(row) for _, row in runs.iterrows())
    assert len(largest(runs, SETUP)) == 2, "methods that differ on purpose stand in one column"


def test_what_a_method_says_of_its_numbers_stands_below_them(tmp_path: Path) -> None:
    for seed in (0, 1):
        folder = write(tmp_path / "runs", method="scn", dataset="fer2013", noise=0.1, seed=seed)
        record = json.loads((folder / "record.json").read_text())
        record["provenance"]["method_note"] = "its code does otherwise"
        (folder / "record.json").write_text(json.dumps(record))
    build(["table1"], [tmp_path / "runs"], tmp_path / "out")
    text = (tmp_path / "out" / "table1.md").read_text()
    assert text.count("- scn: its code does otherwise.") == 1
    assert "All methods share a recipe's values" in text
