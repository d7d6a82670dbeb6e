"""An ELF file that is put together as an OSv kernel is, without any code of it."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from nitro.image.osv.ramfs import Layout

BASE, TABLE, INSTRUCTION = 0x40200000, 0x1000, 0x800
BSS = 0x500

Entries = Sequence[tuple[int, bytes, bytes]]
"""(type, name, content)"""


def build(entries: Entries) -> tuple[bytes, Layout]:
    """The kernel with these entries in its RAMFS, and where it keeps them."""
    contents = b"".join(content for *_, content in entries)
    end = TABLE + 128 * (len(entries) + 1) + len(contents)
    kernel = bytearray(end)
    kernel[:20] = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HH", 2, 62)
    struct.pack_into("<QQ", kernel, 32, 64, 0x99)  # e_phoff, e_shoff
    struct.pack_into("<HHHH", kernel, 54, 56, 2, 64, 3)  # e_phentsize … e_shnum
    struct.pack_into("<IIQQQQQQ", kernel, 64, 4, 4, 0x200, 0, 0, 16, 16, 4)  # PT_NOTE
    struct.pack_into("<IIQQQQQQ", kernel, 120, 1, 7, 0, BASE, 0x200000, end, end + BSS, 4096)
    edata = BASE + end + BSS + 0x10
    kernel[INSTRUCTION : INSTRUCTION + 10] = b"\xc7\x05" + struct.pack("<iI", 0x1234, edata)
    kernel[INSTRUCTION + 16 : INSTRUCTION + 24] = b"\x48\x8d\x0c\x25" + struct.pack("<I", edata)
    offset = 128 * (len(entries) + 1)
    for number, (kind, name, content) in enumerate(entries):
        entry = struct.pack("<QQB111s", len(content), offset, kind, name)
        kernel[TABLE + 128 * number : TABLE + 128 * (number + 1)] = entry
        kernel[TABLE + offset : TABLE + offset + len(content)] = content
        offset += len(content)
    return bytes(kernel), Layout(BASE + TABLE, edata)
