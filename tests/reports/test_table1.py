"""Table 1 from generated records: golden files, published numbers, and everything that may be wrong with records."""

from __future__ import annotations

import csv
import json
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import UserError
from datasets.augment.operations import Flip
from reports.build import build, names
from reports.render.claims import markdown
from reports.runs.frame import load
from reports.tables.claims_document import document
from tests.reports.conftest import BASE, OWN, PAPER, RECIPE, RUL, fill_table1, last_metrics

GOLDEN = Path(__file__).parent / "golden"
Writer = Callable[..., Path]


def cells(out: Path, name: str = "table1") -> dict[tuple[str, str, str, str], dict[str, str]]:
    with open(out / f"{name}.csv", newline="", encoding="utf-8") as file:
        return {(row["dataset"], row["noise"], row["rejected"], row["arm"]): row for row in csv.DictReader(file)}


def make(tmp_path: Path, **options: object) -> tuple[str, dict[tuple[str, str, str, str], dict[str, str]]]:
    build(["table1"], [tmp_path / "runs"], tmp_path / "out", **options)  # type: ignore[arg-type]
    return (tmp_path / "out" / "table1.md").read_text(encoding="utf-8"), cells(tmp_path / "out")


def test_golden_files_are_byte_identical(tmp_path: Path, runs: Writer) -> None:
    fill_table1(runs)
    build(["table1"], [tmp_path / "runs"], tmp_path / "out")
    for name in ("table1.md", "table1.csv", "table1.tex", "runs.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (GOLDEN / name).read_bytes(), name


def test_every_published_number_is_that_of_published_toml(tmp_path: Path, runs: Writer, paper_recipe: None) -> None:
    for dataset in ("rafdb", "fer2013", "affectnet"):
        fill_table1(runs, dataset, recipe=PAPER)
    _, found = make(tmp_path)
    raw = tomllib.loads((Path(__file__).parents[2] / "reports" / "paper" / "numbers.toml").read_text(encoding="utf-8"))[
        "table1"
    ]
    assert len(found) == 45
    for method, noise, *numbers in raw["rows"]:
        for position, dataset in enumerate(raw["columns"]):
            row = found[dataset, str(noise), "0", method]
            assert (float(row["published"]), float(row["published_sd"])) == tuple(
                numbers[2 * position : 2 * position + 2]
            )
            assert float(row["difference"]) == pytest.approx(float(row["mean"]) - numbers[2 * position], abs=1e-5)


def test_a_demonstration_has_no_published_number_and_no_verdict(tmp_path: Path, runs: Writer) -> None:
    fill_table1(runs)
    fill_table1(runs, "fer2013")
    for dataset in ("faces", "fer2013"):
        text, found = make(tmp_path, datasets=[dataset])
        assert "(paper" not in text and "**" not in text and "≈" not in text and "allow no verdict" in text
        empty = ("published", "difference", "verdict", "significance", "against_control", "reason")
        assert {row[name] for row in found.values() for name in empty} == {""}


def test_a_recipe_of_ones_own_has_marks_in_its_setting_and_no_difference(tmp_path: Path, runs: Writer) -> None:
    fill_table1(runs, "fer2013", recipe=OWN)
    text, found = make(tmp_path)
    assert "in this setting" in text and "difference" not in text.split("| noise")[1].splitlines()[0]
    assert found["fer2013", "10", "0", "rul"]["significance"] == "best" and "**86.20 ± 0.22**" in text
    row = found["fer2013", "10", "0", "scn"]
    assert (row["control"], row["against_control_outcome"]) == ("baseline", "supported")
    assert float(row["against_control_low"]) < float(row["against_control"]) == pytest.approx(2.033333)
    assert (row["published"], row["difference"], row["verdict"]) == ("69.28", "", "not comparable")


def test_what_is_known_of_a_recipe_stands_beside_its_numbers(tmp_path: Path, runs: Writer, recipe_file: Writer) -> None:
    recipe_file("mine", 'limits.fer2013 = "Too short for rul."')
    for dataset in ("fer2013", "rafdb"):
        fill_table1(runs, dataset, recipe=OWN)
    text, _ = make(tmp_path)
    assert re.search(r"FER2013: The recipe mine .*in this setting\. Too short for rul\.\n", text)
    assert text.count("Too short") == 1
    assert "FER2013: Too short for rul." in markdown(document(load([tmp_path / "runs"]))).partition("| 1 |")[0]


def test_real_data_push_the_stand_in_out(tmp_path: Path, runs: Writer) -> None:
    fill_table1(runs)
    runs(dataset="fer2013", method="scn", seed=0)
    text, found = make(tmp_path)
    assert {dataset for dataset, *_ in found} == {"fer2013"}
    assert "stands in" not in text
    _, found = make(tmp_path, datasets=["faces"])
    assert {dataset for dataset, *_ in found} == {"faces"}


def test_other_data_are_shown_where_there_is_nothing_else(tmp_path: Path, runs: Writer) -> None:
    runs(dataset="folder", method="scn")
    text, found = make(tmp_path)
    assert {dataset for dataset, *_ in found} == {"folder"} and "stands in" not in text


def test_no_records_at_all(tmp_path: Path) -> None:
    text, found = make(tmp_path)
    assert len(found) == 45 and {row["n"] for row in found.values()} == {"0"}
    assert "Nothing to show: no finished runs on RAF-DB or FER2013 or AffectNet." in text and "\n|" not in text
    assert "`python bench.py --suite table1 --datasets rafdb`" in text
    assert (tmp_path / "out" / "runs.csv").read_text().count("\n") == 1


def test_missing_cells_are_counted_and_the_command_is_given(tmp_path: Path, runs: Writer) -> None:
    runs(dataset="fer2013", method="scn", seed=0)
    runs(dataset="fer2013", method="scn", seed=1, accuracy=0.82)
    text, found = make(tmp_path, prefix="python bench.py --runs elsewhere")
    assert found["fer2013", "10", "0", "scn"]["n"] == "2"
    assert "| 10 | scn | 81.00 ± 1.41 | 2 of 3 |" in text
    assert "| 10 | rul | missing | 0 of 3 |" in text
    assert "43 of 45 runs are missing" in text
    assert "`python bench.py --runs elsewhere --suite table1 --datasets fer2013 --recipe quick`" in text


def test_one_seed_has_no_deviation_no_interval_and_no_mark(tmp_path: Path, runs: Writer, paper_recipe: None) -> None:
    for method in BASE:
        own = RUL if method == "rul" else {}
        runs(dataset="fer2013", method=method, overrides=own, accuracy=BASE[method], recipe=PAPER)
    text, found = make(tmp_path)
    row = found["fer2013", "10", "0", "rul"]
    assert (row["mean"], row["sd"], row["low"], row["significance"], row["verdict"]) == ("86", "", "", "", "one seed")
    assert "**" not in text and "rest on one seed" in text


def test_an_arm_with_one_seed_is_measured_and_not_judged(tmp_path: Path, runs: Writer, paper_recipe: None) -> None:
    fill_table1(runs, "fer2013", recipe=PAPER)
    for extra in (tmp_path / "runs").glob("*/scn/noise-0.10/seed-[12]-*"):
        shutil.rmtree(extra)
    text, found = make(tmp_path)
    row, other = (found["fer2013", "10", "0", arm] for arm in ("scn", "dul"))
    assert row["verdict"] == "one seed" != other["verdict"]
    told = [(one["against_control_outcome"], one["against_control"] != "") for one in (row, other)]
    assert told == [("undecided", True), ("supported", True)] and row["significance"] == ""
    assert "1 cell(s) rest on one seed" in text and "(one seed)" in text


def test_constant_metrics_are_said_and_not_called_best(tmp_path: Path, runs: Writer) -> None:
    flat = {**last_metrics(0.8, uncertain=0.0), "error_auroc": 0.5}
    for method in ("baseline", "scn"):
        for seed in range(3):
            metrics = {"last": flat, "best_on_test": {"accuracy": 0.8}}
            runs(dataset="fer2013", method=method, seed=seed, metrics=metrics, recipe=OWN)
    text, found = make(tmp_path)
    assert found["fer2013", "10", "0", "scn"]["sd"] == "0"
    assert {found["fer2013", "10", "0", name]["significance"] for name in ("baseline", "scn")} == {"tie"}
    assert "all seeds gave the same number" in text and "a constant ranks nothing" in text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, ["1 of 3 (1 undefined)", "1 finished run(s) hold no such number"]),
        (float("nan"), ["1 of 3 (1 unreadable)", "not valid JSON"]),  # as other tools write it; ours never do
    ],
)
def test_null_and_nan_metrics_are_left_out_and_said(
    tmp_path: Path, runs: Writer, value: float | None, said: list[str]
) -> None:
    runs(dataset="fer2013", method="dul", seed=0, accuracy=0.7)
    folder = runs(dataset="fer2013", method="dul", seed=1, accuracy=0.7)
    content = json.loads((folder / "record.json").read_text())
    content["metrics"]["last"]["accuracy"] = value
    (folder / "record.json").write_text(json.dumps(content))
    text, found = make(tmp_path)
    assert found["fer2013", "10", "0", "dul"]["n"] == "1"
    assert all(words in text for words in said)


