"""Where a finished OSv kernel keeps its RAMFS and its end, found without symbols.

The RAMFS is a table of 128-byte entries (size, offset of the content from the start of the table,
type, absolute name; an entry of zeros ends it) with the contents behind it, in order. So the first
entry's offset is the table's size, which together with the names identifies it.

The end of the kernel, where free memory starts, is known to two instructions: `lea END, %rcx`
bounds what is cleared at boot, and `movl $END, variable(%rip)` tells the allocator. END lies behind
what the ELF header knows of, by the first thread's control block.

The code that unpacks the RAMFS has the table's address in a few operands, plain or relative to the
instruction, some of them with an offset into the first entry. They lie in one function. Who adds
the same number to all of them moves the table. A table without entries, which a kernel for a disk
with another file system has, is known by these operands alone; the function itself by the message
with which it ends the kernel.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from nitro.image.osv.segment import LINKED_ABOVE_PHYSICAL, Segment

ENTRY = struct.Struct("<QQB111s")
_NAME_AT = 17
FILE, LINK = 0, 1
NAME_MAX = 110
"""Bytes of a name."""

MAPPED = 1 << 30
"""Bytes of physical memory that the kernel maps early, from 0 on: it has to lie in these."""

_CONTROL_BLOCK = 1 << 16  # bytes by which the end may lie behind the segment
_FUNCTION = 4096  # bytes that the function has that unpacks the RAMFS, at most
_FIELDS = _NAME_AT + 1  # bytes of an entry up to the name's first: what an operand points to
_IMMEDIATES = (0, 1, 4)  # bytes that an instruction may have behind a relative operand
_FAILED = b"unpack_bootfs failed\0"  # what it says when it ends the kernel
_STORE = b"\xc7\x05"
_LEA = re.compile(rb"\x48\x8d\x0c\x25(....)", re.DOTALL)
# The upper bytes of an offset below 16 MiB, the type, the name's first character. Literals are
# searched for ten times as fast as what they have in common.
_CANDIDATES = (re.compile(rb"\x00\x00\x00\x00\x00\x00/"), re.compile(rb"\x00\x00\x00\x00\x00\x01/"))
_NAME = re.compile(rb"/[\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True)
class Entry:
    """A line of the table; `place` is where in the kernel's file the content lies."""

    name: str
    kind: int
    place: int
    size: int


@dataclass(frozen=True)
class Layout:
    """Places in a kernel's file: `table` is the RAMFS's, with `room` bytes for table and contents.

    `end` is the address where free memory starts, `end_operand` the place of the instruction's
    operand (u32) that says so. `operands` are the places of those (u32) that say where the table
    is; none when they were not found for sure.
    """

    table: int
    room: int
    end: int
    end_operand: int
    operands: tuple[int, ...]

    def check(self, segment: Segment) -> None:
        """Raises ValueError when it is not that of the kernel; far quicker than finding it."""
        if self.room != _room(read_table(segment.data, self.table), self.table):
            raise ValueError(f"the RAMFS at {self.table:#x} has not {self.room} bytes")
        stored = segment.data[self.end_operand - 6 : self.end_operand + 4]
        if stored[:2] != _STORE or stored[6:] != self.end.to_bytes(4, "little"):
            raise ValueError(f"no instruction stores the end {self.end:#x}")
        named = _named(segment, self.table)
        if not all(
            _is_plain(segment, at, named) or _is_relative(segment, at, named)
            for at in self.operands
        ):
            raise ValueError(f"other instructions find the RAMFS at {self.table:#x}")

    @property
    def in_place(self) -> int:
        """How many entries the table's place has room for."""
        return self.room // ENTRY.size - 1

    @property
    def capacity(self) -> int:
        """How many entries there can be: many more when the table can be moved."""
        if not self.operands:
            return self.in_place
        return (LINKED_ABOVE_PHYSICAL + MAPPED - self.end) // ENTRY.size - 1

    @classmethod
    def find(cls, segment: Segment) -> Layout:
        """Raises ValueError, with what was looked for and where, when it is not found once."""
        table, room = _find_table(segment)
        end, operand = _find_end(segment)
        return cls(table, room, end, operand, _find_operands(segment, table, room))


def read_table(data: bytes, table: int) -> list[Entry]:
    """The entries of the table at a place of a kernel's file.

    Raises ValueError when there is none, or an entry points outside the file.
    """
    entries: list[Entry] = []
    for at in range(table, len(data) + 1, ENTRY.size):
        if not 0 <= at <= len(data) - ENTRY.size:
            break
        size, offset, kind, raw = ENTRY.unpack_from(data, at)
        if not raw[0]:
            return entries
        name = raw.partition(b"\0")[0]
        place = table + offset
        if kind not in (FILE, LINK) or not _NAME.fullmatch(name) or len(name) > NAME_MAX:
            raise ValueError(f"no RAMFS at {table:#x}: the entry at {at:#x} has no absolute name")
        if place + size > len(data):
            raise ValueError(f"no RAMFS at {table:#x}: {name!r} lies outside the kernel")
        entries.append(Entry(name.decode(errors="surrogateescape"), kind, place, size))
    raise ValueError(f"no RAMFS at {table:#x}: its table does not end")


