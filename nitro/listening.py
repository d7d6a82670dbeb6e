"""What a guest's programs listen on, from the guest's own socket table.

The guest says `listening` when a program is slow to listen on the recipe's ports, or listens there
for IPv6 only. It copies addresses as Linux has them in /proc/net/tcp: hexadecimal, in words of
four bytes whose order is the processor's.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from nitro.console import Milestone

_SOCKET = re.compile(r"((?:[0-9A-F]{8}){1}|(?:[0-9A-F]{8}){4}):([0-9A-F]{4})")


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP socket that listens."""

    address: IPv4Address | IPv6Address
    port: int

    @property
    def inward(self) -> bool:
        """Whether only the guest itself can reach it."""
        mapped = getattr(self.address, "ipv4_mapped", None)
        return (mapped or self.address).is_loopback

    def __str__(self) -> str:
        return (
            f"[{self.address}]:{self.port}"
            if self.address.version == 6
            else (f"{self.address}:{self.port}")
        )


@dataclass(frozen=True, slots=True)
class Listening:
    """The table at one moment. `ipv6_only`: ports of the recipe that IPv4 does not reach."""

    listeners: tuple[Listener, ...]
    ipv6_only: tuple[int, ...]

    def lacks(self, ports: Collection[int]) -> str | None:
        """Why `ports` cannot all be reached by IPv4, and what to do; None when they can."""
        if only := [port for port in ports if port in self.ipv6_only]:
            return (
                f"the program listens on port {_list(only)} for IPv6 only; "
                "make it listen on 0.0.0.0, or on [::] without IPV6_V6ONLY"
            )
        lacking = [
            port
            for port in ports
            if not any(one.port == port and not one.inward for one in self.listeners)
        ]
        if not lacking:
            return None
        inward = [one for one in self.listeners if one.port in lacking and one.inward]
        if inward:
            return (
                f"the program listens on {_list(inward)}, which only the guest itself reaches; "
                "make it listen on 0.0.0.0"
            )
        if not self.listeners:
            return f"the program listens on no TCP port, not on {_list(lacking)}"
        return f"the program listens on {_list(self.listeners)}, not on port {_list(lacking)}"


def read(said: Collection[Milestone]) -> Listening | None:
    """The last table that the guest told of, if it told of any."""
    for milestone in reversed(list(said)):
        if milestone.name == "listening":
            return Listening(
                tuple(filter(None, map(_listener, _items(milestone, "sockets")))),
                tuple(port for port in _items(milestone, "ipv6_only") if isinstance(port, int)),
            )
    return None


def _items(milestone: Milestone, key: str) -> list[object]:
    value = milestone.fields.get(key)
    return value if isinstance(value, list) else []


def _listener(text: object) -> Listener | None:
    found = _SOCKET.fullmatch(str(text))
    if not found:
        return None
    words = bytes.fromhex(found[1])
    # x86_64 and arm64 are little-endian: each word is to be turned around.
    packed = b"".join(struct.pack(">I", word) for (word,) in struct.iter_unpack("<I", words))
    address = IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
    return Listener(address, int(found[2], 16))


def _list(values: Collection[object]) -> str:
    return ", ".join(map(str, values))
