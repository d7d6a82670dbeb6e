"""Ethernet frames for the tests."""

from __future__ import annotations

import struct

from tests.driver.card import MAC

PEER = bytes.fromhex("02ffeeddccbb")


def checksum(data: bytes) -> int:
    """The Internet checksum, before it is inverted."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def plain(size: int, seed: int = 0) -> bytes:
    """A frame of a local experimental EtherType: `size` bytes in all."""
    return (PEER + MAC + b"\x88\xb5" + bytes((i * 7 + seed) & 255 for i in range(size)))[:size]


def tcp4(payload: bytes, *, to_card: bool = False, port: int = 5201, seeded: bool = False) -> bytes:
    """TCP over IPv4. `seeded`: the checksum field holds the pseudo header's sum only."""
    ends = (MAC + PEER) if to_card else (PEER + MAC)
    addresses = bytes([10, 0, 0, 2, 10, 0, 0, 1])
    ip = struct.pack(">BBHHHBBH8s", 0x45, 0, 40 + len(payload), 1, 0, 64, 6, 0, addresses)
    ip = ip[:10] + struct.pack(">H", 0xFFFF ^ checksum(ip)) + ip[12:]
    pseudo = checksum(addresses + struct.pack(">BBH", 0, 6, 20 + len(payload)))
    tcp = struct.pack(">HHIIBBHHH", port, 40000, 1, 1, 5 << 4, 0x18, 65535, 0, 0)
    total = pseudo if seeded else 0xFFFF ^ checksum(struct.pack(">H", pseudo) + tcp + payload)
    return ends + b"\x08\x00" + ip + tcp[:16] + struct.pack(">H", total) + tcp[18:] + payload


def tcp_is_right(frame: bytes) -> bool:
    """Whether the TCP checksum of an IPv4 frame holds."""
    length = int.from_bytes(frame[16:18], "big") - 20
    pseudo = frame[26:34] + struct.pack(">BBH", 0, 6, length)
    return checksum(pseudo + frame[34 : 34 + length]) == 0xFFFF
