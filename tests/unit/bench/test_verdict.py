"""A step is told once and stays told the same; a failed cell is a failure; a limit is AWS's."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from nitro.bench.verdict import check, tell
from nitro.errors import InputError
from nitro.probe import Allowance
from tests.unit.bench.samples import CELLS, CIRCUMSTANCES, days, fill, sample

SLOW = CELLS[1]


def slower(cell, night):
    return 0.9 if cell == SLOW and night >= days(20)[14] else 1.0


@pytest.fixture
def stepped(record):
    """20 nights; one cell is 10 % slower from the 15th on, with a new driver."""
    old, new = days(20)[:14], days(20)[14:]
    fill(record, old)
    newer = replace(CIRCUMSTANCES, digest="sha256:new", zone="eu-west-1b")
    fill(record, new, factor=slower, circumstances=newer, seed=2)
    return record


@pytest.mark.extended
def test_a_slow_cell_is_found_and_nothing_else_with_what_changed(stepped):
    verdict = check(stepped, "small")
    assert verdict.night == days(20)[-1]
    assert [(step.cell, step.night, step.found) for step in verdict.regressions] == [
        (SLOW.key, days(20)[14], days(20)[16])
    ]
    step = verdict.new[0]
    assert step.low < 0.9 < step.high
    assert [str(one) for one in step.differences] == [
        "digest: sha256:4567 → sha256:new",
        "zone: eu-west-1a → eu-west-1b",
    ]
    assert "tcp_in -10." in str(step)
    assert len(verdict.series) == len(CELLS)
    document = verdict.to_json()
    assert not document["ok"]
    assert document["new"][0]["since"] == days(20)[14].isoformat()


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("note", [b'{"half', b"[]", b"{}", b'{"night": "yesterday"}', b"\xff"])
def test_a_damaged_note_of_what_was_told_is_named(stepped, note):
    stepped.store.write("told/small/abc.json", note)
    with pytest.raises(InputError, match=r"/told/small/abc.json is damaged.*told again"):
        check(stepped, "small")


@pytest.mark.extended
def test_a_step_is_told_once_and_again_only_by_the_same_nights_check(stepped):
    first = check(stepped, "small")
    tell(stepped, first)
    again = check(stepped, "small")
    assert [step.id for step in again.new] == [step.id for step in first.new]
    assert not again.known
    tell(stepped, again)
    fill(stepped, days(21)[20:], factor=slower, seed=3)
    later = check(stepped, "small")
    assert not later.new
    assert [(step.id, step.told) for step in later.known] == [(first.new[0].id, days(20)[-1])]
    assert later.known[0].ratio == first.new[0].ratio


@pytest.mark.extended
def test_late_and_missing_nights_do_not_tell_a_step_anew(record):
    nights = days(40)[::2]  # every other night is missing
    fill(record, nights, factor=slower)
    tell(record, check(record, "small"))
    fill(record, days(40)[11:19:2], factor=slower, seed=4)  # and some come late
    fill(record, days(42)[40:], factor=slower, seed=5)
    verdict = check(record, "small")
    assert not verdict.new
    assert len(verdict.known) == 1


@pytest.mark.extended
def test_a_check_of_an_earlier_night_knows_no_later_ones(stepped):
    assert not check(stepped, "small", days(20)[15]).new
    assert check(stepped, "small", days(20)[16]).new


@pytest.mark.extended
def test_less_is_better_for_a_latency(record):
    def factor(cell, night):
        return slower(cell, night) if cell == SLOW else 1.0

    fill(record, days(20), factor=factor, metric="tcp_rr_p99", better="less")
    verdict = check(record, "small")
    assert len(verdict.new) == 1
    assert not verdict.new[0].worse
    assert not verdict.regressions


@pytest.mark.extended
def test_a_failed_cell_is_a_failure_and_no_zero(record):
    fill(record, days(20)[:19])
    last = days(20)[19]
    fill(record, [last], cells=CELLS[:2])
    record.append(
        [sample(cell=CELLS[2], night=last, repetition=r, error="it timed out") for r in range(3)]
    )
    verdict = check(record, "small")
    assert not verdict.new
    assert [(f.cell, f.failed, f.runs) for f in verdict.failed] == [
        (CELLS[2].key, 3, 3),
        (CELLS[3].key, 0, 0),
    ]
    assert str(verdict.failed[0]).endswith("3 of 3 runs failed: it timed out")


@pytest.mark.extended
def test_runs_that_an_allowance_limited_are_no_slow_driver(record):
    fill(record, days(20)[:16])
    limit = (Allowance("server", "bw_in_allowance_exceeded", 40),)
    fill(record, days(20)[16:], cells=CELLS[1:])
    fill(
        record,
        days(20)[16:],
        cells=CELLS[:1],
        factor=lambda cell, night: 0.5,
        allowances=limit,
    )
    verdict = check(record, "small")
    assert not verdict.new
    assert not verdict.failed
    [limited] = verdict.limited
    assert str(limited) == f"{CELLS[0].key} (server bw_in_allowance_exceeded)"
    assert verdict.to_json()["limited"] == [
        {"cell": CELLS[0].key, "counters": ["server bw_in_allowance_exceeded"]}
    ]


def test_what_is_not_there_cannot_be_checked(record):
    with pytest.raises(InputError, match="of the plan small"):
        check(record, "small")
    fill(record, days(2))
    with pytest.raises(InputError, match="no samples of 2020-01-01"):
        check(record, "small", date(2020, 1, 1))


@pytest.mark.extended
def test_the_level_before_a_step_is_the_median_of_the_nights_before_it(record):
    """From the first night on, or from the step before: not what the very last night was."""
    values = [5.00, 5.08, 5.02, 5.06, 5.04, 5.01, 5.03, 5.05, 5.07, 4.0, 4.01, 4.02]
    for night, value in zip(days(len(values)), values, strict=True):
        record.append([sample(value * 1e9, night=night)])
    [step] = check(record, "small").new
    assert step.before == pytest.approx(5.04e9)
    assert step.after == pytest.approx(step.before * step.ratio)
    assert (step.night, step.found) == (days(12)[9], days(12)[11])


def test_a_cell_that_vanished_is_a_failure_without_runs(record):
    fill(record, days(2)[:1])
    fill(record, days(2)[1:], cells=CELLS[1:])
    [failed] = check(record, "small").failed
    assert str(failed) == f"{CELLS[0].key}: was not measured, though it was the night before"
