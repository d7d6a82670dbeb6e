"""What a guest reports on its serial console: one line of JSON at each milestone.

The console is shared with the kernel and with the program that runs, and a guest may write
anything: what is not a complete milestone is skipped, and nothing here raises. It does not
fetch the console (`nitro.cloud`, `nitro.local`) and judges no milestone (`nitro.probe.boot`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nitro.printable import printable

LONGEST = 4096  # characters of one milestone
_LINE = re.compile(r"[^\r\n]+")
_START = re.compile(r'\{\s*"nitro"\s*:')
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Milestone:
    """`uptime` is in seconds of the guest's kernel clock; `fields` is the rest of the object."""

    name: str
    uptime: float
    fields: dict[str, Any] = field(default_factory=dict)


def milestones(text: str) -> list[Milestone]:
    """The milestones in the order in which they were written."""
    return [milestone for _, _, milestone in located(text)]


def located(text: str) -> Iterator[tuple[int, int, Milestone]]:
    """The milestones in order, each with where in the text it begins and ends."""
    for line in _LINE.finditer(text):
        position = line.start()
        while start := _START.search(text, position, line.end()):
            position = start.end()
            try:
                value, length = _DECODER.raw_decode(
                    text[start.start() : min(line.end(), start.start() + LONGEST)]
                )
            except (ValueError, RecursionError):
                continue
            # What lies inside an object is no milestone of its own.
            position = start.start() + length
            if milestone := _milestone(value):
                yield start.start(), position, milestone


def tail(text: str, lines: int = 20) -> str:
    """The last lines that are not blank, printable."""
    said = [line.rstrip() for line in printable(text).split("\n") if line.strip()]
    return "\n".join(said[-lines:])


def _milestone(value: dict[str, Any]) -> Milestone | None:
    name, uptime = value.pop("nitro"), value.pop("uptime", None)
    if not isinstance(name, str) or isinstance(uptime, bool):
        return None
    # JSON has integers that no float holds.
    if not isinstance(uptime, int | float) or not 0 <= uptime <= 1e9 or math.isnan(uptime):
        return None
    return Milestone(name, float(uptime), value)
