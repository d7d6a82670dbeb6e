"""The record for other programs: CSV, JSON and OpenMetrics.

CSV and JSON come night by night: a record of years does not fit into memory.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import textwrap
from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from typing import Any

from pyarrow import MonthDayNano, Table

from nitro.bench.history import Series
from nitro.bench.record import Record
from nitro.errors import InputError

FORMATS = ("csv", "json", "openmetrics")

_NIGHTS = "SELECT DISTINCT night FROM samples ORDER BY night"
_CSV = "SELECT * EXCLUDE (allowances) FROM metrics WHERE night = ? ORDER BY plan, position, metric"
_JSON = "SELECT * FROM samples WHERE night = ? ORDER BY plan, position"
# Units in the words of OpenMetrics.
_UNITS = {"bit/s": "bits_per_second", "s": "seconds", "%": "percent"}


def as_csv(record: Record, plan: str | None = None) -> Iterator[str]:
    """One line for each number, with all conditions but the raw output; first their names."""
    for number, rows in enumerate(_by_night(record, _CSV, plan)):
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        if number == 0:
            writer.writerow(rows.column_names)
        for row in rows.to_pylist():
            writer.writerow([_text(value) for value in row.values()])
        yield out.getvalue()


def as_json(record: Record, plan: str | None = None) -> Iterator[str]:
    """The parts of a list that has each sample with all of its columns."""
    before = "[\n"
    for rows in _by_night(record, _JSON, plan):
        for row in rows.to_pylist():
            text = json.dumps({key: plain(value) for key, value in row.items()}, indent=1)
            yield before + textwrap.indent(text, " ")
            before = ",\n"
    yield "\n]\n"


def _by_night(record: Record, sql: str, plan: str | None) -> Iterator[Table]:
    for night in record.query(_NIGHTS, plan=plan).column("night").to_pylist():
        yield record.query(sql, (night,), plan=plan)


def as_openmetrics(all_series: list[Series]) -> str:
    """The last night of each series as a gauge, for a Prometheus that collects text files.

    https://prometheus.io/docs/specs/om/open_metrics_spec/
    """
    families: dict[tuple[str, str], list[Series]] = {}
    for series in all_series:
        families.setdefault((series.metric, series.unit), []).append(series)
    lines = []
    for (metric, unit), members in sorted(families.items()):
        suffix = _UNITS.get(unit) or re.sub(r"[^a-z0-9]+", "_", unit.replace("/s", "_per_second"))
        name = f"nitro_bench_{metric}_{suffix}"
        lines += [f"# TYPE {name} gauge", f"# UNIT {name} {suffix}"]
        lines.append(f"# HELP {name} Median of the last night's repetitions.")
        for series in members:
            labels = {"plan": series.plan, "cell": series.cell, "night": str(series.nights[-1])}
            listed = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            lines.append(f"{name}{{{listed}}} {float(series.values[-1])!r}")
    return "\n".join([*lines, "# EOF"]) + "\n"


def rows_of(answer: Table) -> list[dict[str, Any]]:
    """The rows of a query's answer; a name that comes again gets a number.

    Raises InputError for dates that Python does not have.
    """
    names: list[str] = []
    for name in answer.column_names:
        count = sum(1 for known in answer.column_names[: len(names)] if known == name)
        names.append(f"{name}_{count}" if count else name)
    try:
        rows: list[dict[str, Any]] = answer.rename_columns(names).to_pylist()
    except (OverflowError, ValueError) as error:
        raise InputError(
            f"the answer cannot be shown: {error}", hint="CAST the column AS VARCHAR"
        ) from None
    return rows


def plain(value: Any) -> Any:
    """A value of the record, or of a query's answer, as JSON has it: bytes in hexadecimal, null for
    what is no number, and a date, a duration or the like as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():  # as a sum of integers is
            return int(value) if value == value.to_integral_value() else float(value)
        case date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case dict():
            return {str(key): plain(inner) for key, inner in value.items()}
        case MonthDayNano():
            return str(value)
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            return str(value)


def _text(value: Any) -> Any:
    plained = plain(value)
    return json.dumps(plained) if isinstance(plained, dict | list) else plained


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
