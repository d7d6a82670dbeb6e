"""Frames as a pcapng file, for Wireshark and tcpdump.

One section, one Ethernet interface, an enhanced packet block for each frame. Source of the
format: IETF draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from typing import BinaryIO

from nitro.ena.offload import Buffer

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER = 0x1A2B3C4D
_ETHERNET = 1
_FLAGS_OPTION, _END_OF_OPTIONS = 2, 0
_DIRECTIONS = {"in": 1, "out": 2}


class PcapngWriter:
    """Writes to `out`, which is flushed after each frame. Directions are the guest's."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1))
        self._block(_INTERFACE, struct.pack("<HHI", _ETHERNET, 0, 0))

    def frame(self, direction: str, parts: Sequence[Buffer]) -> None:
        """Write one frame, received ("in") or sent ("out") by the guest just now."""
        data = b"".join(parts)
        stamp = time.time_ns() // 1000
        body = struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(data), len(data))
        body += data + bytes(-len(data) % 4)
        body += struct.pack("<HHII", _FLAGS_OPTION, 4, _DIRECTIONS[direction], _END_OF_OPTIONS)
        self._block(_PACKET, body)
        self._out.flush()

    def _block(self, kind: int, body: bytes) -> None:
        size = 12 + len(body)
        self._out.write(struct.pack("<II", kind, size) + body + struct.pack("<I", size))
