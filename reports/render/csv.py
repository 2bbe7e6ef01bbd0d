"""The numbers behind a table as CSV."""

from __future__ import annotations

import csv
import io

from common.text import spreadsheet_cell
from reports.tables.table import Table


def comma_separated(table: Table) -> str:
    """The numbers behind the table, one row a cell; empty where there is nothing."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(table.records[0]) if table.records else ["dataset"], lineterminator="\n")
    writer.writeheader()
    for record in table.records:
        writer.writerow({key: _number(value) for key, value in record.items()})
    return buffer.getvalue()


def _number(value: str | float | None) -> str:
    """Six decimals at most: more are noise, and platforms differ in them."""
    if value is None or value != value:
        return ""
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(spreadsheet_cell(value))
