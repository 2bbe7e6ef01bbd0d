"""The document of claims: every number in it is found in the records again, by another way than it was made."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.plan.recipe import Recipe
from reports.build import RELEASED, build
from reports.paper.claims import CLAIMS
from reports.paper.comparison import Side
from reports.render.claims import markdown
from reports.runs.frame import load
from reports.stats.measures import MEASURES
from reports.tables.claims_document import document
from tests.reports.conftest import OWN, PAPER, RECIPE, RUL, last_metrics, write
from tests.reports.recount import check, critical, split_plot, tables
from tests.reports.recount_values import by_seed, value

DOCUMENT = Path(__file__).parents[2] / "docs" / "reproduction.md"


def test_the_document_is_that_of_the_released_records() -> None:
    loaded = load([], [RELEASED])
    assert DOCUMENT.exists() is bool(len(loaded.runs))
    if DOCUMENT.exists():
        text = DOCUMENT.read_text(encoding="utf-8")
        assert text == markdown(document(loaded))
        assert check(text, RELEASED) > 300
        assert before_appendix(text) <= 150


GAIN = {"baseline": 0.0, "scn": 0.02, "dul": 0.04, "conf": 0.01, "rul": 0.05, RUL.__repr__(): 0.07}


def fill(root: Path, dataset: str = "fer2013", recipe: Recipe = OWN) -> None:
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
                root, method, dataset, noise, seed,
                overrides=overrides, metrics=metrics, seconds=seconds, recipe=recipe,
                config={"relabel": {"enabled": bool(overrides)}} if method == "rul" else {},
            )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("reproduction") / "runs"
    fill(root)
    return root


def outcomes(text: str) -> dict[int, str]:
    """Claim -> outcome, from the first table."""
    rows = [line.strip("| ").split(" | ") for line in text.partition("\n## ")[0].splitlines()]
    return {int(row[0]): row[-2] for row in rows if row[0].isdigit()}


def before_appendix(text: str) -> int:
    return text.partition("\n## Appendix")[0].count("\n") + 1


def test_outcomes_and_numbers_of_generated_records(runs: Path) -> None:
    text = markdown(document(load([runs])))
    assert outcomes(text) == {
        1: "supported in all 6, in this setting", 2: "supported, in this setting",
        3: "supported in all 9, in this setting",
        4: "not tested", 5: "not tested", 6: "not tested", 7: "supported 1, not tested 2, in this setting",
        8: "not tested", 9: "supported in all 4, in this setting", 10: "not tested", 11: "described in all 4",
        12: "opposed in all 60, in this setting", 13: "not tested",
        14: "supported 4, not tested 2, in this setting", 15: "described", 16: "not tested", 17: "not tested",
        18: "not tested",
    }  # fmt: skip
    assert check(text, runs) > 300
    assert "FER2013: recipe mine, 8 epochs, backbone small, from scratch; 45 runs, seeds 0, 1, 2." in text
    assert text == markdown(document(load([runs])))
    assert before_appendix(text) <= 150
    assert "adds nothing for rejection" in text
    assert not any(word in text for word in ("of no use", "deciding", "in favour", "p over seeds", "significant"))


@pytest.mark.parametrize(
    ("loads", "told"),
    [
        ((None, None), {0: 2.0, 1: 3.0}),  # of old records: all
        ((3.0, None), {}),  # others disturbed the only ones that say so
        ((1.2, None), {0: 2.0}),
        ((1.2, 2.1), {0: 2.0}),
        ((1.6, 2.0), {}),
    ],
)
def test_cost_is_read_of_runs_that_had_the_machine_to_themselves(tmp_path: Path, loads: tuple, told: dict) -> None:
    for seed, load_ in enumerate(loads):
        for method, seconds in (("baseline", 10.0), ("rul", 10.0 * (seed + 2))):
            write(tmp_path, method, "fer2013", 0.0, seed, recipe=OWN, seconds=seconds, load=load_)
    (claim,) = (one for one in document(load([tmp_path])).entries if one.claim.number == 11)
    found = [finding.estimate for part in claim.parts for finding in part.findings]
    assert found == ([pytest.approx(np.median(list(told.values())))] if told else [])


def test_the_document_stays_short_where_everything_is_tested(runs: Path) -> None:
    found = document(load([runs]))
    (part,) = found.entries[2].parts  # nine findings, here with two outcomes, under two recipes
    told = tuple(replace(one, outcome=("supported", "opposed")[at % 2]) for at, one in enumerate(part.findings))
    for findings, least in ((told, 1), (part.findings, 0)):  # where all came out alike the first table has it
        parts = (replace(part, findings=findings),) * 2
        text = markdown(replace(found, entries=tuple(replace(entry, parts=parts) for entry in found.entries)))
        assert before_appendix(text) <= 150
        sections = text.partition("\n## Appendix")[0].split("\n### ")[1:]
        assert len(sections) == len(found.entries)
        assert all(
            section.count("| rul − ") >= least and ("| rul − " in section) is bool(least) for section in sections
        )


def test_a_demonstration_tests_nothing(tmp_path: Path) -> None:
    fill(tmp_path, recipe=RECIPE)
    found = document(load([tmp_path]))
    assert set(outcomes(markdown(found)).values()) == {"not tested"} and not found.forest
    assert len(found.take_home) == 5 and "a demonstration, which tests nothing" in found.take_home[0]
    assert check(markdown(found), tmp_path) > 100  # the levels are there


def test_only_the_papers_recipe_speaks_of_reproduction(tmp_path: Path, paper_recipe: None) -> None:
    fill(tmp_path / "runs", recipe=PAPER)
    text = markdown(document(load([tmp_path / "runs"])))
    assert outcomes(text)[1] == "supported in all 6" and "the number: not reproduced" in text
    assert "Of the paper's differences," in text and check(text, tmp_path / "runs") > 300


def test_intervals_are_those_of_an_analysis_of_variance(runs: Path) -> None:
    """Claim 1 again by the classical split-plot analysis of a complete table, and a simulated critical value."""
    records = [(path.parent, json.loads(path.read_text())) for path in sorted(runs.rglob("record.json"))]
    arms, cells = ("rul + relabelling", "scn", "dul"), [f"FER2013, {noise} %" for noise in (10, 20, 30)]
    y = np.array([[list(by_seed(records, Side(arm), cell).values()) for cell in cells] for arm in arms])  # [A, C, S]
    classic = split_plot(y)
    of_cells = np.full((3, 3), classic.shared) + (1 - classic.shared) * np.eye(3)
    limit = critical(np.kron([[1, 0.5], [0.5, 1]], of_cells), classic.freedom)
    half = limit * np.sqrt(2 * classic.variance / y.shape[2])
    text = markdown(document(load([runs])))
    rows = next(rows for number, _, (head, *rows) in tables(text) if number == 1 and head[2] == "paper")
    found = {
        (row[0], row[1]): [float(one) for one in re.findall(r"-?[\d.]+", row[3].replace("−", "-"))] for row in rows
    }
    assert len(found) == 6
    for place, other in ((1, "scn"), (2, "dul")):
        for column, cell in enumerate(cells):
            gap = y[0, column].mean() - y[place, column].mean()
            wanted = [gap, gap - half, gap + half]
            assert found[f"rul + relabelling − {other}", cell] == pytest.approx(wanted, abs=0.02)
    assert stats.t.ppf(0.975, classic.freedom) < limit


@pytest.mark.parametrize(
    ("old", "new"), [("| +9.", "| +8."), ("[9.", "[8."), ("| supported |", "| opposed |"), ("| 3 | mine", "| 2 | mine")]
)
def test_the_check_finds_what_is_not_in_the_records(runs: Path, old: str, new: str) -> None:
    text = markdown(document(load([runs])))
    head, mark, appendix = text.partition("\n## Appendix")
    line = next(one for one in appendix.splitlines() if one.startswith("| rul + relabelling − dul | FER2013, 10 %"))
    assert old in line
    with pytest.raises((AssertionError, KeyError)):
        check(head + mark + appendix.replace(line, line.replace(old, new, 1), 1), runs)


def test_cells_that_disagree_are_shown_apart(tmp_path: Path) -> None:
    for seed, noise in product(range(3), (0.1, 0.3)):
        for method, overrides in (("scn", {}), ("dul", {}), ("rul", RUL)):
            shift = (0.05 if noise == 0.1 else -0.05) * (method == "rul")
            accuracy = round(0.6 + shift + 0.001 * seed * (1 + (method == "dul")), 6)
            write(tmp_path, method, "fer2013", noise, seed, accuracy, overrides=overrides, recipe=OWN)
    text = markdown(document(load([tmp_path])))
    assert outcomes(text)[1] == "supported 2, opposed 2, in this setting"
    assert "The cells of recipe mine disagree on rul + relabelling − dul; rul + relabelling − scn" in text


def test_commands_make_the_runs_they_stand_beside(runs: Path) -> None:
    section = markdown(document(load([runs]))).split("\n### 1, in full")[1].split("\n### 2, in full")[0]
    flags = "--noise 0.1,0.2,0.3 --seeds 3 --recipe PATH/mine.toml --epochs 8"
    assert f"python bench.py --datasets fer2013 --methods rul {flags} --set rul.relabel.enabled=true\n" in section
    assert f"python bench.py --datasets fer2013 --methods scn,dul,baseline,rul {flags}\n" in section


def test_one_seed_nothing_and_an_unknown_method(tmp_path: Path) -> None:
    nothing = document(load([tmp_path]))
    assert set(outcomes(markdown(nothing)).values()) == {"not tested"} and "nothing is measured" in nothing.take_home[0]
    for method in ("scn", "baseline", "my_method"):
        write(tmp_path, method, "fer2013", 0.3, recipe=OWN)
    write(tmp_path, "rul", "fer2013", 0.3, overrides=RUL, recipe=OWN)
    text = markdown(document(load([tmp_path])))
    assert "my_method" not in text
    assert "| rul + relabelling − scn | FER2013, 30 % | +2.01 | 0.00 | one seed | 1 | mine |" in text
    assert outcomes(text)[1] == "one seed 1, not tested 1"


def test_stand_ins_are_no_part_of_it_and_recipes_stand_apart(tmp_path: Path, runs: Path) -> None:
    fill(tmp_path / "faces", "faces")
    assert "faces" not in markdown(document(load([tmp_path / "faces"]))).partition("## How")[0]
    fill(tmp_path / "other", recipe=OWN.model_copy(update={"name": "other"}))
    text = markdown(document(load([runs, tmp_path / "other", tmp_path / "faces"])))
    assert sorted(recipes_of(text, 1)) == ["mine", "other"] and "supported in all 6, in this setting" in text


def test_runs_of_another_set_up_are_named_and_change_nothing(tmp_path: Path, runs: Path) -> None:
    for seed in (0, 1):
        write(
            tmp_path / "longer", dataset="fer2013", recipe=OWN.model_copy(update={"epochs": 2 * OWN.epochs}), seed=seed
        )
    without, text = (markdown(document(load(roots))) for roots in ([runs], [runs, tmp_path / "longer"]))
    (named,) = set(text.splitlines()) - set(without.splitlines())
    assert f"{2 * OWN.epochs} epochs, " in named and named.endswith(": 2.") and "in no comparison here" in named


def recipes_of(text: str, claim: int) -> list[str]:
    """The last column of the claim's rows of the first table."""
    return [line.rsplit("|", 2)[1].strip() for line in text.splitlines() if line.startswith(f"| {claim} |")]