def test_records_that_cannot_be_read_are_listed(tmp_path: Path, runs: Writer) -> None:
    runs(method="dul", seed=0)
    (runs(method="dul", seed=1) / "record.json").write_text('{"schema_version": 1, "run_id": "ab')
    old = runs(method="dul", seed=2) / "record.json"
    old.write_text(old.read_text().replace('"schema_version": 1', '"schema_version": 0'))
    (runs(method="scn", seed=0) / "record.json").write_bytes(b"\xff\xfe\x00")
    (runs(method="scn", seed=1) / "record.json").write_text("[1, 2]")
    text, found = make(tmp_path)
    assert found["faces", "10", "0", "dul"]["n"] == "1"
    assert text.count("Not read: ") == 4
    assert "not valid JSON" in text and "schema 0, this version reads schema 1" in text


def test_arms_of_one_method_are_not_mixed(tmp_path: Path, runs: Writer) -> None:
    runs(overrides=RUL, accuracy=0.9)
    runs(overrides={}, accuracy=0.1)
    runs(overrides={**RUL, "relabel.margin": 0.5}, accuracy=0.2)
    text, found = make(tmp_path)
    assert (found["faces", "10", "0", "rul"]["mean"], found["faces", "10", "0", "rul"]["n"]) == ("90", "1")
    assert found["faces", "10", "0", "rul, no relabelling"]["mean"] == "10"
    assert "of rul with relabel.enabled=true relabel.margin=0.5 are no arm" in text
    with open(tmp_path / "out" / "runs.csv", newline="") as file:
        assert {row["settings"] for row in csv.DictReader(file)} == {
            "",
            "relabel.enabled=true",
            "relabel.enabled=true relabel.margin=0.5",
        }


