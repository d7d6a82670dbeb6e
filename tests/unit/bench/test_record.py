"""A record keeps each sample once, whoever writes it and however often, and is queried in place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time

import pyarrow.parquet as pq
import pytest

from nitro.bench import record as record_module
from nitro.errors import InputError
from tests.unit.bench.samples import CELL, NIGHT, sample

OTHER_NIGHT = date(2026, 11, 27)


def files(record):
    return sorted(path.name for path in record.store.folder.rglob("*") if path.is_file())


def count(record, view="samples"):
    return record.query(f"SELECT count(*) AS n FROM {view}").to_pylist()[0]["n"]


@pytest.mark.extended
def test_samples_are_found_by_sql_with_their_conditions(record):
    record.append([sample(2e9, repetition=i) for i in range(3)])
    record.append([sample(error="iperf3 says refused", repetition=3)])
    assert count(record) == 4
    assert count(record, "metrics") == 3
    row = record.query(
        "SELECT night, plan, cell, value, unit, kernel, zone, hour(started) AS hour FROM metrics"
    ).to_pylist()[0]
    assert row == {
        "night": NIGHT,
        "plan": "small",
        "cell": "c5.large eu-west-1 bench nitro iperf3-tcp in",
        "value": 2e9,
        "unit": "bit/s",
        "kernel": "6.12.0",
        "zone": "eu-west-1a",
        "hour": 1,
    }
    failed = record.query("SELECT repetition, error FROM samples WHERE error IS NOT NULL")
    assert failed.to_pylist() == [{"repetition": 3, "error": "iperf3 says refused"}]


@pytest.mark.extended
def test_a_sample_that_is_written_again_is_there_once(record):
    record.append([sample(repetition=0)])
    record.append([sample(repetition=0)])
    assert record.append([sample(repetition=0), sample(repetition=1)]) == 1
    assert count(record) == 2
    assert len(record.ids("small", NIGHT)) == 2
    assert record.ids("small", OTHER_NIGHT) == set()


@pytest.mark.extended
def test_a_night_that_is_compacted_has_the_same_samples_in_one_file(record):
    for repetition in range(4):
        record.append([sample(repetition=repetition)])
    record.append([sample(repetition=9, night=OTHER_NIGHT)])
    before = record.query("SELECT * FROM samples ORDER BY id").to_pylist()
    record.compact("small", NIGHT)
    assert len(files(record)) == 2
    assert record.query("SELECT * FROM samples ORDER BY id").to_pylist() == before
    record.compact("small", NIGHT)
    assert len(files(record)) == 2


def test_a_file_that_compaction_left_behind_counts_no_sample_twice(record):
    store = record.store
    record.append([sample(repetition=0)])
    record.append([sample(repetition=1)])
    store.remove = lambda path: None  # killed before anything was removed
    record.compact("small", NIGHT)
    assert len(files(record)) == 3
    assert count(record) == 2


@pytest.mark.extended
@pytest.mark.parametrize("order", [1, -1])
def test_of_two_processes_that_measured_a_night_the_first_run_that_succeeded_counts(record, order):
    later = datetime.combine(NIGHT, time(23), UTC)
    first = [sample(error="refused"), sample(3e9, repetition=1)]
    second = [sample(2e9, started=later), sample(1e9, repetition=1, started=later)]
    for number, runs in enumerate([first, second][::order]):
        record.append([*runs, sample(repetition=5 + number)])
    sql = "SELECT value FROM metrics WHERE repetition < 5 ORDER BY repetition"
    for _ in range(2):
        values = [row["value"] for row in record.query(sql).to_pylist()]
        assert values == [2e9, 3e9]
        record.compact("small", NIGHT)
    assert len(files(record)) == 1


@pytest.mark.extended
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_no_measurement(record, value):
    record.append([sample(value), sample(repetition=1)])
    assert (count(record), count(record, "metrics")) == (2, 1)


@pytest.mark.extended
def test_writers_at_the_same_time_lose_nothing(record):
    def write(worker):
        for repetition in range(8):
            record.append([sample(repetition=repetition, plan=f"plan-{worker % 2}")])
            record.compact(f"plan-{worker % 2}", NIGHT)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert count(record) == 16
    assert record.plans() == ["plan-0", "plan-1"]


@pytest.mark.extended
def test_a_draft_of_a_killed_writer_is_not_read(record, tmp_path):
    record.append([sample()])
    folder = next((tmp_path / "record").rglob("*.parquet")).parent
    (folder / ".draft.parquet.1234").write_bytes(b"PAR1 half")
    (folder / ".draft.parquet").write_bytes(b"PAR1 half")
    assert count(record) == 1


@pytest.mark.extended
def test_a_query_reads_the_record_and_nothing_else(record, tmp_path):
    record.append([sample()])
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    for sql in (
        f"SELECT * FROM read_csv('{secret}')",
        f"COPY samples TO '{tmp_path}/out.csv'",
        "SET enable_external_access = true",
        "SELECT nothing FROM samples",
        "SELEC",
        "",
    ):
        with pytest.raises(InputError):
            record.query(sql)
    assert not (tmp_path / "out.csv").exists()


def test_a_record_without_samples_says_so(record):
    with pytest.raises(InputError, match=r"has no samples; .*--record"):
        record.query("SELECT 1")
    record.append([sample()])
    with pytest.raises(InputError, match="of the plan other"):
        record.query("SELECT 1", plan="other")


@pytest.mark.extended
def test_files_without_a_column_that_came_later_are_read_with_those_that_have_it(record):
    """Alone in their folders, and beside others."""
    record.append([sample(repetition=0)])
    [old] = record.store.folder.rglob("*.parquet")
    rows = pq.read_table(old).drop_columns(["mtu"])
    pq.write_table(rows, old)
    assert record.query("SELECT mtu FROM samples").to_pylist() == [{"mtu": None}]
    later = replace(CELL, test=replace(CELL.test, mtu=1500))
    record.append([sample(cell=later, night=OTHER_NIGHT)])
    sql = "SELECT mtu, count(*) AS n FROM samples GROUP BY mtu ORDER BY mtu"
    assert record.query(sql).to_pylist() == [{"mtu": 1500, "n": 1}, {"mtu": None, "n": 1}]
    record.append([sample(cell=later)])
    assert record.query(sql).to_pylist() == [{"mtu": 1500, "n": 2}, {"mtu": None, "n": 1}]
    assert len(record.ids("small", NIGHT)) == 2
    record.compact("small", NIGHT)
    assert record.query(sql).to_pylist() == [{"mtu": 1500, "n": 2}, {"mtu": None, "n": 1}]


@pytest.mark.extended
def test_files_that_lack_different_columns_are_read_together(record):
    for night, column in ((NIGHT, "mtu"), (OTHER_NIGHT, "repetition")):
        record.append([sample(night=night, repetition=7)])
        [old] = (record.store.folder / f"samples/night={night}").rglob("*.parquet")
        pq.write_table(pq.read_table(old).drop_columns([column]), old)
    rows = record.query("SELECT night, repetition FROM samples ORDER BY night").to_pylist()
    assert rows == [
        {"night": NIGHT, "repetition": 7},
        {"night": OTHER_NIGHT, "repetition": None},
    ]


def none(content):
    return b"PAR1 this is none"


def cut(content):
    return content[: len(content) // 2]


def empty(content):
    return b""


def scratched(content):
    """What follows the header is changed: the file's end is in order, its pages are not."""
    pages = bytearray(content)
    for index in range(20, len(pages) - 5000, 7):
        pages[index] ^= 0x5A
    return bytes(pages)


