"""Frames with the sums they should have, and a judge of sums."""

from __future__ import annotations

import struct

from nitro.ena.headers import STATUS_L4_CHECKED, Classifier
from nitro.ena.offload import Buffer, finish_checksum, pseudo_sum, set_ipv4_checksum
from nitro.ena.rss import Rss
from nitro.ena.verify import verdict
from tests.unit.ena.driver import MAC, PEER, ipv4_frame

OFFSET = {6: 16, 17: 6}


def good4(protocol: int = 6, payload: bytes = b"odd") -> bytearray:
    """A frame over IPv4 with the sums it should have."""
    frame = bytearray(ipv4_frame(payload, protocol=protocol))
    set_ipv4_checksum(frame, 14, 34)
    return finished(frame, 34, frame[26:34], protocol)


def good6(protocol: int = 6, payload: bytes = b"six") -> bytearray:
    """As `good4`, over IPv6."""
    l4 = ipv4_frame(payload, protocol=protocol)[34:]
    addresses = bytes(range(32))
    header = struct.pack(">IHBB", 6 << 28, len(l4), protocol, 64) + addresses
    frame = bytearray(MAC + PEER + b"\x86\xdd" + header + l4)
    return finished(frame, 54, addresses, protocol)


def finished(frame: bytearray, l4: int, addresses: Buffer, protocol: int) -> bytearray:
    at = l4 + OFFSET[protocol]
    frame[at : at + 2] = pseudo_sum(addresses, protocol, len(frame) - l4).to_bytes(2, "big")
    finish_checksum(frame, l4, OFFSET[protocol])
    return frame


def judged(frame: bytes | bytearray) -> int:
    """The status word that a card receiving `frame` would give it."""
    flow = Classifier(Rss()).classify(bytes(frame[:128]))
    assert flow.status & STATUS_L4_CHECKED
    return verdict(flow.status, frame)
