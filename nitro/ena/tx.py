"""Transmit queues: descriptors to packets, packets to the port, completions back.

Descriptors come from a ring in guest memory or from LLQ entries in BAR 2 (`llq.py`); data is
never copied, a packet is a list of slices of guest memory. What a driver gets wrong about one
packet costs it that packet; what makes the ring unreadable (a stale phase, no FIRST, no LAST)
stops the queue until the driver resets it, as on a card.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import addressof

from nitro.ena.completion import CompletionQueue
from nitro.ena.context import Context
from nitro.ena.llq import Layout
from nitro.ena.memory import Memory
from nitro.ena.native.loop import Loop
from nitro.ena.offload import Buffer
from nitro.ena.packet import Packet
from nitro.ena.state import TxState, address_of
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
        self._loop = context.loop
        self._state = TxState()
        self.attach(context.memory)
        if layout is None or len(self._ring) == depth * layout.entry_size:
            self._state.client = addressof(context.client)
            self._describe(context.memory, limits)
        else:
            self._loop = None

    def _describe(self, memory: Memory, limits: TxLimits) -> None:
        """Tell the C loop what the queue is."""
        state, layout = self._state, self._layout
        state.memory, state.cq = addressof(memory.state), addressof(self.cq.state)
        state.ring, state.index, state.depth = self.address, self.index, self.depth
        state.stride, state.first, state.more = DESCRIPTOR_SIZE, 1, 1
        if layout is not None:
            state.entries = address_of(self._ring)
            state.stride, state.header_offset = layout.entry_size, layout.header_offset
            state.first = layout.descriptors_before_header
            state.more = layout.descriptors_per_entry
        state.max_descriptors, state.max_frame = limits.max_descriptors, limits.max_frame
        state.offloads, state.meta_required = limits.offloads, limits.meta_required

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

    def run(self, send: Send, now: float, descriptor: int = -1) -> bool:
        """Send what the doorbell announced. False if the port is full: call again later.

        Where `descriptor` is one, the C loop sends what it can by it (`DescriptorPort`).
        """
        completed = False
        loop = self._loop if descriptor >= 0 else None
        while not self.stopped and (self.head != self.tail or self._waiting is not None):
            if loop is not None and self._waiting is None:
                completed |= self._transmit(loop, descriptor)
                if self.head == self.tail:
                    break
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

    def _transmit(self, loop: Loop, descriptor: int) -> bool:
        """Send up to a packet that is not for the C loop; whether completions were written."""
        state = self._state
        state.head, state.tail = self.head, self.tail
        state.meta0, state.meta2 = self._reader.meta_words
        loop.transmit(addressof(state), descriptor)
        if not state.packets:
            return False
        self.head = state.head
        self._reader.remember(state.meta0, state.meta2)
        self._counters.tx_packets += state.packets
        self._counters.tx_bytes += state.bytes
        return bool(state.completed)

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
