"""What changed between the two sides of a step, and nothing that did not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pyarrow.parquet as pq
import pytest

from nitro.bench.triage import Sides, differences
from nitro.errors import InputError
from tests.unit.bench.samples import CELLS, CIRCUMSTANCES, days, fill

NIGHTS = days(10)


def sides(cell=CELLS[0]):
    return Sides("small", cell.key, NIGHTS[6], NIGHTS[8])


def changed(record, **after):
    fill(record, NIGHTS[:6])
    fill(record, NIGHTS[6:], circumstances=replace(CIRCUMSTANCES, **after))
    return {one.what: (one.before, one.after) for one in differences(record, sides())}


@pytest.mark.extended
def test_new_values_are_named_the_likeliest_cause_first(record):
    found = changed(record, kernel="6.12.1", driver_version="2.14")
    assert list(found.items()) == [
        ("driver_version", ((), ("2.14",))),
        ("kernel", (("6.12.0",), ("6.12.1",))),
    ]


@pytest.mark.extended
def test_an_instance_that_is_always_new_is_no_cause(record):
    assert not changed(record, server="i-9", client="i-8")


@pytest.mark.extended
def test_nights_long_before_the_step_do_not_excuse_it(record):
    fill(record, NIGHTS[:1], circumstances=replace(CIRCUMSTANCES, zone="eu-west-1b"))
    fill(record, NIGHTS[1:6])
    fill(record, NIGHTS[6:], circumstances=replace(CIRCUMSTANCES, zone="eu-west-1b"))
    assert [str(d) for d in differences(record, sides())] == ["zone: eu-west-1a → eu-west-1b"]


@pytest.mark.extended
def test_the_market_is_on_demand_where_the_record_does_not_say(record):
    fill(record, NIGHTS[:6])
    for file in record.store.folder.rglob("*.parquet"):  # as before the record had the column
        rows = pq.read_table(file, partitioning=None).drop_columns(["market"])
        pq.write_table(rows, file)
    fill(record, NIGHTS[6:], circumstances=replace(CIRCUMSTANCES, market="on-demand"))
    assert differences(record, sides()) == ()


@pytest.mark.extended
def test_another_market_is_a_cause(record):
    fill(record, NIGHTS[:6], circumstances=replace(CIRCUMSTANCES, market="on-demand"))
    fill(record, NIGHTS[6:], circumstances=replace(CIRCUMSTANCES, market="spot"))
    assert [str(one) for one in differences(record, sides())] == ["market: on-demand → spot"]


@pytest.mark.extended
@pytest.mark.parametrize(
    ("which", "says"),
    [
        (Sides("small", "c5.lage", NIGHTS[6], NIGHTS[8]), "no runs of 'c5.lage' before"),
        (Sides("small", CELLS[0].key, NIGHTS[0], NIGHTS[8]), "before 2026"),
        (Sides("small", CELLS[0].key, date.max, date.max), "from 9999-12-31 on"),
    ],
)
def test_a_cell_without_nights_on_both_sides_is_refused(record, which, says):
    fill(record, NIGHTS)
    with pytest.raises(InputError, match=says):
        differences(record, which)
