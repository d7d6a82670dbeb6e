"""The event queue: link changes, keep-alives, notifications and worse, from card to driver.

The head doorbell works as credit: an event is posted only while the driver has said that there
is room. What finds no room is kept, the newest of each kind.
"""

from __future__ import annotations

import struct

from nitro.ena.constants import Event
from nitro.ena.context import Context
from nitro.ena.memory import DmaError

ENTRY_SIZE = 64
NOTIFY_HINTS = 2


class EventQueue:
    """`head` is the driver's free-running 16-bit credit, `produced` counts what was posted.

    While it is `paused`, events wait.
    """

    def __init__(self, context: Context) -> None:
        self._memory, self._rules, self._trace = context.memory, context.rules, context.trace
        self.paused = False
        self.reset()

    def reset(self) -> None:
        self.base = self.depth = 0
        self.head = self.produced = 0
        self.groups = 0
        self._waiting: dict[tuple[int, int], bytes] = {}

    def set_ring(self, depth: int, base: int) -> None:
        """Start the ring anew; depth 0 turns it off."""
        self.depth, self.base = depth, base
        self.head = self.produced = 0

    def credit(self, head: int) -> None:
        """The driver wrote the head doorbell."""
        room = head - self.produced & 0xFFFF
        if room > self.depth:
            self._rules.report_violation("aenq-credit", f"{room} of {self.depth} entries")
            return
        self.head = head & 0xFFFF

    def enabled(self, group: Event) -> bool:
        """Whether the driver asked for the events of `group` and gave a ring for them."""
        return bool(self.groups >> group & 1 and self.depth)

    def post(self, group: Event, syndrome: int, data: bytes, now: float) -> bool:
        """Tell the driver, if it asked for this group; True if an entry was written."""
        if not self.enabled(group):
            return False
        self._waiting.pop((group, syndrome), None)
        self._waiting[group, syndrome] = data
        return self.flush(now)

    def flush(self, now: float) -> bool:
        """Write events that waited for credit; True if there was one."""
        wrote = False
        while self._waiting and self.head != self.produced and not self.paused:
            (group, syndrome), data = next(iter(self._waiting.items()))
            del self._waiting[group, syndrome]
            try:
                self._write(group, syndrome, data, int(now * 1e6))
            except DmaError as error:
                self._rules.report_violation("dma-address", f"event queue: {error}")
                self.depth = 0
                return wrote
            wrote = True
        return wrote

    def _write(self, group: int, syndrome: int, data: bytes, microseconds: int) -> None:
        slot = self.produced % self.depth
        phase = 1 ^ (self.produced // self.depth & 1)
        entry = self._memory.view(self.base + slot * ENTRY_SIZE, ENTRY_SIZE).cast("Q")
        words = struct.unpack("<6Q", data.ljust(48, b"\0"))
        for at, word in enumerate(words):
            entry[2 + at] = word
        entry[1] = microseconds & 0xFFFFFFFFFFFFFFFF
        entry[0] = group | syndrome << 16 | phase << 32
        self.produced = self.produced + 1 & 0xFFFF
        if self._trace is not None:
            self._trace.event("event", group=group, syndrome=syndrome, data=data)