def test_a_run_whose_defaults_equal_the_arm_is_that_arm(tmp_path: Path, runs: Writer) -> None:
    runs(overrides={}, config={"relabel": {"enabled": True}}, accuracy=0.9)
    assert make(tmp_path)[1]["faces", "10", "0", "rul"]["mean"] == "90"


def test_set_ups_are_not_mixed(tmp_path: Path, runs: Writer) -> None:
    longer = RECIPE.model_copy(update={"epochs": 20})
    paper = RECIPE.model_copy(update={"name": "paper"})
    for seed in (0, 1):
        runs(method="scn", seed=seed, accuracy=0.8)
    runs(method="scn", seed=2, accuracy=0.5, recipe=longer)
    runs(method="scn", seed=2, accuracy=0.4, recipe=paper)
    text, found = make(tmp_path)
    assert (found["faces", "10", "0", "scn"]["mean"], found["faces", "10", "0", "scn"]["n"]) == ("80", "2")
    assert text.count("another set-up exist and are not used here") == 2 and "20 epochs" in text
    _, found = make(tmp_path, recipe="paper")
    assert (found["faces", "10", "0", "scn"]["mean"], found["faces", "10", "0", "scn"]["n"]) == ("40", "1")


def test_runs_of_other_defaults_are_not_averaged(tmp_path: Path, runs: Writer) -> None:
    runs(method="scn", seed=0, config={"beta": 0.7}, accuracy=0.8)
    runs(method="scn", seed=1, config={"beta": 0.7}, accuracy=0.8)
    runs(method="scn", seed=2, config={"beta": 0.6}, accuracy=0.5)
    text, found = make(tmp_path)
    assert found["faces", "10", "0", "scn"]["mean"] == "80"
    assert "finished runs with other defaults exist" in text


