"""The smallest ELF files that say what they need: headers, a dynamic section, code if given."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from pathlib import Path

_BASE = 0x1000
_NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _RPATH, _RUNPATH = 1, 4, 5, 6, 10, 15, 29
_GNU_HASH, _BUCKETS = 0x6FFFFEF5, 3
_LOAD, _DYNAMIC, _INTERP, _TLS = 1, 2, 3, 7


def write(
    path: Path,
    *,
    needed: Sequence[str] = (),
    rpath: str | None = None,
    runpath: str | None = None,
    interpreter: str | None = None,
    machine: int = 62,
    imports: Sequence[str] = (),
    exports: Sequence[str] = (),
    code: bytes = b"",
    thread_local: int = 0,
    gnu_hash: bool = False,
) -> Path:
    """Write a 64-bit little-endian ELF file to `path`, folders included.

    `imports` and `exports` are names of dynamic symbols, `code` what it executes, `thread_local`
    its bytes of thread-local storage. `gnu_hash`: whether its symbols are found by the GNU table.
    """
    strings = b"\0"
    tags: list[tuple[int, int]] = []
    texts = [*((_NEEDED, name) for name in needed), (_RPATH, rpath), (_RUNPATH, runpath)]
    for tag, text in texts:
        if text is not None:
            tags.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    table = bytes(24)
    if gnu_hash:
        exports = sorted(exports, key=_bucket)
    for name in (*imports, *exports):
        defined, value = (0, 0) if name in imports else (1, _BASE)
        table += struct.pack("<IBBHQQ", len(strings), 1 << 4 | 2, 0, defined, value, 0)
        strings += name.encode() + b"\0"
    counts = struct.pack("<IIII", 0, len(table) // 24, 0, 0)
    if gnu_hash:
        counts = _gnu_hash(1 + len(imports), exports)
    segments = 2 + (interpreter is not None) + bool(thread_local)
    start = 64 + 56 * segments
    interp = (interpreter or "").encode() + b"\0"
    symbols = start + len(interp) + len(strings)
    behind = symbols + len(table)
    dynamic = behind + len(counts) + len(code)
    tags += [(_STRTAB, _BASE + start + len(interp)), (_STRSZ, len(strings))]
    if imports or exports:
        tags += [(_SYMTAB, _BASE + symbols), (_GNU_HASH if gnu_hash else _HASH, _BASE + behind)]
    section = b"".join(struct.pack("<QQ", *tag) for tag in [*tags, (0, 0)])
    size = dynamic + len(section)

    def segment(kind: int, offset: int, length: int, flags: int = 4) -> bytes:
        place = _BASE + offset
        return struct.pack("<IIQQQQQQ", kind, flags, offset, place, place, length, length, 8)

    headers = segment(_LOAD, 0, size, 5 if code else 4)
    headers += segment(_DYNAMIC, dynamic, len(section))
    if thread_local:
        headers += struct.pack("<IIQQQQQQ", _TLS, 4, 0, 0, 0, 0, thread_local, 8)
    if interpreter is not None:
        headers = segment(_INTERP, start, len(interp)) + headers
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = identity + struct.pack(
        "<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, segments, 64, 0, 0
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + headers + interp + strings + table + counts + code + section)
    path.chmod(0o755)
    return path


def _gnu_hash(first: int, names: Sequence[str]) -> bytes:
    """The table for symbols from number `first` on, in order of buckets; a filter of two words.

    Each bucket has a run of symbols, whose last one has an odd hash.
    """
    buckets = [_bucket(name) for name in names]
    starts = [first + buckets.index(one) if one in buckets else 0 for one in range(_BUCKETS)]
    ends = [one != behind for one, behind in pairwise([*buckets, _BUCKETS])]
    chain = [_hash(name) & ~1 | end for name, end in zip(names, ends, strict=True)]
    head = struct.pack("<IIII", _BUCKETS, first, 2, 6) + bytes(16)
    return head + struct.pack(f"<{_BUCKETS}I{len(names)}I", *starts, *chain)


def _bucket(name: str) -> int:
    return _hash(name) % _BUCKETS


def _hash(name: str) -> int:
    return reduce(lambda code, letter: ((code << 5) + code + letter) % 2**32, name.encode(), 5381)
