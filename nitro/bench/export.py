"""The record for other programs: CSV, JSON and OpenMetrics."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import date
from typing import Any

from nitro.bench.history import Series
from nitro.bench.record import Record

FORMATS = ("csv", "json", "openmetrics")

_CSV = "SELECT * EXCLUDE (allowances) FROM metrics ORDER BY night, plan, position, metric"
_JSON = "SELECT * FROM samples ORDER BY night, plan, position"
# Units in the words of OpenMetrics.
_UNITS = {"bit/s": "bits_per_second", "s": "seconds", "%": "percent"}


def as_csv(record: Record, plan: str | None = None) -> str:
    """One line for each number, with all conditions but the raw output."""
    rows = record.query(_CSV, plan=plan)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows.column_names)
    for row in rows.to_pylist():
        writer.writerow([_text(value) for value in row.values()])
    return out.getvalue()


def as_json(record: Record, plan: str | None = None) -> list[dict[str, Any]]:
    """Each sample with all of its columns."""
    rows: list[dict[str, Any]] = record.query(_JSON, plan=plan).to_pylist()
    return [{key: plain(value) for key, value in row.items()} for row in rows]


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


def plain(value: Any) -> Any:
    """A value of the record as JSON has it."""
    if isinstance(value, date):  # and a time
        return value.isoformat()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def _text(value: Any) -> Any:
    plained = plain(value)
    return json.dumps(plained) if isinstance(plained, dict | list) else plained


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
