"""The paper's numbers (`numbers.toml`) in one shape: table, data set, row, condition -> value."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("numbers.toml")


@dataclass(frozen=True)
class PaperNumber:
    """A number as printed in the paper, in per cent. `sd` where the paper gives one; `runs` is what it is over."""

    mean: float
    sd: float | None = None
    runs: int = 3

    @property
    def error(self) -> float:
        """The mean's standard error; 0, the number as it stands, where the paper gives no deviation."""
        return 0.0 if self.sd is None else self.sd / self.runs**0.5


@cache
def contents() -> dict[str, Any]:
    """`numbers.toml` as it stands."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


@cache
def values(table: str) -> dict[tuple[str, str, int], PaperNumber]:
    """(data set, row, condition) -> PaperNumber. Condition: the noise (Table 1) or the rejection rate, in per cent."""
    readers = {"table1": _noise, "table2": _rejection, "table3": _plain, "table4": _plain, "table5": _ablation}
    return readers.get(table, _rejection)(table)


def lookup(table: str, dataset: str, row: str, condition: int) -> PaperNumber | None:
    """The published number of a cell, or None where the paper has none."""
    return values(table).get((dataset, row, condition))


def datasets(table: str) -> list[str]:
    """The data sets the paper's table shows, in its order."""
    return list(dict.fromkeys(dataset for dataset, _, _ in values(table)))


def quoted(table: str) -> dict[str, float]:
    """Other systems' accuracies that the paper's table quotes; per cent."""
    return dict(contents().get(table, {}).get("quoted", {}))


def measured(table: str, row: str, measure: str, dataset: str, level: str) -> PaperNumber | None:
    """The paper's number of a measure under a noise ("10"; "0" for clean labels), or None where the table has none.

    measure: "accuracy", "at_10" ... after rejection, "rise": what rejecting 30 % adds.
    """
    if measure == "rise":
        high, low = (measured(table, row, name, dataset, level) for name in ("at_30", "accuracy"))
        return None if high is None or low is None else PaperNumber(high.mean - low.mean)
    noisy = table == "table1"
    rate = 0 if measure == "accuracy" else int(measure.removeprefix("at_")) if measure.startswith("at_") else None
    if rate is None or noisy is (level == "0") or not level.isdigit() or (noisy and rate):
        return None
    return lookup(table, dataset, row, int(level) if noisy else rate)


def gives(dataset: str, setting: str) -> bool:
    """Whether the paper says which value a recipe's setting has on this data set, in its words or by reference."""
    protocol = contents()["protocol"]
    return dataset in protocol["by_reference"] or (dataset in protocol["described"] and setting in protocol["given"])


# Which data set a table without a data set level speaks of (the titles in numbers.toml say so).
_SINGLE = {"table3": "rafdb", "table4": "fer2013", "table5": "rafdb"}


def _noise(table: str) -> dict[tuple[str, str, int], PaperNumber]:
    content, runs = contents()[table], contents()["protocol"]["runs"]
    return {
        (dataset, method, noise): PaperNumber(numbers[2 * position], numbers[2 * position + 1], runs)
        for method, noise, *numbers in content["rows"]
        for position, dataset in enumerate(content["columns"])
    }


def _rejection(table: str) -> dict[tuple[str, str, int], PaperNumber]:
    content = contents()[table]
    return {
        (dataset, method, rate): PaperNumber(number)
        for dataset, rows in content.items()
        if isinstance(rows, dict)
        for method, numbers in rows.items()
        for rate, number in zip(content["rejection"], numbers, strict=True)
    }


def _plain(table: str) -> dict[tuple[str, str, int], PaperNumber]:
    return {(_SINGLE[table], method, 0): PaperNumber(value) for method, value in contents()[table]["measured"].items()}


def _ablation(table: str) -> dict[tuple[str, str, int], PaperNumber]:
    """Table 5, and the sentence of section 4.6 about DUL guided by RUL, whose rows only name the accuracy."""
    content, guided = contents()[table], contents()["text"]["dul_guided_by_rul"]
    parts = ((0, guided), (0, content["accuracy"]), (10, content["rejection_10"]))
    return {
        (_SINGLE[table], method, rate): PaperNumber(value) for rate, rows in parts for method, value in rows.items()
    }
