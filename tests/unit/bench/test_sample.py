"""A sample has the id of its place in the night, and says what limited it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from nitro.bench.sample import from_result
from nitro.probe import Allowance, Metric, Result
from tests.unit.bench.samples import CELL, NIGHT, sample, task


def test_a_repeated_measurement_has_the_same_id_and_another_one_another():
    one = sample()
    assert sample(value=2.0).id == one.id
    others = [
        sample(repetition=1),
        sample(night=date(2026, 11, 27)),
        sample(plan="other"),
        sample(cell=replace(CELL, machine=replace(CELL.machine, driver="kernel"))),
    ]
    assert len({one.id, *(other.id for other in others)}) == 5


@pytest.mark.parametrize(("repetition", "phase"), [(0, "warm-up"), (1, "steady")])
def test_the_first_repetitions_warm_up(repetition, phase):
    result = Result("iperf3", "iperf3-tcp-in", {"tcp_in": Metric(1e9, "bit/s", "more")}, started=0)
    made = from_result(
        task(repetition),
        result,
        plan="p",
        night=NIGHT,
        warm_up=1,
        circumstances=sample().circumstances,
    )
    assert made.phase == phase
    assert made.started == datetime(1970, 1, 1, tzinfo=UTC)
    assert made.metrics == result.metrics


def test_an_allowance_that_was_exceeded_limits_the_run():
    counter = "bw_in_allowance_exceeded"
    assert not replace(sample(), allowances=(Allowance("server", counter, 0),)).limited
    assert replace(sample(), allowances=(Allowance("server", counter, 3),)).limited
