"""docs/protocol.md: every number of its tables is that of a record in docs/tuning."""

import csv
import json
import re
from pathlib import Path

import pytest

from benchmarks.cli.verbs.tune import _late_rise
from benchmarks.plan.recipe import Recipe, load
from benchmarks.store.runs import Store

DOCS = Path(__file__).parents[3] / "docs"
HEADING = re.compile(r"^## (?P<dataset>\S+), recipe (?P<recipe>\w+)", re.MULTILINE)


def tables():
    """(data set, recipe, epochs), header and rows of every section."""
    text = (DOCS / "protocol.md").read_text(encoding="utf-8")
    for part in re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]:
        named, epochs = HEADING.match(part), int(re.search(r"^(\d+) epochs, ", part, re.MULTILINE)[1])
        lines = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")]
        yield (named["dataset"], named["recipe"], epochs), lines[0], lines[1:-1]


def known_cells():
    """(data set, recipe, epochs), method, rate -> what stands in its field.

    Only of the recipe as it is but for its rate and its epochs: other networks and augmentations were tried too.
    """
    for folder in Store(DOCS / "tuning").folders():
        spec = json.loads((folder.path / "spec.json").read_text())
        recipe = spec["recipe"]
        tuned = load(recipe["name"], spec["dataset"], lr=recipe["lr"], epochs=recipe["epochs"])
        if tuned != Recipe.model_validate(recipe):
            continue
        if folder.failure.exists():
            cell = "diverged" if "Diverged" in folder.failure.read_text() else "failed"
        else:
            with open(folder.history, newline="", encoding="utf-8") as file:
                column = "test_accuracy" if spec["fold"] else "validation_accuracy"  # of a fold: what was held out
                curve = [100 * float(row[column]) for row in csv.DictReader(file)]
            cell = f"{curve[-1]:.2f} ({_late_rise(curve):+.2f})"
        section = (spec["dataset"], recipe["name"], recipe["epochs"])
        yield (section, spec["method"], f"lr {recipe['lr']:g}"), cell


@pytest.mark.parametrize(("section", "head", "rows"), [pytest.param(*table, id=str(table[0])) for table in tables()])
def test_every_number_is_a_records(section, head, rows):
    known = dict(known_cells())
    for method, *cells, _ in rows:
        for rate, cell in zip(head[1:-1], cells, strict=True):
            assert cell == known[section, method, rate]
