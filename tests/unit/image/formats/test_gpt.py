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
