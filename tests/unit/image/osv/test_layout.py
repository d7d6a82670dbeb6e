"""The RAMFS and the end of a kernel, found without symbols."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.osv.layout import Entry, Layout, read_table
from nitro.image.osv.segment import Segment
from tests.unit.image.osv.kernel import INSTRUCTION, TABLE, build, free_memory

KERNEL = build()


def changed(place: int, data: bytes) -> bytes:
    return KERNEL[:place] + data + KERNEL[place + len(data) :]


def test_everything_is_found() -> None:
    layout = Layout.find(Segment.parse(KERNEL))
    assert layout == Layout(TABLE, len(KERNEL) - TABLE, free_memory(len(KERNEL)), INSTRUCTION + 6)
    assert layout.capacity == (len(KERNEL) - TABLE) // 128 - 1


def test_the_entries_are_read() -> None:
    start = TABLE + 4 * 128
    assert read_table(KERNEL, TABLE) == [
        Entry("/libenv.so", 0, start, 9000),
        Entry("/dev/", 0, start + 9000, 0),
        Entry("/bin", 1, start + 9000, 8),
    ]


@pytest.mark.parametrize(
    ("kernel", "what"),
    [
        (changed(TABLE + 8, b"\1"), "no table of a RAMFS in the"),
        (changed(TABLE + 17, b"lib"), "no table of a RAMFS in the"),
        (changed(TABLE + 3 * 128 + 17, b"/"), "no table of a RAMFS in the"),
        (changed(0x880, KERNEL[TABLE + 128 : TABLE + 256]), None),
        (changed(INSTRUCTION + 16, b"\x48\x8d\x0c\x24"), "0 ends of the kernel; looked for"),
        (changed(INSTRUCTION + 21, b"\1"), "0 ends of the kernel; looked for"),
        (changed(INSTRUCTION, b"\xc7\x04"), "0 instructions store the end"),
        (changed(0xA80, KERNEL[INSTRUCTION : INSTRUCTION + 10]), "2 instructions store the end"),
    ],
)
def test_what_is_not_found_once_is_refused(kernel: bytes, what: str | None) -> None:
    segment = Segment.parse(kernel)
    if what is None:
        assert Layout.find(segment).table == TABLE
    else:
        with pytest.raises(ValueError, match=what):
            Layout.find(segment)


def test_two_tables_are_one_too_many() -> None:
    table = struct.pack("<QQB111s", 0, 256, 0, b"/a") + bytes(128)
    kernel = changed(0xB00, table)
    with pytest.raises(ValueError, match="2 tables of a RAMFS"):
        Layout.find(Segment.parse(kernel))


@given(st.lists(st.tuples(st.integers(TABLE, TABLE + 600), st.integers(0, 255)), max_size=6))
def test_a_damaged_table_is_read_or_refused(damage: list[tuple[int, int]]) -> None:
    kernel = bytearray(KERNEL)
    for place, value in damage:
        kernel[place] = value
    with suppress(ValueError):
        for entry in read_table(bytes(kernel), TABLE):
            assert entry.place + entry.size <= len(kernel)
