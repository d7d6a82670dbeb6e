"""Checksums and segmentation, described by a virtio-net header and done in plain Python.

The ten-byte header of virtio (`virtio_net_hdr`) is what travels beside a frame between card and
port: a tap takes and gives it as it is, so that the kernel does the work. The functions here are
for ports that carry plain frames, and for what the kernel leaves undone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

HEADER = struct.Struct("<BBHHHH")
HEADER_SIZE = HEADER.size
PLAIN = bytes(HEADER_SIZE)

NEEDS_CSUM = 1
DATA_VALID = 2
GSO_NONE = 0
GSO_TCPV4 = 1
GSO_TCPV6 = 4
GSO_ECN = 0x80

TCP, UDP = 6, 17
_TCP_FIN_PSH = 0x09
_TCP_CWR = 0x80


@dataclass(frozen=True, slots=True)
class Offload:
    """The header, taken apart. All sizes in bytes."""

    flags: int = 0
    gso_type: int = 0
    header_length: int = 0
    segment_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0

    @classmethod
    def parse(cls, header: Buffer) -> Offload:
        return cls(*HEADER.unpack(header))

    def pack(self) -> bytes:
        return HEADER.pack(
            self.flags,
            self.gso_type,
            self.header_length,
            self.segment_size,
            self.csum_start,
            self.csum_offset,
        )


def gso_type(header: Buffer) -> int:
    """What a virtio-net header says of segmentation: `GSO_NONE` for a frame that stays whole."""
    return header[1]


def ones_sum(data: Buffer) -> int:
    """One's complement sum of 16-bit big-endian words, an odd byte padded with zero.

    2**16 is 1 modulo 65535, so the sum is a remainder; only an all-zero input sums to 0.
    """
    value = int.from_bytes(data, "big")
    if len(data) & 1:
        value <<= 8
    return value % 65535 or (65535 if value else 0)


def checksum(data: Buffer) -> int:
    """The Internet checksum (RFC 1071) of `data`."""
    return 65535 - ones_sum(data)


def pseudo_sum(addresses: Buffer, protocol: int, length: int) -> int:
    """Sum of the pseudo header: what a checksum field holds before the payload is added."""
    total = ones_sum(addresses) + protocol + (length & 0xFFFF) + (length >> 16)
    return total % 65535 or 65535


def finish_checksum(frame: bytearray | memoryview, start: int, offset: int) -> None:
    """Complete the partial checksum of `frame`: sum from `start`, stored at `start + offset`."""
    field = start + offset
    if field + 2 > len(frame):
        return
    value = checksum(frame[start:])
    frame[field : field + 2] = (value or 0xFFFF).to_bytes(2, "big")


def finish_checksum_in_pieces(pieces: list[memoryview], start: int, offset: int) -> None:
    """As `finish_checksum`, for a frame that lies in pieces."""
    at = start + offset
    value = checksum(b"".join(pieces)[start:]) or 0xFFFF
    for position, byte in ((at, value >> 8), (at + 1, value & 0xFF)):
        for piece in pieces:
            if position < len(piece):
                piece[position] = byte
                break
            position -= len(piece)


def skip_bytes(pieces: list[memoryview], skip: int) -> list[memoryview]:
    """What remains of `pieces` behind their first `skip` bytes."""
    rest = []
    for piece in pieces:
        if skip < len(piece):
            rest.append(piece[skip:])
        skip = max(0, skip - len(piece))
    return rest


def wire_frames(header: Buffer, frame: bytearray) -> Iterator[bytearray]:
    """What a cable would carry for `frame` with its virtio-net `header`: finished frames.

    A request that does not fit the frame is dropped: the frame goes out as it is.
    """
    offload = Offload.parse(header)
    if offload.gso_type & ~GSO_ECN in (GSO_TCPV4, GSO_TCPV6) and offload.segment_size:
        tcp = TcpHeaders.find(offload, frame)
        if tcp is not None and len(frame) > tcp.end:
            for segment in tcp.cut(frame, memoryview(frame)[tcp.end :], offload.segment_size):
                finish_checksum(segment, offload.csum_start, offload.csum_offset)
                yield segment
            return
    if offload.flags & NEEDS_CSUM:
        finish_checksum(frame, offload.csum_start, offload.csum_offset)
    yield frame


@dataclass(frozen=True, slots=True)
class TcpHeaders:
    """The headers of a TCP segment that is to be cut up: offsets in bytes, and what changes."""

    l3: int
    l4: int
    end: int
    ipv6: bool
    sequence: int
    identity: int
    flags: int

    @classmethod
    def find(cls, offload: Offload, head: Buffer) -> TcpHeaders | None:
        """The headers that `offload` describes, if `head` holds them all."""
        l4 = offload.csum_start
        if l4 + 20 > len(head) or l4 < 34:
            return None
        ipv6 = offload.gso_type & ~GSO_ECN == GSO_TCPV6
        l3 = l4 - 40 if ipv6 else _ipv4_start(head, l4)
        end = l4 + (head[l4 + 12] >> 4) * 4
        if l3 is None or l3 < 14 or not l4 + 20 <= end <= len(head):
            return None
        sequence = int.from_bytes(head[l4 + 4 : l4 + 8], "big")
        identity = int.from_bytes(head[l3 + 4 : l3 + 6], "big")
        return cls(l3, l4, end, ipv6, sequence, identity, head[l4 + 13])

    def write(
        self, head: bytearray | memoryview, length: int, skipped: int, *, number: int, last: bool
    ) -> None:
        """Make `head` the headers of one piece: a frame of `length` bytes whose payload begins
        `skipped` bytes into the whole, the `number`th. Its TCP checksum is left at the pseudo
        header's sum, as `NEEDS_CSUM` has it."""
        l3, l4 = self.l3, self.l4
        flags = self.flags if last else self.flags & ~_TCP_FIN_PSH
        head[l4 + 13] = flags if number == 0 else flags & ~_TCP_CWR
        head[l4 + 4 : l4 + 8] = (self.sequence + skipped & 0xFFFFFFFF).to_bytes(4, "big")
        if self.ipv6:
            head[l3 + 4 : l3 + 6] = (length - l4).to_bytes(2, "big")
            addresses = head[l3 + 8 : l3 + 40]
        else:
            head[l3 + 2 : l3 + 4] = (length - l3).to_bytes(2, "big")
            head[l3 + 4 : l3 + 6] = (self.identity + number & 0xFFFF).to_bytes(2, "big")
            set_ipv4_checksum(head, l3, l4)
            addresses = head[l3 + 12 : l3 + 20]
        seed = pseudo_sum(addresses, TCP, length - l4)
        head[l4 + 16 : l4 + 18] = seed.to_bytes(2, "big")

    def cut(
        self, head: Buffer, payload: Buffer, size: int, *, skipped: int = 0, number: int = 0
    ) -> Iterator[bytearray]:
        """Frames of at most `size` bytes of `payload` each; `skipped` bytes in `number` frames
        went before."""
        view, total = memoryview(payload), len(payload)
        for at in range(0, total, size):
            frame = bytearray(head[: self.end]) + view[at : at + size]
            last = at + size >= total
            self.write(frame, len(frame), skipped + at, number=number + at // size, last=last)
            yield frame


def _ipv4_start(head: Buffer, l4: int) -> int | None:
    """Where the IPv4 header begins, given where it ends."""
    for l3 in (14, 18):
        if l3 + (head[l3] & 0x0F) * 4 == l4 and head[l3] >> 4 == 4:
            return l3
    return None


def set_ipv4_checksum(frame: bytearray | memoryview, l3: int, l4: int) -> None:
    """Write the checksum of the IPv4 header between `l3` and `l4`."""
    frame[l3 + 10 : l3 + 12] = b"\0\0"
    frame[l3 + 10 : l3 + 12] = checksum(frame[l3:l4]).to_bytes(2, "big")
