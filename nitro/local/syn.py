"""Does something listen on a TCP port? Asked with one SYN that is never completed.

The program that listens sees nothing: its kernel answers, and ours, which knows no such
connection, resets it. Needs CAP_NET_RAW, so a namespace of one's own.
"""

from __future__ import annotations

import random
import socket
import struct
import time

ANSWER_SECONDS = 0.5
_SYN, _ACK, _RST = 0x02, 0x10, 0x04


def listens(address: str, port: int, timeout: float = ANSWER_SECONDS) -> bool:
    """True when a SYN to the port is accepted within `timeout` seconds."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route,
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw,
    ):
        try:
            route.connect((address, port))
            own = route.getsockname()[0]
            ours, sequence = random.randrange(32768, 61000), random.getrandbits(32)
            raw.connect((address, 0))
            raw.send(syn(own, address, ours, port, sequence))
        except OSError:
            return False
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            raw.settimeout(left)
            try:
                packet = raw.recv(256)
            except OSError:
                return False
            answer = _flags_of_answer(packet, port, ours)
            if answer is not None:
                return answer & (_SYN | _ACK | _RST) == _SYN | _ACK
    return False


def syn(source: str, target: str, source_port: int, target_port: int, sequence: int) -> bytes:
    """A TCP header with SYN set and the right checksum (RFC 9293, section 3.1)."""
    header = struct.pack(
        "!HHIIBBHHH", source_port, target_port, sequence, 0, 5 << 4, _SYN, 65535, 0, 0
    )
    pseudo = struct.pack(
        "!4s4sBBH", socket.inet_aton(source), socket.inet_aton(target), 0, 6, len(header)
    )
    return header[:16] + struct.pack("!H", checksum(pseudo + header)) + header[18:]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _flags_of_answer(packet: bytes, port: int, ours: int) -> int | None:
    """The TCP flags of an IPv4 packet from `port` to our port; None for any other packet."""
    if len(packet) < 20 or len(packet) < (header := (packet[0] & 0x0F) * 4) + 14:
        return None
    source, target = struct.unpack_from("!HH", packet, header)
    return int(packet[header + 13]) if (source, target) == (port, ours) else None