def test_a_demonstration_stands_only_where_there_is_nothing_else(tmp_path: Path, runs: Path) -> None:
    fill(tmp_path / "quick", recipe=RECIPE)
    fill(tmp_path / "cifar", "cifar10", recipe=RECIPE)
    text = markdown(document(load([runs, tmp_path / "quick", tmp_path / "cifar"])))
    body, _, appendix = text.partition("## Appendix")
    assert recipes_of(text, 1) == ["mine"], "the same cells, with a verdict"
    assert recipes_of(text, 4) == ["quick"] and "Not tested (recipe quick)." in body, "CIFAR-10 is quick's alone"
    assert "**Recipe quick.**" in appendix.partition("### 2, in full")[0], "its numbers are kept"


def test_the_page_says_the_same_and_the_forest_is_drawn(tmp_path: Path, runs: Path) -> None:
    paths = build(["reproduction", "site"], [runs], tmp_path / "out")
    assert {tmp_path / "out" / "reproduction.md", tmp_path / "out" / "figures" / "forest.png"} <= set(paths)
    page = (tmp_path / "out" / "site" / "reproduction.html").read_text(encoding="utf-8")
    found = document(load([runs]))
    assert all(row[4] in page for row in found.summary.rows) and "forest.png" in page
    assert all(claim.title in page or "'" in claim.title for claim in CLAIMS)
    build(["reproduction"], [tmp_path / "none"], tmp_path / "out")
    assert not (tmp_path / "out" / "figures" / "forest.png").exists()


def test_human_noise_stands_beside_symmetric_noise(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for seed, (method, gain) in product(range(3), (("rul", 0.05), ("baseline", 0.0))):
        for kind, noise, base in (("symmetric", 0.4, 0.7), ("human:worse", 0.40208, 0.6)):
            accuracy = round(base + gain * (2 if ":" in kind else 1) + 0.001 * draw.normal(), 6)
            write(tmp_path, method, "cifar10", noise, seed, accuracy, kind=kind, recipe=OWN)
    text = markdown(document(load([tmp_path])))
    assert "| number | CIFAR-10, 40 % | CIFAR-10, human:worse |" in text
    assert outcomes(text)[16] == "supported 1, not tested 3, in this setting"
    assert "--noise 0.4,human:worse" in text and check(text, tmp_path) > 10


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_every_measure_is_read_by_the_check_too(runs: Path, measure: str) -> None:
    reader: Callable[..., float | None] = value
    path = next(runs.rglob("record.json"))
    reader(measure, path.parent, json.loads(path.read_text()))
