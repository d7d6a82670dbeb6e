"""Tables and operands at the edges of each rule, and in kernels with a wrong byte."""

from __future__ import annotations

import struct
from itertools import groupby
from pathlib import Path

import pytest

from nitro.image.osv.layout import Layout
from nitro.image.osv.segment import Segment
from tests.transcripts import compare
from tests.unit.image.osv.kernel import (
    BASE,
    BSS,
    CHECK_AT,
    CONTENTS_AT,
    FAILED_AT,
    INSTRUCTION,
    NAMES_AT,
    SAMPLE,
    TABLE,
    build,
    free_memory,
)

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
MESSAGE = b"unpack_bootfs failed\0"


def _found(kernel: bytes) -> str:
    try:
        found = Layout.find(Segment.parse(kernel))
    except ValueError as error:
        return str(error).partition(";")[0]
    operands = " ".join(f"{at:#x}" for at in found.operands) or "none"
    text = f"table {found.table:#x} room {found.room:#x} end {found.end:#x}"
    return f"{text} at {found.end_operand:#x}, operands {operands}, {found.capacity} entries"


def _with(kernel: bytes, *changes: tuple[int, bytes]) -> bytes:
    changed = bytearray(kernel)
    for place, data in changes:
        changed[place : place + len(data)] = data
    assert len(changed) == len(kernel)
    return bytes(changed)


def _plain(value: int) -> bytes:
    return struct.pack("<I", BASE + value)


def _relative(at: int, value: int, size: int = 0) -> bytes:
    return struct.pack("<i", value - (at + 4 + size))


def test_each_byte_that_counts() -> None:
    """Runs of places whose wrong byte has the same effect."""
    text = ""
    for name, kernel in (("files", build()), ("none", build([], says=b"text"))):
        message = kernel.index(MESSAGE)
        places = [
            *range(120, 176),
            *range(INSTRUCTION, FAILED_AT + 6),
            *(TABLE + entry * 128 + at for entry in range(4) for at in range(22)),
            *range(message - 1, message + len(MESSAGE)),
        ]
        for change in (0x01, 0xFF) if name == "files" else (0x04,):
            outcomes = [
                (_found(_with(kernel, (at, bytes([kernel[at] ^ change])))), at)
                for at in places
                if at < len(kernel)
            ]
            text += f"{name} ^ {change:#x}\n"
            for outcome, group in groupby(outcomes, key=lambda one: one[0]):
                run = [at for _, at in group]
                text += f"  {run[0]:#x} {len(run)}: {outcome}\n"
    compare(HERE / "wrong-bytes.txt", text)


def _bare(entries: bool) -> bytes:
    """A kernel of 0xa000 bytes without operands that name the table."""
    kernel = build(SAMPLE if entries else [], size=0xA000)
    blank = [(at, bytes(8)) for at in (CHECK_AT, NAMES_AT, CONTENTS_AT)]
    return _with(kernel, *blank)


def test_operands() -> None:
    kernel = _bare(entries=True)
    room = Layout.find(Segment.parse(kernel)).room
    after = TABLE + room
    text = f"bare: {_found(kernel)}\n"
    cases: dict[str, list[tuple[int, bytes]]] = {}
    for first in (0xC00, 0x5000):
        for distance in (4, 4095, 4096, 4097):
            places = (first, first + distance)
            cases[f"plain {first:#x} and {distance} further"] = [
                (place, _plain(TABLE)) for place in places
            ]
    start = (0x5000, _plain(TABLE))
    for value in (-1, 0, 1, 16, 17, 18):
        cases[f"start and field {value}"] = [start, (0x5100, _plain(TABLE + value))]
        cases[f"field 1 and field {value}"] = [
            (0x5000, _plain(TABLE + 1)),
            (0x5100, _plain(TABLE + value)),
        ]
    for at in (TABLE - 5, TABLE - 4, TABLE - 3, after - 1, after, after + 1):
        near = at + 64 if at > TABLE else at - 64
        cases[f"plain at {at:#x}"] = [(near, _plain(TABLE)), (at, _plain(TABLE))]
        cases[f"relative at {at:#x}"] = [
            (near, _plain(TABLE)),
            (near + 8, _plain(TABLE)),
            (at, _relative(at, TABLE)),
        ]
    two = [start, (0x5800, _plain(TABLE))]
    for size in range(6):
        cases[f"relative with {size} bytes behind"] = [
            *two,
            (0x5400, _relative(0x5400, TABLE, size)),
        ]
    for value in (-1, 0, 17, 18):
        cases[f"relative to field {value}"] = [*two, (0x5400, _relative(0x5400, TABLE + value))]
    for at in (0x47FF, 0x4800, 0x4801, 0x5FFE, 0x5FFF, 0x6000, 0x6001):
        cases[f"relative at {at:#x} of 0x5000 to 0x5800"] = [*two, (at, _relative(at, TABLE))]
    low = [(0xC00, _plain(TABLE)), (0xC08, _plain(TABLE))]
    for at in (8, 9, 0xBF0):
        cases[f"relative at {at:#x} of 0xc00"] = [*low, (at, _relative(at, TABLE))]
    high = [(0x9FF0, _plain(TABLE)), (0x9FE0, _plain(TABLE))]
    for at in (0x9FFA, 0x9FFB, 0x9FFC):
        cases[f"relative at {at:#x} of 0xa000"] = [*high, (at, _relative(at, TABLE))]
        cases[f"plain at {at:#x} of 0xa000"] = [*high, (at, _plain(TABLE))]
    for name, changes in cases.items():
        text += f"{name}: {_found(_with(kernel, *changes))}\n"
    compare(HERE / "operands.txt", text)


