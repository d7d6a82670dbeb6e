"""The disk that BIOS starts an OSv kernel from.

sector 0         the boot sector: the kernel's own, or the one of boot.S
1 … 63           the command line, and zeros
128 …            what the boot sector reads to 0x100000: a page that has nothing to unpack, and
                 from the next MiB on, so that it comes to lie at 0x200000, the kernel
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from nitro.image import digesting
from nitro.image.osv import ramfs
from nitro.image.osv.artifact import COUNT, PAYLOAD, SECTOR, UNIT, Kernel
from nitro.image.osv.layout import Entry, read_table
from nitro.image.osv.segment import Segment
from nitro.image.rootfs import Node

LONGEST_COMMAND_LINE = 63 * SECTOR - 1
"""Bytes, of UTF-8."""

# What `as` and `ld` make of boot.S, up to the zeros behind it; tests/boot/osv compares them.
_CODE = bytes.fromhex(
    "ea507c00000000000000000000000000000066901000400000000080800000000000000010003f00007e0000"
    "0100000000000000000010001700387c00000000ffff0000009bcf00ffff00000093cf00fa31c08ed88ec08e"
    "d0bc007cfbfc8816897d0f3166a358106689165c1066c70670100000000066c7061010007e0000b80124cd15"
    "be247ce8c400725bbe147ce8bc007253fa0f0116387c0f20c00c010f22c0eb00bb10008edb8ec366be000008"
    "0067668b3d347c000066b9002000006766f3a56766893d347c000024fe0f22c0eb0031db8edb8ec3fb668306"
    "1c7c40ff0e107c75a7eb04882670100f3166a360106689166410bf002066c7063010002000006631db66ba50"
    "414d5366b91800000066b820e8000083c704cd15720d66894dfc01cf6685db7405ebda83ef0481ef0020660f"
    "b7ff66893e2c10fa0f0116387c0f20c00c010f22c0ea577d08008a16897db442cd13c3b8100000008ed88ec0"
    "8ee08ee88ed0bc007c0000ff15180010000f31a36810000089156c100000bb00100000ff250008200080"
)
BOOT_SECTOR = _CODE.ljust(0x1B8, b"\0") + b"VSO".ljust(70, b"\0") + b"\x55\xaa"

_ENTRY, _ROUTINE = 0x18, 0x20  # of what is read: the address of a routine, and the routine
_LOADED, _KERNEL = 0x100000, 0x100000  # where that page comes to lie; the kernel, behind it
_RETURN = b"\xc3"
# How `read` finds the table again, which need not look like a fresh one: where it is in the kernel.
_NOTE, _NOTE_AT, _NOTE_MAGIC = struct.Struct("<8sQ"), 0x40, b"nitro\0\0\1"


@dataclass(frozen=True)
class Contents:
    """What a disk holds: the kernel, as it was put together, and the files of its RAMFS."""

    segment: Segment
    command_line: str
    entries: list[Entry]


def write(out: Path, kernel: Kernel, command_line: str, nodes: Mapping[str, Node]) -> str:
    """Write the disk with `nodes` (absolute path → node) as the RAMFS to `out`.

    Returns its digest, `sha256:…`. Raises ValueError when the command line is too long, InputError
    when `nodes` do not fit into the kernel.
    """
    line = check_command_line(command_line)
    composed = ramfs.compose(kernel.segment, kernel.layout, nodes)
    units = -(-(_KERNEL + composed.size) // UNIT)
    sector = bytearray(kernel.boot_sector or BOOT_SECTOR)
    struct.pack_into("<H", sector, COUNT, units)
    page = bytearray(_NOTE_AT)
    struct.pack_into("<I", page, _ENTRY, _LOADED + _ROUTINE)
    page[_ROUTINE : _ROUTINE + 1] = _RETURN
    page += _NOTE.pack(_NOTE_MAGIC, composed.table)
    start = (sector + line).ljust(PAYLOAD, b"\0") + page.ljust(_KERNEL, b"\0")
    padding = bytes(units * UNIT - _KERNEL - composed.size)
    with out.open("wb") as file:
        return digesting.write(file, chain([start], composed.chunks(), [padding]))


def check_command_line(text: str) -> bytes:
    """The bytes of a command line. Raises ValueError when no kernel could read it."""
    line = text.encode()
    if len(line) > LONGEST_COMMAND_LINE:
        raise ValueError(
            f"the command line has {len(line)} bytes, and OSv's disk has room for "
            f"{LONGEST_COMMAND_LINE}"
        )
    if b"\0" in line:
        raise ValueError("the command line has a NUL byte in it")
    return line


def is_osv(file: BinaryIO) -> bool:
    """Whether an open file looks like a disk of OSv's, by the signature in its boot sector."""
    file.seek(0)
    sector = file.read(SECTOR)
    return sector[0x1B8:0x1BB] == b"VSO" and sector[-2:] == b"\x55\xaa"


def is_ours(file: BinaryIO) -> bool:
    """Whether an open file is a disk that `write` has written."""
    file.seek(PAYLOAD + _NOTE_AT)
    return file.read(len(_NOTE_MAGIC)) == _NOTE_MAGIC


def read(path: Path) -> Contents:
    """Read a disk that `write` has written. Raises ValueError for any other."""
    with path.open("rb") as file:
        start = file.read(PAYLOAD + _NOTE_AT + _NOTE.size)
        if len(start) < PAYLOAD + _NOTE_AT + _NOTE.size:
            raise ValueError("it ends in front of the kernel")
        magic, table = _NOTE.unpack_from(start, PAYLOAD + _NOTE_AT)
        if magic != _NOTE_MAGIC:
            raise ValueError("it is a disk of OSv's, and nitro did not write it")
        units = int.from_bytes(start[COUNT : COUNT + 2], "little")
        file.seek(PAYLOAD + _KERNEL)
        segment = Segment.parse(file.read(units * UNIT))
    line = start[SECTOR : 64 * SECTOR].partition(b"\0")[0].decode(errors="replace")
    return Contents(segment, line, read_table(segment.data, table))
