"""What a TX descriptor asks the card to do with a packet, said as a virtio-net header.

Linux asks for plain checksums in "partial" form: the field holds the pseudo header's sum, which
is what virtio means too, and nothing needs to be read. With TSO, or without the partial bit, the
card supplies that sum and the IPv4 header checksum itself, in a copy of the headers.
"""

from __future__ import annotations

from dataclasses import dataclass

from nitro.ena.constants import TxOffload
from nitro.ena.offload import (
    GSO_ECN,
    GSO_TCPV4,
    GSO_TCPV6,
    HEADER,
    NEEDS_CSUM,
    PLAIN,
    TCP,
    UDP,
    pseudo_sum,
    set_ipv4_checksum,
)
from nitro.ena.packet import Packet

_L3_IPV4, _L3_IPV6 = 8, 11
_L4_UNKNOWN, _L4_TCP, _L4_UDP = 0, 12, 13
_TSO = 1 << 7
_L3_CSUM = 1 << 13
_L4_CSUM = 1 << 14
_L4_PARTIAL = 1 << 17
ANY_OFFLOAD = _TSO | _L3_CSUM | _L4_CSUM
# The bits of a data descriptor's second word, and of a meta descriptor's first, that say what is
# asked for; the others number packets and rings.
REQUEST = ANY_OFFLOAD | _L4_PARTIAL | 0xF | 0x1F << 8
META_W0 = 0xF << 16
_CSUM_OFFSET = {_L4_TCP: 16, _L4_UDP: 6}
_PROTOCOL = {_L4_TCP: TCP, _L4_UDP: UDP}
# Plain numbers, asked for with every packet: an operator of `TxOffload` takes ten times as long.
_L3_OFFERED = int(TxOffload.L3_CSUM)
_TSO_OFFERED = (int(TxOffload.TSO_V4), int(TxOffload.TSO_V6))
_PARTIAL_OFFERED = (int(TxOffload.L4_V4_PARTIAL), int(TxOffload.L4_V6_PARTIAL))
_ANY_OFFERED = (
    int(TxOffload.L4_V4_FULL | TxOffload.L4_V4_PARTIAL),
    int(TxOffload.L4_V6_FULL | TxOffload.L4_V6_PARTIAL),
)


