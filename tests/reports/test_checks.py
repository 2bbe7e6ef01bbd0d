"""docs/checks.md and README.md: each number of their tables is a record's, a released one's or one in docs/checks."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.plan import recipe
from reports.build import RELEASED
from reports.runs.frame import load
from reports.runs.predictions import predictions, reversed_accuracy
from reports.runs.stored import stored
from tests.conftest import CHECKOUT

TEXT = (CHECKOUT / "docs/checks.md").read_text(encoding="utf-8")
LABELS = {"with": {"relabel.enabled": True}, "without": {}}
READINGS = {
    "log variance, KL summed": {},
    "log sigma": {"parametrization": "log_sigma"},
    "log variance, KL averaged": {"kl_reduction": "mean"},
}
EPOCHS = 16  # of the recipe


def rows(heading: str, text: str = TEXT) -> list[list[str]]:
    """The rows of the first table whose header begins so."""
    table = text[text.index(f"| {heading} |") :].partition("\n\n")[0].splitlines()[2:]
    return [[field.strip() for field in line.strip("| ").split("|")] for line in table]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    runs = load([], [RELEASED, CHECKOUT / "docs/checks/longer"]).runs
    return runs[(runs["dataset"] == "fer2013") & (runs["recipe"] == "compact")]


@pytest.fixture(scope="module")
def seed_0(frame: pd.DataFrame) -> pd.DataFrame:
    runs = frame[frame["seed"] == 0]
    geometry = pd.DataFrame([stored(Path(folder)) for folder in runs["folder"]], runs.index)
    return runs.join(geometry[["silhouette", "centre"]])


def cell(frame: pd.DataFrame, method: str, noise: float, settings: dict, epochs: int = EPOCHS) -> pd.DataFrame:
    found = frame[(frame["method"] == method) & (frame["noise"].round(6) == noise) & (frame["epochs"] == epochs)]
    return found[found["overrides"].map(lambda one: one == settings).astype(bool)]


@pytest.fixture
def number(seed_0: pd.DataFrame):
    def of(method: str, noise: float, settings: dict, column: str, epochs: int = EPOCHS) -> float:
        (value,) = cell(seed_0, method, noise, settings, epochs)[column]
        return 100 * value

    return of


def same(printed: str, value: float) -> bool:
    return f"{value:.{len(printed.partition('.')[2])}f}" == printed


def test_what_relabelling_does(number) -> None:
    for noise, *fields in rows("noise"):
        ratio = int(noise.removesuffix(" %")) / 100
        wanted = [
            *(number("rul", ratio, LABELS[name], "last.accuracy") for name in ("without", "with")),
            *(number("rul", ratio, LABELS[name], "last.error_auroc") for name in ("without", "with")),
            number("rul", ratio, LABELS["with"], "last.label_accuracy_before"),
            number("rul", ratio, LABELS["with"], "last.label_accuracy"),
            number("scn", ratio, {}, "last.label_accuracy"),
        ]
        assert all(map(same, fields, wanted)), (noise, fields, wanted)


def test_when_relabelling_begins(number) -> None:
    for begun, *fields in rows("first epoch"):
        first, _, epochs = begun.partition(" of ")
        later = {} if (first, epochs) == ("8", "16") else {"relabel.epoch": int(first)}
        arms = {"rul": later | LABELS["with"], "scn": later}
        wanted = [
            number(name, 0.3, settings, f"last.{column}", int(epochs))
            for column in ("accuracy", "label_accuracy")
            for name, settings in arms.items()
        ]
        assert all(map(same, fields, wanted)), (begun, fields, wanted)


def test_how_long_the_schedule_is(frame) -> None:
    means: dict[tuple[str, float, int], float] = {}
    for schedule, *fields in rows("labels, epochs"):
        labels, epochs = schedule.split(", ")
        noise = 0 if labels == "clean" else int(labels.removesuffix(" %")) / 100
        baseline, rul = (cell(frame, method, noise, {}, int(epochs)) for method in ("baseline", "rul"))
        wanted = [100 * rul[f"last.{name}"].mean() for name in ("accuracy_at_30", "error_auroc")]
        assert len(fields) == 4 and all(map(same, fields[2:], wanted)), (schedule, fields, wanted)
        for name, runs, field in (("baseline", baseline, fields[0]), ("rul", rul, fields[1])):
            printed, count = field.rstrip(")").split(" (")
            means[name, noise, int(epochs)] = 100 * runs["last.accuracy"].mean()
            assert same(printed, means[name, noise, int(epochs)]) and int(count) == len(runs), (schedule, field)
    told = recipe.limits("compact", "fer2013")
    sentences = {
        0: "bring it {rul} points on clean labels, the baseline {baseline},",
        0.3: "with 30 % wrong ones RUL without relabelling {rul}, the baseline {baseline} (",
    }
    for noise, words in sentences.items():
        gains = {name: f"{means[name, noise, 32] - means[name, noise, 16]:.1f}" for name in ("baseline", "rul")}
        assert words.format(**gains) in told
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    longer = [f"{means[name, noise, 32]:.2f}" for noise in (0, 0.3) for name in ("baseline", "rul")]
    found = re.findall(r"the baseline has (\S+) and RUL (\S+) ", readme)
    assert [number for one in found for number in one] == longer


def test_two_runs_on_another_processor() -> None:
    again = load([CHECKOUT / "docs/checks/repeated"], [RELEASED])
    assert not again.conflicts and len(again.repeats) == 2
    released = load([], [RELEASED]).runs
    for run, *fields in rows("run"):
        method, seed = run.lower().split(", seed ")
        (own,) = again.runs[(again.runs["method"] == method) & ~again.runs["released"]].to_dict("records")
        (first,) = released[released["run_id"] == own["run_id"]].to_dict("records")
        assert own["seed"] == int(seed) and "EPYC" in first["processor"] and "Xeon" in own["processor"]
        columns = ("accuracy", "free_accuracy_at_30", "error_auroc")
        wanted = [100 * one[f"last.{column}"] for column in columns for one in (first, own)]
        assert len(fields) == len(wanted) and all(map(same, fields, wanted)), (run, fields, wanted)
    noisy = released[(released["recipe"] == "compact") & released["noise"].round(6).isin([0.1, 0.2])]
    assert noisy["processor"].str.contains("Xeon").all()
    means = noisy[noisy["overrides"].map(len) == 0].groupby(["noise", "method"])["last.accuracy"].mean().unstack()
    assert (means["baseline"] > means["rul"]).all()


def test_readings_of_dul(number) -> None:
    for reading, *fields in rows("reading"):
        (settings,) = (settings for name, settings in READINGS.items() if reading.startswith(name))
        columns = [(name, noise) for name in ("accuracy", "error_auroc") for noise in (0, 0.3)]
        wanted = [number("dul", noise, settings, f"last.{name}") for name, noise in columns]
        assert all(map(same, fields, wanted)), (reading, fields, wanted)


def test_what_the_head_does_by_itself(number) -> None:
    methods = {"baseline": "baseline", "RUL's head alone": "rul_head", "RUL, no relabelling": "rul", "DUL": "dul"}
    found = rows("method")
    assert [name for name, *_ in found] == list(methods)
    for name, *fields in found:
        columns = ("last.accuracy", "last.free_accuracy_at_30")
        wanted = [number(methods[name], noise, {}, column) for column in columns for noise in (0, 0.3)]
        wanted += [number(methods[name], 0, {}, column) / 100 for column in ("silhouette", "centre")]
        assert len(fields) == len(wanted) and all(map(same, fields, wanted)), (name, fields, wanted)


def test_which_way_round_an_uncertainty_is(number, seed_0) -> None:
    methods = {"RUL": "rul", "loss attention": "loss_attention", "DUL": "dul", "DUL with RUL's mixing": "dul_rul"}
    found = rows("uncertainty of")
    assert [name for name, *_ in found] == list(methods)
    for name, *fields in found:
        (folder,) = cell(seed_0, methods[name], 0, {})["folder"]
        columns = ("accuracy", "accuracy_at_10", "free_accuracy_at_10", "error_auroc")
        wanted = [number(methods[name], 0, {}, f"last.{column}") for column in columns]
        wanted.insert(2, 100 * reversed_accuracy(predictions(folder), 0.1))
        assert len(fields) == len(wanted) and all(map(same, fields, wanted)), (name, fields, wanted)


def test_rates_are_those_of_the_tuning() -> None:
    protocol = (CHECKOUT / "docs/protocol.md").read_text(encoding="utf-8")
    stage = protocol[protocol.index("## fer2013, recipe compact, 15 of its 16 epochs") :]
    order = TEXT[TEXT.index("with it the") :].partition(". The")[0]
    for name, printed in re.findall(r"(CONF|baseline|DUL|RUL|SCN) (\d\d\.\d\d)", order):
        row = re.search(rf"\| {name.lower()} \|(.*)\|", stage)[1]  # type: ignore[index]
        assert printed == max(re.findall(r"(\d\d\.\d\d) \(", row)), name


README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
ARMS = [("baseline", {}), ("scn", {}), ("dul", {}), ("conf", {}), ("rul", {}), ("rul", LABELS["with"])]


@pytest.mark.parametrize(
    ("dataset", "epochs", "head", "of_rows"),
    [
        ("fer2013", EPOCHS, "noise", {f"{ratio} %": ("symmetric", ratio / 100) for ratio in (0, 10, 20, 30)}),
        (
            "cifar10",
            18,
            "labels",
            {"clean": ("symmetric", 0), "human": ("human:worse", None), "40 %": ("symmetric", 0.4)},
        ),
    ],
)
def test_the_readmes_tables_of_real_data(dataset: str, epochs: int, head: str, of_rows: dict) -> None:
    runs = load([], [RELEASED]).runs
    runs = runs[(runs["dataset"] == dataset) & (runs["recipe"] == "compact")]
    shown = 0
    for labels, *fields in rows(head, README):
        kind, ratio = of_rows[labels]
        for field, (method, settings) in zip(fields, ARMS, strict=False):
            noise = runs[runs["noise_kind"] == kind]
            mine = cell(noise, method, noise["noise"].iloc[0].round(6) if ratio is None else ratio, settings, epochs)
            printed, seeds = field.rstrip(")").split(" (") if field != "–" else ("nan", "0")
            assert int(seeds) == len(mine) and same(printed, 100 * mine["last.accuracy"].mean()), (labels, method)
            shown += len(mine)
    dealt = runs["overrides"].map(lambda one: one in [settings for _, settings in ARMS])
    assert shown == (dealt & runs["method"].isin({method for method, _ in ARMS})).sum(), "every run of these arms"


def test_relabelling_on_cifar10() -> None:
    runs = load([], [RELEASED]).runs
    runs = runs[(runs["dataset"] == "cifar10") & (runs["recipe"] == "compact") & (runs["seed"] == 0)]
    told = " ".join(TEXT.split())
    found = re.search(r"makes (\S+) % right, where (\S+) % were, and of .*? (\S+) %, where (\S+) % were", told)
    human, flipped = (
        runs[(runs["noise_kind"] == kind) & (runs["noise"] > 0) & (runs["overrides"].map(len) == 0)].set_index("method")
        for kind in ("human:worse", "symmetric")
    )
    columns = ("last.label_accuracy", "last.label_accuracy_before")
    wanted = [100 * part.loc["scn", column] for part in (human, flipped) for column in columns]
    assert found and all(map(same, found.groups(), wanted)), wanted
    assert len(human) == 5 and human["last.accuracy"].idxmin() == "scn"
    (less,) = re.findall(r"(\S+) points below the baseline on the latter", told)
    assert same(less, 100 * (flipped.loc["baseline", "last.accuracy"] - flipped.loc["scn", "last.accuracy"]))
