"""What AWS held back while a tool ran: the ENA driver's counters before and after.

A type's bandwidth, packets a second, tracked connections and packets to link-local addresses are
bounded; the driver counts what was queued or dropped beyond them. A run during which a counter grew
shows what AWS allows, not what the driver does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

COMMAND = "allowances"  # amis/client/allowances, in the client's image
WITHIN = 15.0  # seconds for one reading
OUTPUT_BYTES = 120  # of one reading, compressed

_LINE = re.compile(r"(client|server) ([a-z][a-z0-9_]{0,47}_allowance_exceeded): ([0-9]{1,19})")
_LARGEST = 2**63 - 1

Reading = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Allowance:
    """How far one of the ENA driver's allowance counters moved during the run.

    `where`: "server" or "client". `counter` is the driver's name: "bw_in_allowance_exceeded".
    """

    where: str
    counter: str
    count: int


def read(text: str) -> dict[tuple[str, str], int]:
    """The counters of one reading, by machine and name; lines that are none are passed over."""
    found: dict[tuple[str, str], int] = {}
    for line in text.splitlines():
        if match := _LINE.fullmatch(line.strip()):
            key = match[1], match[2]
            found[key] = min(found.get(key, 0) + int(match[3]), _LARGEST)  # of several cards
    return found


def growth(before: Reading, after: Reading) -> tuple[Allowance, ...]:
    """How far each counter moved that both readings have; from 0 when it began anew in between."""
    moved = {key: after[key] - value for key, value in before.items() if key in after}
    return tuple(
        Allowance(*key, count if count >= 0 else after[key]) for key, count in sorted(moved.items())
    )