class OffloadError(Exception):
    """The request breaks `rule`: the packet cannot be sent."""

    def __init__(self, rule: str = "tx-offload") -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Meta:
    """A meta descriptor: where the headers are. Offsets and lengths in bytes."""

    l3_offset: int = 0
    l3_length: int = 0
    l4_length: int = 0
    mss: int = 0

    @classmethod
    def parse(cls, w0: int, w2: int) -> Meta:
        return cls(
            l3_offset=w2 >> 8 & 0xFF,
            l3_length=w2 & 0xFF,
            l4_length=(w2 >> 16 & 0x3F) * 4,
            mss=(w0 >> 16 & 0xF) << 10 | w2 >> 22,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What a descriptor asks for, in bits `w1`, of packets with the headers of `meta`: something
    that the card offers and that can be. `end` is how many bytes of headers it needs."""

    w1: int = 0
    meta: Meta = Meta()
    l4: int = 0
    end: int = 0
    header: bytes = PLAIN

    @classmethod
    def parse(cls, w1: int, meta: Meta, offered: int) -> Request:
        """Raises OffloadError for what was not offered or cannot be: the port trusts the header
        made from it. `offered` are bits of `TxOffload`."""
        l3, l4 = w1 & 0xF, w1 >> 8 & 0x1F
        v6, start = l3 == _L3_IPV6, meta.l3_offset + meta.l3_length
        if l3 not in (_L3_IPV4, _L3_IPV6):
            raise OffloadError
        if meta.l3_length < (40 if v6 else 20) or meta.l3_offset < 14:
            raise OffloadError
        tso = bool(w1 & _TSO)
        if tso and l4 == _L4_UNKNOWN:
            l4 = _L4_TCP  # nothing else can be segmented, and DPDK does not say it
        end = start
        if w1 & (_TSO | _L4_CSUM):
            if l4 not in _CSUM_OFFSET:
                raise OffloadError
            end += _CSUM_OFFSET[l4] + 2
        header = PLAIN
        if tso:
            wanted = _TSO_OFFERED[v6]
            if l4 != _L4_TCP or meta.mss < 8 or not 20 <= meta.l4_length <= 60:
                raise OffloadError
            end = start + meta.l4_length
            gso = GSO_TCPV6 if v6 else GSO_TCPV4
            header = HEADER.pack(NEEDS_CSUM, gso, end, meta.mss, start, 16)
        elif w1 & _L4_CSUM:
            # FreeBSD's driver and DPDK's never set the partial bit, whatever is offered, and their
            # packets leave AWS's cards, which offer partial sums alone, as they should.
            wanted = (_PARTIAL_OFFERED if w1 & _L4_PARTIAL else _ANY_OFFERED)[v6]
            header = HEADER.pack(NEEDS_CSUM, 0, 0, 0, start, _CSUM_OFFSET[l4])
        else:
            wanted = _L3_OFFERED
        if not offered & wanted:
            raise OffloadError
        return cls(w1 & REQUEST, meta, l4, end, header)

    def describe(self, packet: Packet) -> bytes:
        """The virtio-net header for `packet`, whose headers get the sums that the card owes.

        Raises OffloadError.
        """
        if self.end > packet.length:
            raise OffloadError
        self._compare(packet)
        w1 = self.w1
        if w1 & (_TSO | _L3_CSUM) or not w1 & _L4_PARTIAL:
            ecn = _fix(w1, self.l4, self.meta, packet)
            if ecn and w1 & _TSO:
                return self.header[:1] + bytes([self.header[1] | GSO_ECN]) + self.header[2:]
        return self.header

    def _compare(self, packet: Packet) -> None:
        """Refuse what the packet's own headers contradict."""
        first, meta, w1 = packet.parts[0], self.meta, self.w1
        if self.end > len(first):
            raise OffloadError("tx-headers")
        l3 = meta.l3_offset
        if w1 & 0xF == _L3_IPV4:
            fits = first[l3] == 0x40 | meta.l3_length >> 2
            if w1 & (_TSO | _L4_CSUM):
                fragment = first[l3 + 6] & 0x3F or first[l3 + 7]
                fits = fits and not fragment and first[l3 + 9] == _PROTOCOL[self.l4]
        else:
            fits = first[l3] >> 4 == 6 and not w1 & _L3_CSUM
            if meta.l3_length == 40:  # no extension headers
                fits = fits and first[l3 + 6] == _PROTOCOL[self.l4]
        if not fits:
            raise OffloadError("tx-offload-mismatch")


def _fix(w1: int, l4: int, meta: Meta, packet: Packet) -> int:
    """Write IPv4 and pseudo-header sums into a copy of the headers; returns the ECN bit."""
    l3, begin = w1 & 0xF, meta.l3_offset
    l4_start = begin + meta.l3_length
    need = l4_start + (max(20, meta.l4_length) if w1 & (_TSO | _L4_CSUM) else 0)
    need = min(need, packet.length)
    head = _split(packet, need)
    if l3 == _L3_IPV4 and w1 & (_L3_CSUM | _TSO):
        set_ipv4_checksum(head, begin, l4_start)
    if w1 & (_L4_CSUM | _TSO) and not w1 & _L4_PARTIAL:
        first, last = (begin + 12, begin + 20) if l3 == _L3_IPV4 else (begin + 8, begin + 40)
        seed = pseudo_sum(head[first:last], _PROTOCOL[l4], _l4_size(w1, l3, meta, packet, head))
        field = l4_start + _CSUM_OFFSET[l4]
        head[field : field + 2] = seed.to_bytes(2, "big")
    ecn = w1 & _TSO and head[l4_start + 13] & 0x80
    return GSO_ECN if ecn else 0


def _l4_size(w1: int, l3: int, meta: Meta, packet: Packet, head: bytearray) -> int:
    """Bytes that the transport's sum covers: IP's length, for a frame may be padded."""
    begin = meta.l3_offset
    whole = packet.length - begin - meta.l3_length
    if w1 & _TSO:
        return whole  # each segment gets a length of its own
    if l3 == _L3_IPV4:
        told = int.from_bytes(head[begin + 2 : begin + 4], "big") - meta.l3_length
    else:
        told = int.from_bytes(head[begin + 4 : begin + 6], "big") + 40 - meta.l3_length
    return told if 0 < told < whole else whole


def _split(packet: Packet, need: int) -> bytearray:
    """Make the packet's first `need` bytes a part of their own, copied; return that part."""
    head = bytearray()
    rest: list[bytes | bytearray | memoryview] = []
    for part in packet.parts:
        missing = need - len(head)
        if missing <= 0:
            rest.append(part)
            continue
        head += part[:missing]
        if missing < len(part):
            rest.append(memoryview(part)[missing:])
    packet.parts = [head, *rest]
    return head
