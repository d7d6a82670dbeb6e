"""Transmit queues: descriptors to packets, packets to the port, completions back.

Descriptors come from a ring in guest memory or from LLQ entries in BAR 2 (`llq.py`); data is
never copied, a packet is a list of slices of guest memory. What a driver gets wrong about one
packet costs it that packet; what makes the ring unreadable (a stale phase, no FIRST, no LAST)
stops the queue until the driver resets it, as on a card.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from nitro.ena.completion import CompletionQueue
from nitro.ena.llq import Layout
from nitro.ena.memory import DmaError, Memory
from nitro.ena.offload import Buffer
from nitro.ena.packet import Packet
from nitro.ena.rules import Rules
from nitro.ena.stats import Counters
from nitro.ena.txoffload import Meta, OffloadError, describe

DESCRIPTOR_SIZE = 16
_WORDS = struct.Struct("<4I")

_META = 1 << 23
_FIRST = 1 << 26
_LAST = 1 << 27
_COMPLETION = 1 << 28
_DATA_RESERVED = 1 << 22 | 1 << 25 | 0b111 << 29

# TSO segments carry an IP packet of up to 64 KiB behind Ethernet and VLAN headers.
MAX_FRAME = 65535 + 18

Send = Callable[[bytes, list[Buffer]], bool]


class _BadRingError(Exception):
    """The queue cannot tell where the next packet begins."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class TxQueue:
    """One transmit queue. `tail` and `head` are free-running 16-bit counters."""

    def __init__(
        self,
        index: int,
        depth: int,
        address: int,
        cq: CompletionQueue,
        *,
        memory: Memory,
        rules: Rules,
        counters: Counters,
        max_descriptors: int,
        max_frame: int,
        offloads: int,
        meta_required: bool = False,
        layout: Layout | None = None,
        entries: memoryview | None = None,
    ) -> None:
        self.index, self.depth, self.address, self.cq = index, depth, address, cq
        self.tail = self.head = 0
        self.stopped = False
        self._memory, self._rules, self._counters = memory, rules, counters
        self._max_descriptors, self._max_frame = max_descriptors, max_frame
        self._offloads, self._meta_required = offloads, meta_required
        self._layout, self._entries = layout, entries
        self._meta = Meta()
        self._waiting: Packet | None = None
        self.attach(memory)

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
            packet = self._from_host() if self._layout is None else self._from_llq(self._layout)
        except _BadRingError as error:
            self._rules.report_violation(error.rule, f"TX queue {self.index}, head {self.head:#x}")
            self.stop()
            return None
        if packet.rule is None and not 14 <= packet.length <= MAX_FRAME:
            packet.rule = "tx-length"
        packet.first_head = self.head
        self.head = packet.next_head
        return packet

    def _phase(self, head: int) -> int:
        return (1 ^ (head // self.depth & 1)) << 24

    def _from_host(self) -> Packet:
        packet, head, tail = Packet(), self.head, self.tail
        reader = _Reader(self, packet)
        while head != tail:
            slot = head % self.depth * DESCRIPTOR_SIZE
            words = _WORDS.unpack_from(self._ring, slot)
            head = head + 1 & 0xFFFF
            if reader.descriptor(words, self._phase(head - 1 & 0xFFFF)):
                packet.next_head = head
                reader.finish()
                return packet
        raise _BadRingError("tx-first-last")

    def _from_llq(self, layout: Layout) -> Packet:
        packet, head, tail = Packet(), self.head, self.tail
        reader = _Reader(self, packet)
        assert self._entries is not None
        first, slots = head, layout.descriptors_before_header
        while head != tail:
            entry = head % self.depth * layout.entry_size
            phase = self._phase(head)
            head = head + 1 & 0xFFFF
            for slot in range(slots):
                words = _WORDS.unpack_from(self._entries, entry + slot * DESCRIPTOR_SIZE)
                if reader.descriptor(words, phase):
                    packet.next_head = head
                    begin = first % self.depth * layout.entry_size + layout.header_offset
                    reader.inline(self._entries[begin : begin + layout.header_room])
                    reader.finish()
                    return packet
            slots = layout.descriptors_per_entry
        raise _BadRingError("tx-first-last")


class _Reader:
    """Puts one packet together, descriptor by descriptor."""

    __slots__ = ("_count", "_data", "_has_meta", "_inline", "_packet", "_queue", "_w0", "_w1")

    def __init__(self, queue: TxQueue, packet: Packet) -> None:
        self._queue, self._packet = queue, packet
        self._count = self._data = 0
        self._has_meta = False
        self._w0 = self._w1 = self._inline = 0

    def descriptor(self, words: tuple[int, ...], phase: int) -> bool:
        """Take one descriptor; True if it was the packet's last. Raises _BadRingError."""
        w0, w1, w2, w3 = words
        if w0 & 1 << 24 != phase:
            raise _BadRingError("tx-phase")
        if bool(w0 & _FIRST) != (self._count == 0):
            raise _BadRingError("tx-first-last")
        self._count += 1
        queue, packet = self._queue, self._packet
        if self._count > queue._max_descriptors:
            packet.rule = "tx-too-many-descriptors"
        if w0 & _META:
            if self._count != 1 or w0 & _LAST:
                raise _BadRingError("tx-first-last")
            self._has_meta = True
            queue._meta = Meta.parse(w0, w2)
            return False
        if self._data == 0:
            self._w0, self._w1, self._inline = w0, w1, w3 >> 24
            packet.req_id = (w0 >> 16 & 0x3F) << 10 | w1 >> 22
            packet.completes = bool(w0 & _COMPLETION)
        if w0 & _DATA_RESERVED:
            queue._rules.report_violation("tx-reserved", f"TX queue {queue.index}: {w0:#x}")
        self._data += 1
        length = w0 & 0xFFFF
        if length:
            address = w2 | (w3 & 0xFFFF) << 32
            try:
                packet.parts.append(queue._memory.view(address, length))
            except DmaError:
                packet.rule = "dma-address"
            packet.length += length
        return bool(w0 & _LAST)

    def inline(self, room: memoryview) -> None:
        """Put the header that lies in the LLQ entry in front of the packet."""
        if self._inline > len(room):
            self._packet.rule = "tx-header-length"
        elif self._inline:
            # The entry is the driver's again after completion, hence a copy.
            self._packet.parts.insert(0, bytes(room[: self._inline]))
            self._packet.length += self._inline

    def finish(self) -> None:
        """All descriptors are there: work out what the port is asked to do."""
        queue, packet = self._queue, self._packet
        if queue._meta_required and not self._has_meta:
            packet.rule = "tx-meta-missing"
        if packet.rule is not None:
            return
        try:
            packet.header = describe(self._w1, queue._meta, packet, queue._offloads)
        except OffloadError:
            packet.rule = "tx-offload"
        if packet.length > queue._max_frame and packet.header[1] == 0:
            packet.rule = "tx-length"
