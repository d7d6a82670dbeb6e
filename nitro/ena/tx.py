"""Transmit queues: descriptors to packets, packets to the port, completions back.

Descriptors come from a ring in guest memory or from LLQ entries in BAR 2 (`llq.py`); data is
never copied, a packet is a list of slices of guest memory. What a driver gets wrong about one
packet costs it that packet; what makes the ring unreadable (a stale phase, no FIRST, no LAST)
stops the queue until the driver resets it, as on a card.
"""

from __future__ import annotations

from collections.abc import Callable

from nitro.ena.completion import CompletionQueue
from nitro.ena.context import Context
from nitro.ena.llq import Layout
from nitro.ena.memory import Memory
from nitro.ena.offload import Buffer
from nitro.ena.packet import Packet
from nitro.ena.tx_reader import DESCRIPTOR_SIZE, BadRingError, Reader, TxLimits

# TSO segments carry an IP packet of up to 64 KiB behind Ethernet and VLAN headers.
MAX_FRAME = 65535 + 18

Send = Callable[[bytes, list[Buffer]], bool]


class TxQueue:
    """One transmit queue. `tail` and `head` are free-running 16-bit counters."""

    def __init__(
        self,
        index: int,
        depth: int,
        address: int,
        cq: CompletionQueue,
        context: Context,
        limits: TxLimits,
        *,
        layout: Layout | None = None,
        entries: memoryview | None = None,
    ) -> None:
        self.index, self.depth, self.address, self.cq = index, depth, address, cq
        self.tail = self.head = 0
        self.stopped = False
        self._rules, self._counters = context.rules, context.counters
        self._layout = layout
        self._header_offset = layout.header_offset if layout else 0
        self._ring = entries if entries is not None else memoryview(b"")
        self._reader = _reader(f"TX queue {index}", context, limits, depth, layout)
        self._waiting: Packet | None = None
        self.attach(context.memory)

    def attach(self, memory: Memory) -> None:
        """Look the ring up in guest memory. Raises DmaError."""
        if self._layout is None:
            self._ring = memory.view(self.address, self.depth * DESCRIPTOR_SIZE)
        if self._waiting is not None:
            # Its data may have moved: read its descriptors again.
            self.head = self._waiting.first_head
            self._waiting = None

    def stop(self) -> None:
        """Send nothing more, not even a packet that waits for the port."""
        self.stopped = True
        self._waiting = None

    def doorbell(self, value: int) -> None:
        """The driver says that it has filled the ring up to `value`."""
        tail = value & 0xFFFF
        added = tail - self.tail & 0xFFFF
        if (tail - self.head & 0xFFFF) > self.depth:
            self._rules.report_violation("doorbell-tail", f"TX queue {self.index}: {tail:#x}")
            self.stop()
            return
        if self._layout is not None and added > self._layout.burst:
            self._rules.report_violation("llq-burst", f"TX queue {self.index}: {added} entries")
        self.tail = tail

    def run(self, send: Send, now: float) -> bool:
        """Send what the doorbell announced. False if the port is full: call again later."""
        completed = False
        while not self.stopped and (self.head != self.tail or self._waiting is not None):
            packet = self._waiting or self._take()
            if packet is None:
                break
            self._waiting = None
            if packet.rule is not None:
                self._counters.tx_drops += 1
                self._rules.report_violation(packet.rule, f"TX queue {self.index}")
            elif send(packet.header, packet.parts):
                self._counters.tx_packets += 1
                self._counters.tx_bytes += packet.length
            else:
                self._waiting = packet
                break
            if packet.completes:
                self.cq.put_tx(packet.req_id, self.index, packet.next_head)
                completed = True
        if completed and self.cq.vector is not None:
            self.cq.vector.post_tx(now)
        return self._waiting is None

    def _take(self) -> Packet | None:
        """The next packet of the ring; the head moves behind it. None if the ring is broken."""
        try:
            packet = self._reader.take(self._ring, self.head, self.tail)
        except BadRingError as error:
            self._rules.report_violation(error.rule, f"TX queue {self.index}, head {self.head:#x}")
            self.stop()
            return None
        if (layout := self._layout) is not None:
            entry = self.head % self.depth * layout.entry_size
            room = self._ring[entry + self._header_offset : entry + layout.entry_size]
            self._reader.push(packet, room)
        self._reader.finish(packet)
        if packet.rule is None and not 14 <= packet.length <= MAX_FRAME:
            packet.rule = "tx-length"
        self.head = packet.next_head
        return packet


def _reader(
    name: str, context: Context, limits: TxLimits, depth: int, layout: Layout | None
) -> Reader:
    """What reads a ring in guest memory, or LLQ entries of a layout."""
    if layout is None:
        return Reader(name, context, limits, depth=depth)
    return Reader(
        name,
        context,
        limits,
        depth=depth,
        stride=layout.entry_size,
        first=layout.descriptors_before_header,
        more=layout.descriptors_per_entry,
    )
