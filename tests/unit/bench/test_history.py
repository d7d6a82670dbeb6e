"""A night's value is the median of what was measured well, in UTC, oldest first."""

from __future__ import annotations

import pytest

from nitro.bench.history import load
from nitro.bench.verdict import check
from nitro.probe import Allowance, Metric
from tests.unit.bench.samples import CELL, CELLS, days, fill, sample


def test_a_nights_value_is_the_median_of_steady_runs_that_nothing_limited(record):
    night = days(1)[0]
    limit = (Allowance("client", "pps_allowance_exceeded", 1),)
    record.append(
        [
            *(sample(value, repetition=i) for i, value in enumerate([1.0, 9.0, 4.0])),
            sample(1000.0, repetition=3, phase="warm-up"),
            sample(1000.0, repetition=4, allowances=limit),
            sample(repetition=5, error="no"),
        ]
    )
    series = load(record)[0]
    assert (series.cell, series.metric, series.nights) == (CELL.key, "tcp_in", (night,))
    assert series.values.tolist() == [4.0]
    assert series.counts.tolist() == [3]
    assert series.to_json()["nights"] == [night.isoformat()]


@pytest.mark.extended
def test_nights_come_in_order_whenever_they_were_written(record):
    for night in reversed(days(4)):
        fill(record, [night])
    found = load(record)
    assert [series.cell for series in found] == sorted(cell.key for cell in CELLS)
    assert all(series.nights == tuple(days(4)) for series in found)


@pytest.mark.extended
def test_cells_and_metrics_are_chosen_by_patterns_and_counts_are_no_level(record):
    metrics = {
        "tcp_in": Metric(1e9, "bit/s", "more"),
        "tcp_in_retransmits": Metric(3, "segments", "less"),
        "tcp_in_cpu_client": Metric(3, "%", "less"),
        "tcp_rr_p99": Metric(0.1, "s", "less"),
        "tcp_rr_p90": Metric(0.1, "s", "less"),
        "boot": Metric(1.0, "s", None),
    }
    record.append([sample(metrics=metrics)])
    assert [series.metric for series in load(record)] == ["tcp_in", "tcp_rr_p99"]
    assert [series.metric for series in load(record, metric="*_p99")] == ["tcp_rr_p99"]
    assert load(record, cell="m5.*") == []


@pytest.mark.extended
def test_another_unit_is_another_series(record):
    """As a later version of a tool may have; no step lies between the two."""
    for number, night in enumerate(days(16)):
        value = Metric(1e9, "bit/s", "more") if number < 12 else Metric(1000.0, "Mbit/s", "more")
        record.append([sample(night=night, metrics={"tcp_in": value})])
    found = load(record)
    assert [(one.unit, len(one.nights)) for one in found] == [("Mbit/s", 4), ("bit/s", 12)]
    verdict = check(record, "small")
    assert (verdict.new, verdict.known) == ((), ())
