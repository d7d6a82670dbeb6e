"""The smallest ELF files that say what they need: no code, just headers and a dynamic section."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

_BASE = 0x1000
_NEEDED, _STRTAB, _STRSZ, _RPATH, _RUNPATH = 1, 5, 10, 15, 29
_LOAD, _DYNAMIC, _INTERP = 1, 2, 3


def write(
    path: Path,
    *,
    needed: Sequence[str] = (),
    rpath: str | None = None,
    runpath: str | None = None,
    interpreter: str | None = None,
    machine: int = 62,
) -> Path:
    """Write a 64-bit little-endian ELF file to `path`, folders included."""
    strings = b"\0"
    tags: list[tuple[int, int]] = []
    texts = [*((_NEEDED, name) for name in needed), (_RPATH, rpath), (_RUNPATH, runpath)]
    for tag, text in texts:
        if text is not None:
            tags.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    segments = 2 + (interpreter is not None)
    start = 64 + 56 * segments
    interp = (interpreter or "").encode() + b"\0"
    dynamic = start + len(interp) + len(strings)
    tags += [(_STRTAB, _BASE + start + len(interp)), (_STRSZ, len(strings)), (0, 0)]
    table = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    size = dynamic + len(table)

    def segment(kind: int, offset: int, length: int) -> bytes:
        place = _BASE + offset
        return struct.pack("<IIQQQQQQ", kind, 4, offset, place, place, length, length, 8)

    headers = segment(_LOAD, 0, size) + segment(_DYNAMIC, dynamic, len(table))
    if interpreter is not None:
        headers = segment(_INTERP, start, len(interp)) + headers
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = identity + struct.pack(
        "<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, segments, 64, 0, 0
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + headers + interp + strings + table)
    path.chmod(0o755)
    return path
