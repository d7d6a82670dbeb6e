"""The RAMFS and the end of a kernel, found without symbols."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.osv.layout import Entry, Layout, read_table
from nitro.image.osv.segment import Segment
from tests.unit.image.osv.kernel import (
    BASE,
    BSS,
    CHECK_AT,
    CONTENTS_AT,
    FAILED_AT,
    INSTRUCTION,
    NAMES_AT,
    TABLE,
    build,
    free_memory,
)

KERNEL = build()
OPERANDS = (CHECK_AT + 2, NAMES_AT + 2, CONTENTS_AT + 3)


def changed(place: int, data: bytes) -> bytes:
    return KERNEL[:place] + data + KERNEL[place + len(data) :]


def test_everything_is_found() -> None:
    layout = Layout.find(Segment.parse(KERNEL))
    room, end = len(KERNEL) - TABLE, free_memory(len(KERNEL))
    assert layout == Layout(TABLE, room, end, INSTRUCTION + 6, OPERANDS)
    assert layout.in_place == room // 128 - 1
    assert layout.capacity == (0x80000000 - end) // 128 - 1


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


def test_a_table_without_entries_is_found_by_the_code_that_unpacks_it() -> None:
    """Kernels for a disk with another file system have such a one: 128 bytes of zeros."""
    kernel = build([])
    layout = Layout.find(Segment.parse(kernel))
    assert layout == Layout(TABLE, 128, free_memory(len(kernel)), INSTRUCTION + 6, OPERANDS)
    assert layout.in_place == 0
    assert layout.capacity > 1_000_000
    layout.check(Segment.parse(kernel))


@pytest.mark.parametrize(
    ("place", "data"),
    [
        (FAILED_AT + 1, bytes(4)),  # nothing says the message
        (CONTENTS_AT + 3, bytes(4)),  # nothing names the table's start
        (NAMES_AT + 2, bytes(4)),  # once is not sure
        (TABLE + 100, b"x"),  # no entry, but no zeros either
    ],
)
def test_a_table_without_entries_that_is_not_sure_is_refused(place: int, data: bytes) -> None:
    kernel = bytearray(build([]))
    kernel[place : place + len(data)] = data
    with pytest.raises(ValueError, match=r"no table of a RAMFS .* 'unpack_bootfs failed'"):
        Layout.find(Segment.parse(bytes(kernel)))


def test_two_tables_are_one_too_many() -> None:
    table = struct.pack("<QQB111s", 0, 256, 0, b"/a") + bytes(128)
    kernel = changed(0xB00, table)
    with pytest.raises(ValueError, match="2 tables of a RAMFS"):
        Layout.find(Segment.parse(kernel))


@pytest.mark.extended
@given(st.lists(st.tuples(st.integers(TABLE, TABLE + 600), st.integers(0, 255)), max_size=6))
def test_a_damaged_table_is_read_or_refused(damage: list[tuple[int, int]]) -> None:
    kernel = bytearray(KERNEL)
    for place, value in damage:
        kernel[place] = value
    with suppress(ValueError):
        for entry in read_table(bytes(kernel), TABLE):
            assert entry.place + entry.size <= len(kernel)


@pytest.mark.parametrize(("behind", "found"), [(-1, 0), (0, 1), (1 << 16, 1), ((1 << 16) + 1, 0)])
def test_the_end_lies_at_most_a_thread_control_block_behind_the_segment(
    behind: int, found: int
) -> None:
    end = struct.pack("<I", BASE + len(KERNEL) + BSS + behind)
    kernel = bytearray(changed(INSTRUCTION + 6, end))
    kernel[INSTRUCTION + 20 : INSTRUCTION + 24] = end
    segment = Segment.parse(bytes(kernel))
    if found:
        assert Layout.find(segment).end == BASE + len(KERNEL) + BSS + behind
    else:
        with pytest.raises(ValueError, match="0 ends of the kernel"):
            Layout.find(segment)


def test_two_ends_are_one_too_many() -> None:
    other = b"\x48\x8d\x0c\x25" + struct.pack("<I", free_memory(len(KERNEL)) + 8)
    with pytest.raises(ValueError, match="2 ends of the kernel"):
        Layout.find(Segment.parse(changed(0xA80, other)))
    same = b"\x48\x8d\x0c\x25" + struct.pack("<I", free_memory(len(KERNEL)))
    assert Layout.find(Segment.parse(changed(0xA80, same))).end == free_memory(len(KERNEL))


@pytest.mark.parametrize(("length", "valid"), [(110, True), (111, False)])
def test_a_name_ends_with_a_zero(length: int, valid: bool) -> None:
    """So of the 111 bytes of its field 110 are the name's."""
    table = struct.pack("<QQB111s", 0, 256, 0, b"/".ljust(length, b"n")) + bytes(128)
    if valid:
        assert len(read_table(table, 0)[0].name) == 110
    else:
        with pytest.raises(ValueError, match="has no absolute name"):
            read_table(table, 0)


