"""Partition tables: round trips, and what an independent reader makes of them is in test_disk."""

from __future__ import annotations

import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.formats import gpt

DISK = uuid.UUID("11111111-2222-3333-4444-555555555555")


def partition(first: int, last: int, name: str = "data") -> gpt.Partition:
    return gpt.Partition(gpt.EFI_SYSTEM, uuid.UUID(int=first), first, last, name)


@pytest.mark.extended
@given(
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=20),
    name=st.text(st.characters(codec="utf-16-le", exclude_characters="\0"), max_size=18),
)
def test_round_trip(sizes: list[int], name: str) -> None:
    partitions, first = [], gpt.FIRST_USABLE
    for size in sizes:
        partitions.append(partition(first, first + size - 1, name))
        first += size
    start, end = gpt.write(DISK, partitions, first + gpt.TABLE_SECTORS + 1)
    assert len(start) == gpt.FIRST_USABLE * gpt.SECTOR
    assert len(end) == (gpt.TABLE_SECTORS + 1) * gpt.SECTOR
    assert gpt.read(start) == partitions


def test_second_table_is_at_the_end() -> None:
    start, end = gpt.write(DISK, [partition(100, 200)], 1000)
    first, second = start[gpt.SECTOR : 2 * gpt.SECTOR], end[-gpt.SECTOR :]
    assert struct.unpack_from("<QQ", first, 24) == (1, 999)
    assert struct.unpack_from("<QQ", second, 24) == (999, 1)
    assert start[2 * gpt.SECTOR :] == end[: -gpt.SECTOR]


def test_protective_mbr_covers_the_disk() -> None:
    start, _ = gpt.write(DISK, [], 1000)
    assert start[510:512] == b"\x55\xaa"
    assert start[450] == 0xEE
    assert struct.unpack_from("<II", start, 454) == (1, 999)


@pytest.mark.parametrize(
    "spans",
    [[(33, 40)], [(100, 99)], [(100, 200), (200, 300)], [(900, 990)]],
    ids=["in the table", "backwards", "overlap", "in the second table"],
)
def test_impossible_partitions(spans: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="overlaps"):
        gpt.write(DISK, [partition(*span) for span in spans], 1000)


@pytest.mark.extended
@given(position=st.integers(512, 512 + 91), value=st.integers(1, 255))
def test_damaged_header_is_refused(position: int, value: int) -> None:
    start = bytearray(gpt.write(DISK, [partition(100, 200)], 1000)[0])
    start[position] ^= value
    with pytest.raises(ValueError, match="table"):
        gpt.read(bytes(start))


@given(position=st.integers(1024, 1024 + 128 * 128 - 1), value=st.integers(1, 255))
def test_damaged_entries_are_refused(position: int, value: int) -> None:
    start = bytearray(gpt.write(DISK, [partition(100, 200)], 1000)[0])
    start[position] ^= value
    with pytest.raises(ValueError, match="entries"):
        gpt.read(bytes(start))


@given(st.binary(max_size=2048))
def test_other_bytes_are_no_table(data: bytes) -> None:
    with pytest.raises(ValueError, match="no GUID partition table"):
        gpt.read(data)


@pytest.mark.parametrize(
    ("first", "last", "fits"), [(34, 966, True), (33, 966, False), (34, 967, False)]
)
def test_partitions_lie_between_the_tables(first: int, last: int, fits: bool) -> None:
    """Of 1000 sectors the first 34 are the boot sector and a table, the last 33 the other table."""
    if fits:
        assert gpt.read(gpt.write(DISK, [partition(first, last)], 1000)[0])[0].last == last
    else:
        with pytest.raises(ValueError, match="overlaps"):
            gpt.write(DISK, [partition(first, last)], 1000)


@pytest.mark.parametrize("count", [128, 129])
def test_a_table_has_128_entries(count: int) -> None:
    partitions = [partition(34 + number, 34 + number) for number in range(count)]
    if count == 128:
        start, _ = gpt.write(DISK, partitions, 1000)
        assert gpt.read(start) == partitions
    else:
        with pytest.raises(ValueError, match="129 partitions"):
            gpt.write(DISK, partitions, 1000)


@pytest.mark.parametrize(("sectors", "said"), [(1 << 32, 0xFFFFFFFF), ((1 << 32) + 1, 0xFFFFFFFF)])
def test_the_protective_entry_of_a_large_disk_is_as_long_as_can_be(sectors: int, said: int) -> None:
    start, _ = gpt.write(DISK, [], sectors)
    assert struct.unpack_from("<I", start, 458) == (said,)


def test_a_table_that_is_cut_short_is_none() -> None:
    start, _ = gpt.write(DISK, [partition(100, 200)], 1000)
    assert gpt.read(start)
    for length in (0, 512, 512 + 91):
        with pytest.raises(ValueError, match="no GUID partition table"):
            gpt.read(start[:length])
    with pytest.raises(ValueError, match="entries have a wrong checksum"):
        gpt.read(start[:-1])
