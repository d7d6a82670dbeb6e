"""The record for other programs says the same numbers."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from nitro.bench.export import as_csv, as_json, as_openmetrics, plain, rows_of
from nitro.bench.history import load
from nitro.errors import InputError
from nitro.probe import Metric
from tests.unit.bench.samples import CELL, days, fill, sample


def test_csv_has_a_line_for_each_number(record):
    metrics = {
        "tcp_in": Metric(0.1 + 0.2, "bit/s", "more"),
        "odd": Metric(1.5, "a,b", "less"),
    }
    record.append([sample(metrics=metrics), sample(repetition=1)])
    rows = list(csv.DictReader(io.StringIO("".join(as_csv(record)))))
    assert [row["metric"] for row in rows] == ["odd", "tcp_in", "tcp_in"]
    assert float(rows[1]["value"]) == 0.1 + 0.2
    assert rows[0]["unit"] == "a,b"
    assert rows[0]["started"].endswith("+00:00")
    assert "raw" not in rows[0]


def test_json_has_each_sample_whole(record):
    record.append([sample(raw='{"end": 1}'), sample(repetition=1, error="refused")])
    found = json.loads("".join(as_json(record)))
    assert [one["error"] for one in found] == [None, "refused"]
    assert found[0]["raw"] == '{"end": 1}'
    assert found[0]["metrics"] == [
        {"name": "tcp_in", "value": 1e9, "unit": "bit/s", "better": "more"}
    ]


@pytest.mark.extended
def test_nights_follow_each_other_in_one_document(record):
    for night in days(3):
        record.append([sample(night=night), sample(night=night, repetition=1, plan="another")])
    rows = list(csv.DictReader(io.StringIO("".join(as_csv(record)))))
    assert [(row["night"], row["plan"]) for row in rows] == [
        (night.isoformat(), plan) for night in days(3) for plan in ("another", "small")
    ]
    assert [one["night"] for one in json.loads("".join(as_json(record, "small")))] == [
        night.isoformat() for night in days(3)
    ]
    record.append([sample(night=days(4)[-1], plan="another")])
    assert len(list(as_csv(record, "small"))) == 3, "no part for a night without runs of the plan"
    parts = as_csv(record, "small")
    next(parts)
    assert len(list(parts)) == 2  # one for each night


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("sum(x) FROM (VALUES (1), (2)) AS v(x)", 3),
        ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1),
        ("1.25::DECIMAL(5, 2)", 1.25),
        ("'NaN'::DOUBLE", None),
        ("-1 / 0", None),
        ("'a'::BLOB", "61"),
        ("DATE '2026-11-26'", "2026-11-26"),
        ("TIME '10:00'", "10:00:00"),
        ("MAP {DATE '2026-11-26': 1}", [["2026-11-26", 1]]),
        ("{'a': [1, NULL]}", {"a": [1, None]}),
        ("INTERVAL 1 DAY", "MonthDayNano(months=0, days=1, nanoseconds=0)"),
    ],
)
def test_whatever_a_query_answers_is_strict_json(record, sql, value):
    record.append([sample()])
    [row] = rows_of(record.query(f"SELECT {sql}"))
    [found] = plain(row).values()
    assert json.loads(json.dumps(found, allow_nan=False)) == value


def test_columns_of_one_name_are_told_apart(record):
    record.append([sample()])
    assert rows_of(record.query("SELECT 1 AS a, 2 AS b, 3 AS a")) == [{"a": 1, "b": 2, "a_1": 3}]


@pytest.mark.parametrize("sql", ["DATE '290000-01-01'", "'infinity'::TIMESTAMP"])
def test_a_date_that_cannot_be_shown_is_refused(record, sql):
    record.append([sample()])
    with pytest.raises(InputError, match="the answer cannot be shown"):
        rows_of(record.query(f"SELECT {sql}"))


LINE = re.compile(r'(# (TYPE|UNIT|HELP) [a-z0-9_]+ .+|[a-z0-9_]+\{([a-z]+="[^"]*",?)+\} \S+|# EOF)')


def test_openmetrics_has_the_last_night_with_units_in_the_names(record):
    fill(record, days(2))
    record.append(
        [sample(2.5, metrics={"http": Metric(2.5, "requests/s", "more")}, night=days(3)[2])]
    )
    text = as_openmetrics(load(record))
    assert text.endswith("# EOF\n")
    assert all(LINE.fullmatch(line) for line in text.splitlines())
    assert text.splitlines()[:3] == [
        "# TYPE nitro_bench_http_requests_per_second gauge",
        "# UNIT nitro_bench_http_requests_per_second requests_per_second",
        "# HELP nitro_bench_http_requests_per_second Median of the last night's repetitions.",
    ]
    assert (
        f'nitro_bench_http_requests_per_second{{plan="small",cell="{CELL.key}",'
        f'night="{days(3)[2]}"}} 2.5' in text.splitlines()
    )
    assert text.count("# TYPE nitro_bench_tcp_in_bits_per_second gauge") == 1
    assert text.count("\nnitro_bench_tcp_in_bits_per_second{") == 4
