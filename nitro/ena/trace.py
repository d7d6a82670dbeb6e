"""A record of what driver and card said to each other: one JSON object per line.

Values are written as they went over the interface, with the names that make them readable
beside them; `explain.py` turns a trace into prose. Frames go to a pcapng file of their own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, Protocol, TextIO

from nitro.ena.offload import Buffer


class FrameSink(Protocol):
    """Where frames go: see `pcapng.py`."""

    def frame(self, direction: str, parts: Sequence[Buffer]) -> None: ...


class Trace:
    """Writes events to `out`; `frames`, if given, takes the packets."""

    def __init__(self, out: TextIO, frames: FrameSink | None = None) -> None:
        self._out, self._frames = out, frames
        self._started = time.monotonic()

    def event(self, kind: str, **fields: Any) -> None:
        """One line: seconds since the start, the kind, its fields (bytes as hex)."""
        line = {"t": round(time.monotonic() - self._started, 6), "event": kind, **fields}
        self._out.write(json.dumps(line, default=_plain) + "\n")
        self._out.flush()

    def frame(self, direction: str, parts: Sequence[Buffer]) -> None:
        """A frame "in" to or "out" of the guest."""
        if self._frames is not None:
            self._frames.frame(direction, parts)


def _plain(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    raise TypeError(f"cannot write {type(value).__name__} to a trace")
