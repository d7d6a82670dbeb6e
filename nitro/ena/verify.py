"""Checks the sums of a received TCP or UDP frame, as a card with RX checksum offload does.

Needed only for frames of which the port says nothing: the kernel vouches for most.
"""

from __future__ import annotations

from nitro.ena.headers import L3_IPV4, STATUS_L4_CHECKED
from nitro.ena.offload import UDP, Buffer, ones_sum, pseudo_sum

STATUS_L3_ERROR = 1 << 13
STATUS_L4_ERROR = 1 << 14
_VLAN = b"\x81\x00"


def verdict(status: int, frame: Buffer) -> int:
    """`status` of a frame whose headers the classifier found whole, with what its sums say."""
    l3 = 18 if bytes(frame[12:14]) == _VLAN else 14
    if status & 0x1F == L3_IPV4:
        l4 = l3 + (frame[l3] & 0x0F) * 4
        end = l3 + int.from_bytes(frame[l3 + 2 : l3 + 4], "big")
        protocol, addresses = frame[l3 + 9], frame[l3 + 12 : l3 + 20]
        if ones_sum(frame[l3:l4]) != 65535:
            status |= STATUS_L3_ERROR
    else:
        l4 = l3 + 40
        end = l4 + int.from_bytes(frame[l3 + 4 : l3 + 6], "big")
        protocol, addresses = frame[l3 + 6], frame[l3 + 8 : l3 + 40]
    if protocol == UDP and bytes(frame[l4 + 6 : l4 + 8]) == b"\0\0":
        return status & ~STATUS_L4_CHECKED  # sent without a sum
    total = pseudo_sum(addresses, protocol, end - l4) + ones_sum(frame[l4:end])
    if not l4 < end <= len(frame) or total % 65535:
        status |= STATUS_L4_ERROR
    return status
