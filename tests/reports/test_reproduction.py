"""The document of claims: every number in it is found in the records again, by another way than it was made."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from reports.build import RELEASED, build
from reports.render.claims import markdown
from reports.runs.frame import load
from reports.runs.select import recipe_flags
from reports.stats.measures import MEASURES
from reports.tables.claims_document import document
from tests.reports.conftest import RUL, last_metrics, write
from tests.reports.recount import check, value

DOCUMENT = Path(__file__).parents[2] / "docs" / "reproduction.md"


def test_the_document_is_that_of_the_released_records() -> None:
    loaded = load([], [RELEASED])
    assert DOCUMENT.exists() is bool(len(loaded.runs))
    if DOCUMENT.exists():
        text = DOCUMENT.read_text(encoding="utf-8")
        assert text == markdown(document(loaded))
        assert check(text, RELEASED) > 300


GAIN = {"baseline": 0.0, "scn": 0.02, "dul": 0.04, "conf": 0.01, "rul": 0.05, RUL.__repr__(): 0.07}


def fill(root: Path, dataset: str = "fer2013") -> None:
    """Runs in which RUL is best by a margin that grows with the noise, and whose own uncertainty is worse than free."""
    draw = np.random.default_rng(0)
    for noise, seed in product((0.0, 0.1, 0.2, 0.3), range(3)):
        for method, overrides in (*((name, {}) for name in ("baseline", "scn", "dul", "conf", "rul")), ("rul", RUL)):
            gain = GAIN[repr(overrides) if overrides else method] * (1 + 10 * noise * (method == "rul"))
            accuracy = round(0.6 - 0.3 * noise + gain + 0.001 * draw.normal(), 6)
            last = last_metrics(accuracy, uncertain=0.01 + 0.001 * draw.random(), free=0.02 + 0.001 * draw.random())
            last |= {"error_auroc": 0.7 + 0.01 * draw.random(), "free_error_auroc": 0.8 + 0.01 * draw.random()}
            last["ambiguity_spearman"] = 0.3 + 0.01 * draw.random()
            metrics = {"last": last, "best_on_test": {"accuracy": accuracy + 0.01 * draw.random()}}
            seconds = 10 + draw.random() + (0.2 if method == "rul" else 0)
            write(
                root, method, dataset, noise, seed, overrides=overrides, metrics=metrics, seconds=seconds,
                config={"relabel": {"enabled": bool(overrides)}} if method == "rul" else {},
            )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("reproduction") / "runs"
    fill(root)
    return root


def verdicts(text: str) -> dict[int, str]:
    return {int(number): verdict for number, verdict in re.findall(r"^\| (\d+) \| .* \| ([a-z ]+) \|$", text, re.M)}


def test_verdicts_and_numbers_of_generated_records(runs: Path) -> None:
    text = markdown(document(load([runs])))
    assert verdicts(text) == {
        1: "holds", 2: "holds", 3: "does not hold", 4: "not measured", 5: "holds", 6: "holds", 7: "holds", 8: "holds",
        9: "not measured", 10: "does not hold",
    }  # fmt: skip
    assert check(text, runs) > 300
    assert "FER2013: recipe quick, 8 epochs, backbone small, from scratch; 45 runs, seeds 0, 1, 2." in text
    assert text == markdown(document(load([runs])))


def test_the_check_finds_a_number_that_is_not_in_the_records(runs: Path) -> None:
    text = markdown(document(load([runs])))
    text = text.replace("&lt;", "<")
    line = next(line for line in text.splitlines() if line.startswith("| dul − scn"))
    changes = (("+2.", "+3."), ("| 9 |", "| 8 |"), ("< 0.001", "0.004"), ("holds", "cannot be told"))
    for wrong in (line.replace(*change, 1) for change in changes):
        assert wrong != line
        with pytest.raises(AssertionError):
            check(text.replace(line, wrong), runs)


def test_commands_make_the_runs_they_stand_beside(runs: Path) -> None:
    text = markdown(document(load([runs])))
    section = text.split("\n## 1.")[1].split("\n## 2.")[0]
    flags = " ".join(["--noise 0.1,0.2,0.3 --seeds 3", *recipe_flags("quick", 8, "fer2013")])
    assert f"python bench.py --datasets fer2013 --methods rul {flags} --set rul.relabel.enabled=true\n" in section
    assert f"python bench.py --datasets fer2013 --methods dul,scn,baseline,rul {flags}\n" in section


def test_one_seed_nothing_and_an_unknown_method(tmp_path: Path) -> None:
    assert set(verdicts(markdown(document(load([tmp_path])))).values()) == {"not measured"}
    for method in ("rul", "baseline", "my_method"):
        write(tmp_path, method, "fer2013", 0.3)
    text = markdown(document(load([tmp_path])))
    assert verdicts(text)[1] == "not measured" and "my_method" not in text
    write(tmp_path, "rul", "fer2013", 0.3, overrides=RUL)
    text = markdown(document(load([tmp_path])))
    assert "| rul + relabelling − baseline ° | cannot be told | 0.00 | 1 | 0 | – | – | 0.00 |" in text


def test_recipes_are_judged_apart_and_embedded_data_only_without_real_ones(tmp_path: Path, runs: Path) -> None:
    fill(tmp_path, "faces")
    text = markdown(document(load([tmp_path])))
    assert verdicts(text)[1] == "holds" and "faces (stand-in: embedded drawn faces)" in text
    both = markdown(document(load([runs, tmp_path]))).split("\n## 1.")[1].split("\n## 2.")[0]
    assert "faces" not in both and "FER2013, 10 %" in both


def test_what_was_checked_is_said_beside_released_records_only(tmp_path: Path, runs: Path) -> None:
    remarks = tmp_path / "remarks.toml"
    remarks.write_text('1 = """the schedule,\nthe seeds"""\n', encoding="utf-8")
    assert "Checked: the schedule, the seeds" in markdown(document(load([], [runs]), remarks))
    assert "Checked" not in markdown(document(load([runs]), remarks))


def test_the_page_says_the_same(tmp_path: Path, runs: Path) -> None:
    paths = build(["reproduction", "site"], [runs], tmp_path / "out")
    assert tmp_path / "out" / "reproduction.md" in paths
    page = (tmp_path / "out" / "site" / "reproduction.html").read_text(encoding="utf-8")
    assert "points" in page and "+2." in page and '<b class="does-not-hold">does not hold</b>' in page


def test_human_noise_stands_beside_symmetric_noise(tmp_path: Path) -> None:
    for seed, (method, gain) in product(range(3), (("rul", 0.05), ("baseline", 0.0))):
        for kind, noise, base in (("symmetric", 0.4, 0.7), ("human:worse", 0.40208, 0.6)):
            accuracy = base + gain + 0.001 * seed * (1 + (method == "rul"))
            write(tmp_path, method, "cifar10", noise, seed, accuracy, kind=kind)
    text = markdown(document(load([tmp_path])))
    assert "| number | CIFAR-10, 40 % | CIFAR-10, human:worse |" in text
    row = next(line for line in text.splitlines() if line.startswith("| rul: human − symmetric"))
    assert "| −10.00" in row and "| 3 | 0 |" in row and row.endswith("| – | – |")
    assert "--noise 0.4,human:worse" in text
    assert check(text, tmp_path) > 30


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_every_measure_is_read_by_the_check_too(runs: Path, measure: str) -> None:
    reader: Callable[..., float | None] = value
    path = next(runs.rglob("record.json"))
    reader(measure, path.parent, json.loads(path.read_text()))
