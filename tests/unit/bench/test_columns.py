"""The columns of the record, and their definition for Athena."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nitro.bench.columns import COLUMNS, PARTITIONS, athena, table
from nitro.errors import InputError
from nitro.probe import Allowance
from tests.unit.bench.samples import sample


def test_a_row_has_the_driver_of_the_plan_and_the_one_that_was_loaded():
    one = replace(
        sample(),
        circumstances=replace(sample().circumstances, driver="kernel"),
        allowances=(Allowance("server", "bw_in_allowance_exceeded", 7),),
    )
    row = table([one]).to_pylist()[0]
    assert (row["driver"], row["loaded_driver"]) == ("nitro", "kernel")
    assert row["limited"]
    assert row["allowances"] == [
        {"where": "server", "counter": "bw_in_allowance_exceeded", "count": 7}
    ]
    assert row["id"] == one.id


def test_a_table_has_each_sample_once_in_the_order_of_their_ids():
    rows = table([sample(repetition=2), sample(repetition=0), sample(repetition=2)])
    ids = rows.column("id").to_pylist()
    assert ids == sorted({sample(repetition=0).id, sample(repetition=2).id})


def test_the_place_of_athenas_table_is_quoted():
    assert "LOCATION 's3://benchmarks/the fleet''s/samples/'\n" in athena(
        "s3://benchmarks/the fleet's//"
    )
    assert "LOCATION 's3://benchmarks/samples/'\n" in athena("s3://benchmarks")


@pytest.mark.parametrize("place", ["s3://", "s3:///x", "s3://A/x", "s3://b'/x", "folder"])
def test_athena_is_told_no_place_that_is_none(place):
    with pytest.raises(InputError, match="is no place for a record"):
        athena(place)


def test_athena_is_told_every_column_with_its_type():
    text = athena("s3://benchmarks/fleet/")
    assert "LOCATION 's3://benchmarks/fleet/samples/'" in text
    assert "PARTITIONED BY (`night` date, `plan` string)" in text
    for line in (
        "`id` string COMMENT",
        "`started` timestamp COMMENT",
        "`metrics` array<struct<name:string,value:double,unit:string,better:string>> COMMENT",
        "`limited` boolean",
        "'the server''s kernel release'",
    ):
        assert line in text
    assert all(f"  `{column.name}` " in text for column in COLUMNS)
    assert not any(f"  `{column.name}` " in text for column in PARTITIONS)