def scratched_at_its_end(content):
    return content[:-200] + bytes(byte ^ 0x5A for byte in content[-200:-8]) + content[-8:]


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("damage", [none, cut, empty, scratched, scratched_at_its_end])
@pytest.mark.parametrize("alone", [True, False])
def test_a_damaged_file_is_named_in_one_line(record, damage, alone):
    record.append([sample(repetition=number) for number in range(200)])
    [path] = record.store.folder.rglob("*.parquet")
    damaged = damage(path.read_bytes())
    record.append([sample(night=OTHER_NIGHT if alone else NIGHT, repetition=900)])
    path.write_bytes(damaged)
    for read in (
        lambda: record.query("SELECT raw, id, cell FROM samples"),
        lambda: record.compact("small", NIGHT),
    ):
        with pytest.raises(InputError) as told:
            read()
        assert told.value.what.startswith(f"{path} is damaged: ")
        assert "\n" not in str(told.value)


@pytest.mark.extended
def test_a_query_for_more_than_memory_says_what_to_ask_for(record, monkeypatch):
    monkeypatch.setattr(record_module, "_MEMORY", "1MB")
    record.append(sample(repetition=n, raw=f"{n}" * 5000) for n in range(2000))
    with pytest.raises(InputError, match=r"too much memory; .*fewer columns"):
        record.query("SELECT * FROM samples ORDER BY raw")


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT FROM", "Parser Error"),
        ("SELECT * FROM nights", "nights does not exist!; the views are samples and metrics"),
        ("SELECT vlaue FROM metrics", "Candidate bindings"),
        ("SELECT CAST(cell AS DATE) FROM samples", "Conversion Error"),
    ],
)
def test_what_is_wrong_with_a_query_is_said_in_one_line(record, sql, says):
    record.append([sample()])
    with pytest.raises(InputError, match=says) as told:
        record.query(sql)
    assert "\n" not in str(told.value)