@pytest.mark.parametrize("kind", [2, 255])
def test_other_types_are_no_entries(kind: int) -> None:
    with pytest.raises(ValueError, match="has no absolute name"):
        read_table(struct.pack("<QQB111s", 0, 256, kind, b"/a") + bytes(128), 0)


def test_a_table_and_its_contents_may_end_with_the_kernel() -> None:
    table = struct.pack("<QQB111s", 3, 256, 0, b"/a") + bytes(128)
    assert read_table(table + b"abc", 0) == [Entry("/a", 0, 256, 3)]
    with pytest.raises(ValueError, match="lies outside the kernel"):
        read_table(table + b"ab", 0)
    with pytest.raises(ValueError, match="does not end"):
        read_table(struct.pack("<QQB111s", 0, 0, 0, b"/a") + bytes(127), 0)
    for outside in (-128, 256, 1 << 40):
        with pytest.raises(ValueError, match="does not end"):
            read_table(table, outside)


def test_an_entry_is_found_at_the_very_end() -> None:
    """A table of empty files, with nothing behind it."""
    kernel = build([(0, b"/a", b""), (0, b"/b", b"")])
    assert Layout.find(Segment.parse(kernel)).room == 3 * 128


def test_contents_that_do_not_follow_each_other_are_no_ramfs() -> None:
    kernel = bytearray(KERNEL)
    struct.pack_into("<Q", kernel, TABLE + 2 * 128, 7)  # the third entry's size is that of another
    struct.pack_into("<Q", kernel, TABLE + 2 * 128 + 8, 4 * 128 + 9001)
    with pytest.raises(ValueError, match="no table of a RAMFS"):
        Layout.find(Segment.parse(bytes(kernel)))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"room": 1}, "has not"),
        ({"end": 1}, "no instruction stores"),
        ({"end_operand": 1}, "no instruction stores"),
        ({"end_operand": -1}, "no instruction stores"),
        ({"operands": (1,)}, "other instructions find"),
    ],
)
def test_a_layout_of_another_kernel_is_noticed(change: dict[str, Any], what: str) -> None:
    segment = Segment.parse(KERNEL)
    layout = Layout.find(segment)
    layout.check(segment)
    values = asdict(layout)
    with pytest.raises(ValueError, match=what):
        Layout(**values | {key: values[key] + by for key, by in change.items()}).check(segment)


def test_a_file_that_looks_like_a_table_is_a_file() -> None:
    """Such as a kernel in a kernel: what lies in the RAMFS is not looked at."""
    inner = struct.pack("<QQB111s", 0, 256, 0, b"/a") + bytes(128)
    kernel = build([(0, b"/kernel", inner), (0, b"/x", b"x")])
    layout = Layout.find(Segment.parse(kernel))
    assert layout.table == TABLE
    assert [entry.name for entry in read_table(kernel, TABLE)] == ["/kernel", "/x"]


def test_a_table_lies_at_a_multiple_of_eight() -> None:
    """As the linker aligns it; what looks like one elsewhere is chance."""
    table = struct.pack("<QQB111s", 0, 256, 0, b"/a") + bytes(128)
    assert Layout.find(Segment.parse(changed(0xB04, table))).table == TABLE


@pytest.mark.parametrize(
    "kernel",
    [
        changed(CONTENTS_AT, bytes(7)),  # nothing says what offsets count from
        changed(NAMES_AT, bytes(6)),  # a single value may be chance
    ],
)
def test_a_table_is_moved_only_where_it_is_sure_who_knows_of_it(kernel: bytes) -> None:
    layout = Layout.find(Segment.parse(kernel))
    assert layout.operands == ()
    assert layout.capacity == layout.in_place


def test_a_value_far_from_the_others_makes_it_unsure() -> None:
    """As a pointer among the kernel's data would be, which nobody would move."""
    kernel = bytearray(build(size=0x9000))
    struct.pack_into("<I", kernel, 0x8000, BASE + TABLE)
    assert Layout.find(Segment.parse(bytes(kernel))).operands == ()


def test_what_lies_in_the_ramfs_itself_knows_nothing_of_the_table() -> None:
    kernel = build([(0, b"/a", struct.pack("<I", BASE + TABLE) * 3)])
    assert Layout.find(Segment.parse(kernel)).operands == OPERANDS
