"""What must be said of the data reaches every caption, whether a run recorded it or its copy of the data is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.build import RELEASED, build, make_tables
from reports.runs.data_notes import data_notes
from reports.runs.frame import load
from reports.tables.claims_document import document
from tests.reports.conftest import save, write

FER = "3071d800e01340c5ed239971af72c58c"


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (None, []),
        ({"train": "0" * 32}, []),
        ({"train": "0" * 32, "notes": ["a row was left out"]}, ["a row"]),
        ({"train": FER, "notes": ["a row was left out"]}, ["a row", "173 of the 35,887"]),
        ({"train": FER, "notes": list(data_notes({"data": {"train": FER}}))}, ["173 of the 35,887"]),
        ({"train": ["no fingerprint"], "notes": None}, []),
    ],
)
def test_recorded_notes_come_first_and_each_once(data: Any, wanted: list[str]) -> None:
    found = data_notes({"data": data})
    assert len(found) == len(wanted) and all(note.startswith(start) for note, start in zip(found, wanted, strict=True))


def test_every_released_record_is_of_data_that_something_is_known_of() -> None:
    loaded = load([], [RELEASED])
    words = {"fer2013": "173 of the 35,887", "cifar10": "JPEG copies of quality 75"}
    for dataset, notes in zip(loaded.runs["dataset"], loaded.runs["data_notes"], strict=True):
        assert any(words[dataset] in note for note in notes)
    if len(loaded.runs):
        assert all(word in document(loaded).take_home[-1] for word in words.values())


def test_tables_say_it(tmp_path: Path) -> None:
    folder = write(tmp_path, dataset="fer2013", method="scn")
    record = json.loads((folder / "record.json").read_text())
    record["provenance"]["data"] = {"train": FER}
    (folder / "record.json").write_text(json.dumps(record))
    labels = np.arange(8) % 2
    arrays = {"test_logits": np.eye(2)[labels], "test_labels": labels, "test_uncertainty": np.arange(8.0)}
    train = {"train_uncertainty": np.arange(8.0), "train_given": labels, "train_clean": np.roll(labels, 1)}
    save(folder, **arrays, **train, train_flipped=train["train_clean"] != labels)
    loaded = load([tmp_path])
    tables = make_tables(["table1", "summary", "uncertainty", "calibration", "wrong-labels"], loaded)
    silent = [
        table.name
        for table in tables
        if not any("173 of the 35,887" in text for text in (*table.caption, *(note.text for note in table.notes)))
    ]
    assert not silent


def test_of_a_methods_notes_the_newest_stands(tmp_path: Path) -> None:
    for seed, note in enumerate(("older words", "newer words")):
        path = write(tmp_path / "runs", "dul", "fer2013", seed=seed) / "record.json"
        record = json.loads(path.read_text())
        record["provenance"] |= {"method_note": note, "finished": f"2026-01-0{seed + 1}T00:00:00+00:00"}
        path.write_text(json.dumps(record))
    build(["table1"], [tmp_path / "runs"], tmp_path / "out", released=[])
    text = (tmp_path / "out" / "table1.md").read_text(encoding="utf-8")
    assert "dul: newer words." in text and "older words" not in text
