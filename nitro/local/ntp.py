"""The time server that instances find at a link-local address: this machine's clock, by NTP.

Instances ask it as simple clients (RFC 5905, mode 3); everything else gets no answer.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configure-ec2-ntp.html
"""

from __future__ import annotations

import socketserver
import struct
import time
from collections.abc import Callable

_PACKET = struct.Struct(">BBbbII4s8s8s8s8s")
_TIMESTAMP = struct.Struct(">II")
_CLIENT, _SERVER = 3, 4  # modes
_VERSIONS = range(1, 5)
_UNIX = 2_208_988_800  # seconds from NTP's epoch, 1900, to that of Unix
_STRATUM = 3  # as AWS's
_PRECISION = -20  # about a microsecond, as a power of two in seconds
_DISPERSION = 1 << 10  # of the clock behind it: 1/64 s, in units of 1/65536 s
_SOURCE = bytes((127, 0, 0, 1))


def answer(request: bytes, received: float, sent: float) -> bytes | None:
    """The answer to a packet that came at `received` and is answered at `sent` (Unix time).

    None for what is not a request of a client.
    """
    if len(request) < _PACKET.size:
        return None
    first, _, poll, *_, asked_at = _PACKET.unpack_from(request)
    version, mode = first >> 3 & 7, first & 7
    if mode != _CLIENT or version not in _VERSIONS:
        return None
    return _PACKET.pack(
        version << 3 | _SERVER,
        _STRATUM,
        poll,
        _PRECISION,
        0,
        _DISPERSION,
        _SOURCE,
        timestamp(received),
        asked_at,
        timestamp(received),
        timestamp(sent),
    )


def timestamp(moment: float) -> bytes:
    """Unix time as NTP writes it: seconds since 1900 and their fraction, 32 bits each."""
    seconds, fraction = divmod(moment, 1)
    return _TIMESTAMP.pack((int(seconds) + _UNIX) % 2**32, int(fraction * 2**32))


class TimeServer(socketserver.UDPServer):
    """`answer` on a UDP port."""

    def __init__(self, address: tuple[str, int], clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        super().__init__(address, _Handler)


class _Handler(socketserver.BaseRequestHandler):
    server: TimeServer

    def handle(self) -> None:
        request, connection = self.request
        received = self.server.clock()
        found = answer(request, received, self.server.clock())
        if found:
            connection.sendto(found, self.client_address)
