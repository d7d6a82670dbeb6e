"""FastLZ, as OSv's loader image holds the kernel: blocks, and the table of segments around them.

A block's first byte tells its level (1 or 2) in its upper three bits. Then come instructions: below
32 a run of literals, else a match by length and distance
(https://github.com/ariya/FastLZ#block-format).
"""

from __future__ import annotations

import re
import struct

SEGMENT = 1 << 20
"""Bytes of every segment but the last, unpacked."""

_FAR = 8191  # of level 2: the distance from which 16 bits more are counted
_PAIR = struct.Struct("<II")
_WORD = struct.Struct("<I")
# A segment of a MiB in the table: its size, and any size as stored.
_FULL_SEGMENTS = re.compile(rb"(?:\x00\x00\x10\x00...\x00)+", re.DOTALL)


def decompress(block: bytes, size: int) -> bytes:
    """The `size` bytes that `block` unpacks to. Raises ValueError when it does not."""
    level = block[0] >> 5 if block else 2
    if level > 1:
        raise ValueError("not a FastLZ block of level 1 or 2")
    out = bytearray()
    try:
        _unpack(block, level + 1, out, size)
    except IndexError:
        raise ValueError("a FastLZ block ends in the middle of an instruction") from None
    if len(out) != size:
        raise ValueError(f"a FastLZ block unpacks to {len(out)} bytes, not {size}")
    return bytes(out)


def _unpack(block: bytes, level: int, out: bytearray, size: int) -> None:
    control, at = block[0] & 31, 1
    while True:
        if control < 32:
            literals = block[at : at + control + 1]
            if len(literals) <= control:
                raise IndexError
            out += literals
            at += control + 1
        else:
            length, at = _length(block, at, control >> 5, level)
            distance, at = _distance(block, at, control & 31, level)
            _repeat(out, distance, length)
        if len(out) > size or at >= len(block):
            return
        control = block[at]
        at += 1


def _length(block: bytes, at: int, short: int, level: int) -> tuple[int, int]:
    """The length of a match, and where its instruction goes on."""
    length = short + 2
    if short == 7:
        more = 255
        while more == 255:
            more = block[at]
            length, at = length + more, at + 1
            if level == 1:
                break
    return length, at


def _distance(block: bytes, at: int, high: int, level: int) -> tuple[int, int]:
    low = block[at]
    at += 1
    if level == 2 and high == 31 and low == 255:
        return (block[at] << 8 | block[at + 1]) + _FAR + 1, at + 2
    return (high << 8 | low) + 1, at


def _repeat(out: bytearray, distance: int, length: int) -> None:
    if distance > len(out):
        raise ValueError("a FastLZ match lies in front of the block")
    start = len(out) - distance
    if distance >= length:
        out += out[start : start + length]
    else:
        out += (out[start:] * (length // distance + 1))[:length]


def find_segments(data: bytes) -> tuple[int, list[tuple[int, int]]] | None:
    """Where in `data` the first segment lies, and the segments: (size, size as stored).

    Segments are preceded by the table's place and followed by the table: their number, and both
    sizes of each. None when `data` has no such table of a kernel of a MiB or more.
    """
    for match in _FULL_SEGMENTS.finditer(data):
        table = match.start() - _WORD.size
        if table < 0 or match.end() + _PAIR.size > len(data):
            continue
        [count] = _WORD.unpack_from(data, table)
        # A last segment of exactly a MiB does not exist, but garbage may look like one.
        if not 2 <= count <= (match.end() - match.start()) // _PAIR.size + 1:
            continue
        sizes = list(_PAIR.iter_unpack(data[match.start() : match.start() + count * _PAIR.size]))
        first = table - sum(stored for _, stored in sizes)
        place = first - _WORD.size
        if place >= 0 and _WORD.unpack_from(data, place)[0] == table - place:
            return first, sizes
    return None


def unpack_segments(data: bytes) -> bytes | None:
    """What the segments in `data` unpack to, one after the other; None when it has none.

    Raises ValueError for segments that are damaged.
    """
    found = find_segments(data)
    if found is None:
        return None
    at, sizes = found
    parts = []
    for size, stored in sizes:
        segment = data[at : at + stored]
        if size > SEGMENT:
            raise ValueError("a compressed segment is larger than a MiB")
        parts.append(decompress(segment, size) if stored < size else segment)
        at += stored
    return b"".join(parts)