def test_one_run_in_two_folders_counts_once_and_a_conflict_is_shown(tmp_path: Path, runs: Writer) -> None:
    from tests.reports.conftest import write

    runs(method="scn", accuracy=0.8)
    write(tmp_path / "same", method="scn", accuracy=0.8)
    write(tmp_path / "other", method="scn", accuracy=0.6)
    build(["table1"], [tmp_path / "runs", tmp_path / "same"], tmp_path / "out")
    assert "Conflict" not in (tmp_path / "out" / "table1.md").read_text()
    build(["table1"], [tmp_path / "runs", tmp_path / "other"], tmp_path / "out")
    assert "Conflict, not averaged" in (tmp_path / "out" / "table1.md").read_text()
    row = cells(tmp_path / "out")["faces", "10", "0", "scn"]
    assert (row["mean"], row["n"]) == ("80", "1")


def test_verdicts_on_comparable_runs(tmp_path: Path, runs: Writer, paper_recipe: None) -> None:
    wanted = {"baseline": 0.6925, "scn": 0.6928, "dul": 0.60, "rul": 0.90}
    for method, accuracy in wanted.items():
        for seed in range(3):
            own = {"overrides": RUL} if method == "rul" else {}
            runs(dataset="fer2013", method=method, seed=seed, accuracy=accuracy + 0.001 * seed, recipe=PAPER, **own)
    _, found = make(tmp_path)
    verdicts = [found["fer2013", "10", "0", method]["verdict"] for method in wanted]
    assert verdicts == ["reproduced", "reproduced", "below", "above"]


def test_runs_of_another_backbone_are_not_comparable(tmp_path: Path, runs: Writer, paper_recipe: None) -> None:
    other = RECIPE.model_copy(
        update={
            "name": "mine",
            "backbone": "resnet18",
            "epochs": 3,
            "mean": (0.4, 0.2),
            "std": (0.25, 0.25),
            "augment": (Flip(op="flip"),),
        }
    )
    runs(dataset="fer2013", method="scn", recipe=other)
    text, found = make(tmp_path)
    assert found["fer2013", "10", "0", "scn"]["verdict"] == "not comparable"
    assert "backbone resnet18 (paper: small); epochs 3 (paper: 8); augment flip (paper: none); mean 0.4, 0.2" in text


def test_hostile_names_stay_text(tmp_path: Path, runs: Writer) -> None:
    runs(dataset="<script>|$x_1$", method="scn")
    text, _ = make(tmp_path, datasets=["<script>|$x_1$"])
    assert "<script>" not in re.sub(r"`[^`]*`", "", text)
    table = next(line for line in text.splitlines() if line.startswith("| 10 | scn"))
    head = next(line for line in text.splitlines() if line.startswith("| noise"))
    assert len(re.findall(r"(?<!\\)\|", table)) == len(re.findall(r"(?<!\\)\|", head))
    assert r"\textless{}script\textgreater{}\textbar{}\$x\_1\$" in (tmp_path / "out" / "table1.tex").read_text()


def test_an_unknown_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown report 'tabel1'.*did you mean 'table1'"):
        build(["tabel1"], [tmp_path], tmp_path)
    assert "table1" in names()
