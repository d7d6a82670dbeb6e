"""GUID partition tables as bytes: no files, no devices.

Facts from the UEFI specification 2.10, chapter 5. Sectors are 512 bytes, the table has the
customary 128 entries, so a table is one header and 32 sectors of entries.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

SECTOR = 512
ENTRIES = 128
ENTRY_SIZE = 128
TABLE_SECTORS = ENTRIES * ENTRY_SIZE // SECTOR
FIRST_USABLE = 2 + TABLE_SECTORS
"""The first sector that a partition may take: after the protective MBR, header and entries."""

BIOS_BOOT = UUID("21686148-6449-6e6f-744e-656564454649")
EFI_SYSTEM = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")

_SIGNATURE = b"EFI PART"
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")


@dataclass(frozen=True)
class Partition:
    """`first` and `last` are sectors, both included."""

    kind: UUID
    identity: UUID
    first: int
    last: int
    name: str = ""


def write(disk: UUID, partitions: Sequence[Partition], sectors: int) -> tuple[bytes, bytes]:
    """The table of a disk of `sectors`, twice: for its start and for its end.

    The first `FIRST_USABLE` sectors (the boot sector's code is left zero) and the last
    `TABLE_SECTORS + 1`. Raises ValueError for partitions that overlap or lie outside, and for more
    than 128.
    """
    if len(partitions) > ENTRIES:
        raise ValueError(f"{len(partitions)} partitions, and the table has {ENTRIES} entries")
    last_usable = sectors - TABLE_SECTORS - 2
    free = FIRST_USABLE
    for partition in sorted(partitions, key=lambda p: p.first):
        if not free <= partition.first <= partition.last <= last_usable:
            raise ValueError(f"partition {partition.name!r} overlaps another or the table")
        free = partition.last + 1
    entries = b"".join(map(_entry, partitions)).ljust(ENTRIES * ENTRY_SIZE, b"\0")

    def header(here: int, other: int, table: int) -> bytes:
        fields = (here, other, FIRST_USABLE, last_usable, disk.bytes_le, table)
        tail = (ENTRIES, ENTRY_SIZE, zlib.crc32(entries))
        blank = _HEADER.pack(_SIGNATURE, 0x10000, _HEADER.size, 0, 0, *fields, *tail)
        crc = zlib.crc32(blank)
        return _HEADER.pack(_SIGNATURE, 0x10000, _HEADER.size, crc, 0, *fields, *tail).ljust(
            SECTOR, b"\0"
        )

    end = sectors - 1
    start = _protective_mbr(sectors) + header(1, end, 2) + entries
    return start, entries + header(end, 1, end - TABLE_SECTORS)


def read(start: bytes) -> list[Partition]:
    """The partitions of a disk whose first `FIRST_USABLE` sectors are `start`.

    Raises ValueError when it holds no table or one whose checksums are wrong.
    """
    raw = start[SECTOR : SECTOR + _HEADER.size]
    if len(raw) < _HEADER.size or not raw.startswith(_SIGNATURE):
        raise ValueError("no GUID partition table")
    crc, table = _HEADER.unpack(raw)[3], _HEADER.unpack(raw)[10]
    if zlib.crc32(raw[:16] + bytes(4) + raw[20:]) != crc:
        raise ValueError("the partition table's header has a wrong checksum")
    entries = start[table * SECTOR : table * SECTOR + ENTRIES * ENTRY_SIZE]
    if zlib.crc32(entries) != _HEADER.unpack(raw)[13]:
        raise ValueError("the partition table's entries have a wrong checksum")
    partitions = []
    for kind, identity, first, last, _, name in _ENTRY.iter_unpack(entries):
        if any(kind):
            text = name.decode("utf-16-le", "replace").rstrip("\0")
            identities = UUID(bytes_le=kind), UUID(bytes_le=identity)
            partitions.append(Partition(*identities, first, last, text))
    return partitions


def _entry(partition: Partition) -> bytes:
    return _ENTRY.pack(
        partition.kind.bytes_le,
        partition.identity.bytes_le,
        partition.first,
        partition.last,
        0,
        partition.name.encode("utf-16-le"),
    )


def _protective_mbr(sectors: int) -> bytes:
    """One entry of type EE over the whole disk, so that older tools see no free space."""
    size = min(sectors - 1, 0xFFFFFFFF)
    entry = struct.pack("<B3sB3sII", 0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, size)
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"
