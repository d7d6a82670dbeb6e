"""An IPv6 address by DHCPv6, from a server made here that sees the guest's Ethernet frames."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.image import DEADLINE, booted
from nitro import recipe
from nitro.console import milestones
from nitro.image import build
from nitro.local.qemu import Card

pytestmark = [pytest.mark.boot, pytest.mark.slow]

MAC = bytes.fromhex("0200000000fe")
LINK_LOCAL = socket.inet_pton(socket.AF_INET6, "fe80::fe")
SOLICIT, ADVERTISE, REPLY = 1, 2, 7
CLIENT, SERVER, IA_NA, IA_ADDRESS = 1, 2, 3, 5


def answer(frame: bytes, address: str) -> bytes | None:
    """The frame that a DHCPv6 server sends in answer to `frame` (RFC 8415), if any."""
    if frame[12:14] != b"\x86\xdd" or frame[20] != 17 or frame[56:58] != b"\x02\x23":
        return None
    client, message = frame[22:38], frame[62:]
    options: dict[int, bytes] = {}
    position = 4
    while position + 4 <= len(message):
        code, length = struct.unpack_from(">HH", message, position)
        options[code] = message[position + 4 : position + 4 + length]
        position += 4 + length
    lease = socket.inet_pton(socket.AF_INET6, address) + struct.pack(">II", 3600, 7200)
    body = bytes([ADVERTISE if message[0] == SOLICIT else REPLY]) + message[1:4]
    body += _option(CLIENT, options[CLIENT]) + _option(SERVER, b"\0\3\0\1" + MAC)
    body += _option(IA_NA, options[IA_NA][:12] + _option(IA_ADDRESS, lease))
    length = 8 + len(body)
    pseudo = LINK_LOCAL + client + struct.pack(">II", length, 17)
    ports = struct.pack(">HHH", 547, 546, length)
    datagram = ports + _checksum(pseudo + ports + b"\0\0" + body) + body
    header = struct.pack(">IHBB", 6 << 28, length, 17, 64) + LINK_LOCAL + client
    return frame[6:12] + MAC + b"\x86\xdd" + header + datagram


def _option(code: int, data: bytes) -> bytes:
    return struct.pack(">HH", code, len(data)) + data


def _checksum(data: bytes) -> bytes:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)


@contextmanager
def server(address: str) -> Iterator[Card]:
    """A card whose frames are datagrams to a server in a thread of this process."""
    with socket.socket(type=socket.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", 0))
        with socket.socket(type=socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", 0))
            theirs = held.getsockname()[1]
        ours.settimeout(0.2)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    reply = answer(ours.recv(65536), address)
                except TimeoutError:
                    continue
                if reply is not None:
                    ours.sendto(reply, ("127.0.0.1", theirs))

        thread = threading.Thread(target=serve)
        thread.start()
        ends = f"local.type=inet,local.host=127.0.0.1,local.port={theirs},remote.type=inet"
        network = f"dgram,id=net0,{ends},remote.host=127.0.0.1,remote.port={ours.getsockname()[1]}"
        try:
            yield Card(("-netdev", network, "-device", "virtio-net-pci,netdev=net0,romfile="))
        finally:
            ended.set()
            thread.join()


def test_address_by_dhcpv6(tmp_path: Path) -> None:
    with (
        server("2001:db8::1234") as card,
        booted(build(recipe.load("hello")), tmp_path, cards=(card,)) as machine,
    ):
        end = time.monotonic() + DEADLINE
        found: list[str | None] = []
        while not any(found) and time.monotonic() < end:
            found = [m.fields["ipv6"] for m in milestones(machine.console) if m.name == "address"]
            time.sleep(0.2)
        assert found == ["2001:db8::1234/128"], machine.console