def test_relative_operands_close_to_the_table() -> None:
    """Nearer than an entry lies no code: such a value is a small number."""
    text = ""
    for place in (TABLE - 0x90, TABLE - 0x84, TABLE - 0x83, TABLE - 0x80, TABLE - 0x20):
        changes = [(0xC00, _plain(TABLE)), (0xC08, _plain(TABLE)), (place, _relative(place, TABLE))]
        value = TABLE - place - 4
        text += f"{value} before: {_found(_with(_bare(entries=True), *changes))}\n"
    compare(HERE / "close.txt", text)


def test_tables_without_entries() -> None:
    kernel = _bare(entries=False)
    use = kernel.index(_plain(kernel.index(MESSAGE)), FAILED_AT)
    text = f"bare, message used at {use:#x}: {_found(kernel)}\n"
    cases: dict[str, list[tuple[int, bytes]]] = {}
    for table in (0x4000, 0x4004, 0x4008, 0x9F78, 0x9F80, 0x9F88):
        operands = [(0xC00, _plain(table)), (0xC08, _plain(table + 1))]
        cases[f"table {table:#x}"] = operands
        cases[f"table {table:#x} with a byte"] = [*operands, (table + 119, b"x")]
        if table + 128 < len(kernel):
            behind = [*operands, (table + 128, b"x")]
            cases[f"table {table:#x} with a byte behind"] = behind
    for first in (0xC00, use + 4094):
        for distance in range(4):
            at = first + distance
            cases[f"operands {at - use} behind the message's use"] = [
                (at, _plain(0x4000)),
                (at + 8, _plain(0x4001)),
            ]
    other = 0x7000
    cases["used at another place"] = [
        (use, bytes(4)),
        (other, _plain(kernel.index(MESSAGE))),
        (other - 8, _plain(0x4000)),
        (other - 16, _plain(0x4000)),
    ]
    for distance in (4095, 4096, 4097):
        cases[f"operands {distance} before the message's use"] = [
            (use, bytes(4)),
            (other, _plain(kernel.index(MESSAGE))),
            (other - distance, _plain(0x4000)),
            (other - distance + 2048, _plain(0x4001)),
        ]
    cases["two tables"] = [
        (0xC00, _plain(0x4000)),
        (0xC08, _plain(0x4001)),
        (0xC10, _plain(0x5000)),
        (0xC18, _plain(0x5001)),
    ]
    for name, changes in cases.items():
        text += f"{name}: {_found(_with(kernel, *changes))}\n"
    compare(HERE / "empty-tables.txt", text)


def test_sizes_and_ends() -> None:
    text = ""
    for entries in (1, 2, 3):
        for size in (0, 1, 127, 128):
            files = [(0, b"/%d" % number, bytes(size)) for number in range(entries)]
            text += f"{entries} files of {size} bytes: {_found(build(files))}\n"
    for places in ((0xB00,), (0xB00, 0xB80), (0xB04,), (0xB08,)):
        table = struct.pack("<QQB111s", 0, 256, 0, b"/a") + bytes(128)
        kernel = _with(build(), *((place, table[:128]) for place in places))
        text += f"tables at {places}: {_found(kernel)}\n"
    for offset in (0, 8, 127, 128, 129, 256, 257, 384):
        table = struct.pack("<QQB111s", 0, offset, 0, b"/a") + bytes(128)
        text += f"contents that begin at {offset}: {_found(_with(build([]), (0xB00, table)))}\n"
    end = struct.pack("<I", free_memory(len(build())))
    for store in (b"\xc7\x05", b"\xc7\x04", b"\xc6\x05"):
        for gap in (3, 4, 5):
            stored = store + bytes(gap) + end
            kernel = _with(build(), (INSTRUCTION, bytes(10)), (0xB00, stored))
            text += f"{store.hex()} {gap} bytes before the end: {_found(kernel)}\n"
    for behind in (-1, 0, 1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1):
        value = struct.pack("<I", BASE + len(build()) + BSS + behind)
        changes = [(INSTRUCTION + 6, value), (INSTRUCTION + 20, value)]
        text += f"end {behind} behind the segment: {_found(_with(build(), *changes))}\n"
    compare(HERE / "sizes.txt", text)
