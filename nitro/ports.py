"""Ports as people write them: `80` or `tcp:80` for TCP, `udp:53` for UDP."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from nitro.errors import InputError

Protocol = Literal["tcp", "udp"]

_NUMBER = r"([1-9][0-9]{0,4})"
_PORT = re.compile(rf"(?:(tcp|udp):)?{_NUMBER}")
_FORWARD = re.compile(rf"(?:(tcp|udp):)?{_NUMBER}:{_NUMBER}")
_LARGEST = 65535


@dataclass(frozen=True, order=True)
class Port:
    """A TCP or UDP port, `number` from 1 to 65535."""

    protocol: Protocol
    number: int

    @classmethod
    def parse(cls, value: object) -> Port:
        """The port written as `80`, "80", "tcp:80" or "udp:53".

        Raises InputError for anything else, quoting it.
        """
        found = _PORT.fullmatch(str(value))
        if not found or int(found[2]) > _LARGEST:
            raise InputError(f"{value!r} is not a port", hint='write 80, "tcp:80" or "udp:53"')
        return cls(_protocol(found[1]), int(found[2]))

    def __str__(self) -> str:
        """As `parse` takes it, in the shortest form."""
        return str(self.number) if self.protocol == "tcp" else f"{self.protocol}:{self.number}"

    def to_json(self) -> int | str:
        """As recipes, manifests and results have it: a number for TCP, "udp:53" for UDP."""
        return self.number if self.protocol == "tcp" else str(self)


@dataclass(frozen=True, order=True)
class Forward:
    """Port `host` of this machine leads to port `guest` of a guest."""

    protocol: Protocol
    host: int
    guest: int

    @classmethod
    def parse(cls, text: str) -> Forward:
        """The forward written as "8080:80" or "udp:5353:53", this machine's port first.

        Raises InputError for anything else, quoting it.
        """
        found = _FORWARD.fullmatch(text)
        if not found or max(int(found[2]), int(found[3])) > _LARGEST:
            raise InputError(
                f"{text!r} is not HOST:GUEST", hint="such as 8080:80, or udp:5353:53 for UDP"
            )
        return cls(_protocol(found[1]), int(found[2]), int(found[3]))


def tcp_numbers(ports: Iterable[Port]) -> tuple[int, ...]:
    """The numbers of those that are TCP, in their order."""
    return tuple(port.number for port in ports if port.protocol == "tcp")


def _protocol(text: str | None) -> Protocol:
    return "udp" if text == "udp" else "tcp"