def _find_table(segment: Segment) -> tuple[int, int]:
    """The place of the table, and how many bytes it takes with its contents."""
    data = segment.data
    found = []
    taken = 0
    ends = sorted(m.end() for pattern in _CANDIDATES for m in pattern.finditer(data))
    for at in (end - 1 - _NAME_AT for end in ends):
        if at < taken or at % 8:
            continue
        offset = ENTRY.unpack_from(data, at)[1] if at <= len(data) - ENTRY.size else 0
        if offset % ENTRY.size or offset < 2 * ENTRY.size:
            continue
        try:
            entries = read_table(data, at)
        except ValueError:
            continue
        end = at + offset
        if offset != (len(entries) + 1) * ENTRY.size or not _in_order(entries, end):
            continue
        found.append((at, _room(entries, at)))
        taken = sum(found[-1])
    if not found:
        found = [(at, ENTRY.size) for at in _find_empty(segment)]
    if len(found) != 1:
        what = "no table of a RAMFS" if not found else f"{len(found)} tables of a RAMFS"
        raise ValueError(
            f"{what} in the {len(data)} bytes that are loaded; looked for one table of 128-byte "
            "entries with absolute names, whose first offset is the table's size, and for an empty "
            f"one in the code with the message {_FAILED[:-1].decode()!r}"
        )
    return found[0]


def _find_empty(segment: Segment) -> list[int]:
    """The places of tables without entries: what the code near its message takes for one."""
    data = segment.data
    places = set()
    for message in re.finditer(re.escape(_FAILED), data):
        address = (segment.address + message.start()).to_bytes(4, "little")
        for use in re.finditer(re.escape(address), data):
            around = range(max(0, use.start() - _FUNCTION), use.start() + _FUNCTION)
            places |= {
                int.from_bytes(data[at : at + 4], "little") - segment.address for at in around
            }
    return sorted(
        place
        for place in places
        if place % 8 == 0
        and 0 <= place <= len(data) - ENTRY.size
        and not any(data[place : place + ENTRY.size])
        and _find_operands(segment, place, ENTRY.size)
    )


def _room(entries: list[Entry], table: int) -> int:
    """The bytes that a table at a place takes together with its contents."""
    end = table + (len(entries) + 1) * ENTRY.size
    return max([end, *(entry.place + entry.size for entry in entries)]) - table


def _in_order(entries: list[Entry], start: int) -> bool:
    """Whether the contents follow each other from `start` on."""
    for entry in entries:
        if entry.place != start:
            return False
        start += entry.size
    return True


def _find_end(segment: Segment) -> tuple[int, int]:
    """The end, and the place of the operand that tells the allocator."""
    data = segment.data
    ends = Counter(
        end
        for match in _LEA.finditer(data)
        if segment.end
        <= (end := int.from_bytes(match[1], "little"))
        <= segment.end + _CONTROL_BLOCK
    )
    if len(ends) != 1:
        raise ValueError(
            f"{len(ends)} ends of the kernel; looked for one `lea END, %rcx` (48 8d 0c 25) with an "
            f"address from {segment.end:#x} on, where what is loaded ends"
        )
    [end] = ends
    operand = re.escape(end.to_bytes(4, "little"))
    stores = [m.end() for m in re.finditer(_STORE + rb"....(?=" + operand + rb")", data, re.DOTALL)]
    if len(stores) != 1:
        raise ValueError(
            f"{len(stores)} instructions store the end {end:#x}; looked for one "
            "`movl $END, variable(%rip)` (c7 05)"
        )
    return end, stores[0]


def _find_operands(segment: Segment, table: int, room: int) -> tuple[int, ...]:
    """The places of the operands that say where the table is; none when that is not sure.

    It is when the plain ones lie in one function and one of them names the table's start, which is
    what the contents' offsets count from.
    """
    data, named = segment.data, _named(segment, table)
    plain = sorted(
        at
        for upper in {value >> 8 for value in named}  # literals are found quickly
        for at in _before(data, upper.to_bytes(3, "little"))
        if not table - 4 < at < table + room and _is_plain(segment, at, named)
    )
    starts = [at for at in plain if _is_plain(segment, at, named[:1])]
    if len(plain) < 2 or not starts or plain[-1] - plain[0] >= _FUNCTION:
        return ()
    function = range(max(0, plain[-1] - _FUNCTION), min(plain[0] + _FUNCTION, len(data) - 4))
    relative = {
        at
        for at in function
        if not table - 4 < at < table + room and _is_relative(segment, at, named)
    }
    return tuple(sorted({*plain, *relative}))


def _named(segment: Segment, table: int) -> range:
    """The addresses that the code may have: those of the first entry's fields."""
    address = segment.address + table
    return range(address, address + _FIELDS)


def _before(data: bytes, what: bytes) -> Iterator[int]:
    """The places of the bytes before each `what`."""
    return (match.start() - 1 for match in re.finditer(re.escape(what), data) if match.start())


def _is_plain(segment: Segment, at: int, named: range) -> bool:
    """Whether an operand here is one of the addresses."""
    return int.from_bytes(segment.data[at : at + 4], "little") in named


def _is_relative(segment: Segment, at: int, named: range) -> bool:
    """Whether an operand here names one of the addresses, relative to the next instruction."""
    value = int.from_bytes(segment.data[at : at + 4], "little", signed=True)
    following = segment.address + at + 4
    far = abs(value) > ENTRY.size  # nearer than that lies no code
    return far and any(following + size + value in named for size in _IMMEDIATES)
