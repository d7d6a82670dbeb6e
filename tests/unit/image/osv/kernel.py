"""An ELF file that is put together as an OSv kernel is, without any code of it."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from nitro.image.osv.artifact import COUNT, PAYLOAD, UNIT
from nitro.image.osv.disk import BOOT_SECTOR

BASE, TABLE, INSTRUCTION, NOTE = 0x40200000, 0x1000, 0xA00, 0x200
BSS, CONTROL_BLOCK = 0x500, 0x10
DYNAMIC, SYMBOLS = 0x600, 0xB00
START32, PVH = 0x200900, 0x200980
CHECK_AT, NAMES_AT, CONTENTS_AT, FAILED_AT = 0xA20, 0xA28, 0xA30, 0xA38
"""Instructions that know where the RAMFS is: `cmpb $0, NAME(%rip)`, `mov $NAME, %r12d` and
`lea TABLE(%rax), %rdi`. Their operands are at +2, +2 and +3. The last one, `mov $MESSAGE, %edi`,
knows what is said when they fail."""

Entries = Sequence[tuple[int, bytes, bytes]]
"""(type, name, content)"""

SAMPLE: Entries = [
    (0, b"/libenv.so", b"env" * 3000),
    (0, b"/dev/", b""),
    (1, b"/bin", b"usr/bin\0"),
]


CALLS = ("arch_prctl", "brk", "long_mmap", "write")
"""System calls that it claims to have, by the functions behind them."""


def build(
    entries: Entries = SAMPLE,
    *,
    version: bytes = b"v0.57.0-1-g0",
    size: int = 0,
    exports: Sequence[str] = (),
    calls: Sequence[str] = CALLS,
    says: bytes = b"",
    modules: bool = True,
) -> bytes:
    """The kernel with these entries in its RAMFS; `size`: bytes that it has at least.

    `exports` are names of its dynamic symbols, `calls` of its system calls; `says` is more text.
    `modules`: whether it opens those in /usr/lib/fs.
    """
    contents = b"".join(content for *_, content in entries)
    end = max(TABLE + 128 * (len(entries) + 1) + len(contents), size)
    kernel = bytearray(end)
    kernel[:20] = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HH", 2, 62)
    struct.pack_into("<QQQ", kernel, 24, BASE + 0x900, 64, 0x99)  # e_entry, e_phoff, e_shoff
    struct.pack_into("<HHHH", kernel, 54, 56, 3, 64, 3)  # e_phentsize … e_shnum
    struct.pack_into("<IIQQQQQQ", kernel, 64, 4, 4, NOTE, 0, 0, 20, 20, 4)  # PT_NOTE
    struct.pack_into("<IIQQQQQQ", kernel, 120, 1, 7, 0, BASE, 0x200000, end, end + BSS, 4096)
    struct.pack_into("<III4sI", kernel, NOTE, 4, 4, 18, b"Xen\0", PVH)
    _export(kernel, exports)
    text = b"OSv " + version + b"\n\0" + b"N3aws3enaE\0"
    text += b"  --strace \0" if calls else b""
    text += says + b"\0" + (b"/usr/lib/fs\0" if modules else b"")
    text += b"".join(b"trace_syscall_%s\0" % call.encode() for call in calls)
    text += b"unpack_bootfs failed\0"
    kernel[0x300 : 0x300 + len(text)] = text
    message = BASE + kernel.index(b"unpack_bootfs failed")
    kernel[FAILED_AT : FAILED_AT + 5] = b"\xbf" + struct.pack("<I", message)
    struct.pack_into("<I", kernel, 0x800, START32)
    edata = free_memory(end)
    kernel[INSTRUCTION : INSTRUCTION + 10] = b"\xc7\x05" + struct.pack("<iI", 0x1234, edata)
    kernel[INSTRUCTION + 16 : INSTRUCTION + 24] = b"\x48\x8d\x0c\x25" + struct.pack("<I", edata)
    first_name = BASE + TABLE + 17
    relative = first_name - (BASE + CHECK_AT + 7)
    kernel[CHECK_AT : CHECK_AT + 7] = b"\x80\x3d" + struct.pack("<ib", relative, 0)
    kernel[NAMES_AT : NAMES_AT + 6] = b"\x41\xbc" + struct.pack("<I", first_name)
    kernel[CONTENTS_AT : CONTENTS_AT + 7] = b"\x48\x8d\xb8" + struct.pack("<I", BASE + TABLE)
    offset = 128 * (len(entries) + 1)
    for number, (kind, name, content) in enumerate(entries):
        entry = struct.pack("<QQB111s", len(content), offset, kind, name)
        kernel[TABLE + 128 * number : TABLE + 128 * (number + 1)] = entry
        kernel[TABLE + offset : TABLE + offset + len(content)] = content
        offset += len(content)
    return bytes(kernel)


def _export(kernel: bytearray, names: Sequence[str]) -> None:
    """A dynamic section with these symbols."""
    strings, table = b"\0", bytes(24)
    for name in names:
        table += struct.pack("<IBBHQQ", len(strings), 1 << 4 | 2, 0, 1, BASE + 0x900, 0)
        strings += name.encode() + b"\0"
    symbols, text = SYMBOLS + 16, SYMBOLS + 16 + len(table)
    assert text + len(strings) <= TABLE
    tags = {4: BASE + SYMBOLS, 6: BASE + symbols, 5: BASE + text, 10: len(strings), 0: 0}
    section = b"".join(struct.pack("<QQ", *tag) for tag in tags.items())
    struct.pack_into("<IIQQQQQQ", kernel, 176, 2, 6, DYNAMIC, 0, 0, len(section), len(section), 8)
    kernel[DYNAMIC : DYNAMIC + len(section)] = section
    struct.pack_into("<IIII", kernel, SYMBOLS, 0, len(table) // 24, 0, 0)
    kernel[symbols : symbols + len(table)] = table
    kernel[text : text + len(strings)] = strings


def free_memory(size: int) -> int:
    """The address where a kernel of so many bytes says that memory is free."""
    return BASE + size + BSS + CONTROL_BLOCK


def compressed_disk(kernel: bytes) -> bytes:
    """A loader image: a boot sector, and behind the unpacking program's header the kernel."""
    pieces = [kernel[at : at + (1 << 20)] for at in range(0, len(kernel), 1 << 20)]
    if len(kernel) % (1 << 20) == 0:
        pieces.append(b"")
    packed = [min(pack(piece), piece, key=len) for piece in pieces]
    table = struct.pack("<I", len(pieces)) + b"".join(
        struct.pack("<II", len(piece), len(short))
        for piece, short in zip(pieces, packed, strict=True)
    )
    stored = b"".join(packed)
    payload = bytes(0x1234) + struct.pack("<I", 4 + len(stored)) + stored + table
    units = -(-len(payload) // UNIT)
    sector = bytearray(BOOT_SECTOR)
    struct.pack_into("<H", sector, COUNT, units)
    return bytes(sector).ljust(PAYLOAD, b"\0") + payload.ljust(units * UNIT, b"\0")


def pack(data: bytes) -> bytes:
    """A FastLZ block: of level 2 as OSv's compressor makes it of 64 KiB and more, else of 1."""
    level = 2 if len(data) >= 1 << 16 else 1
    farthest = (8191 + 65535) if level == 2 else 8191
    out, literals = bytearray(), bytearray()
    seen: dict[bytes, int] = {}
    at = 0

    def flush() -> None:
        for start in range(0, len(literals), 32):
            run = literals[start : start + 32]
            out.append(len(run) - 1)
            out.extend(run)
        literals.clear()

    while at < len(data):
        key = data[at : at + 8]
        found = seen.get(key, -1)
        seen[key] = at
        # The first byte has the level: it must be one of a run of literals.
        if at and found >= 0 and len(key) == 8 and at - found <= farthest:
            length = 8
            longest = len(data) - at if level == 2 else min(len(data) - at, 264)
            while length < longest and data[found + length] == data[at + length]:
                length += 1
            flush()
            out.extend(_match(at - found, length, level))
            at += length
        else:
            literals.append(data[at])
            at += 1
    flush()
    if out:
        out[0] |= (level - 1) << 5
    return bytes(out)


def _match(distance: int, length: int, level: int) -> bytes:
    far = level == 2 and distance > 8191
    high, low = (31, 255) if far else divmod(distance - 1, 256)
    short, rest = min(length - 2, 7), length - 9
    out = bytearray([short << 5 | high])
    if short == 7 and level == 2:
        while rest >= 255:
            out.append(255)
            rest -= 255
    if short == 7:
        out.append(rest)
    out.append(low)
    return bytes(out) + (struct.pack(">H", distance - 8192) if far else b"")
