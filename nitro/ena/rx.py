"""Receive queues: the buffers that a driver posted, in the order of posting.

`rx_path.py` reads frames straight into them and writes the completions.
"""

from __future__ import annotations

import struct

from nitro.ena.completion import CompletionQueue
from nitro.ena.context import Context
from nitro.ena.memory import DmaError, Memory

DESCRIPTOR_SIZE = 16
REGIONS = 4
SPARSE_TIMES = 3  # in a row, before a driver is blamed for a ring that it leaves half empty

# length, -, control, req_id, -, address low, address high, -
_DESCRIPTOR = struct.Struct("<HBBHHIHH")
_PHASE, _FIRST, _LAST = 1 << 0, 1 << 2, 1 << 3
_RESERVED = 1 << 1 | 0b11 << 6
_COMPACT = 256


class Buffers:
    """Free buffers in the order of posting: parallel lists, used from `start` on."""

    __slots__ = ("addresses", "ids", "queue", "slots", "start", "views")

    def __init__(self, queue: RxQueue) -> None:
        self.queue = queue
        self.start = 0
        self.views: list[memoryview] = []
        self.ids: list[int] = []
        self.addresses: list[int] = []
        self.slots: list[int] = []

    def __len__(self) -> int:
        return len(self.views) - self.start

    def add(self, view: memoryview, req_id: int, address: int, slot: int) -> None:
        self.views.append(view)
        self.ids.append(req_id)
        self.addresses.append(address)
        self.slots.append(slot)

    def turn_round(self, count: int) -> None:
        """Use the last `count` (not 0) in the opposite order."""
        self.views[-count:] = self.views[-count:][::-1]
        for one in (self.ids, self.addresses, self.slots):
            one[-count:] = one[-count:][::-1]

    def clear(self) -> None:
        """Forget them all: the views hold memory that may be gone."""
        self.start = 0
        for one in (self.views, self.ids, self.addresses, self.slots):
            one.clear()

    def peek(self, count: int) -> list[memoryview]:
        """The next buffers, at most `count`."""
        return self.views[self.start : self.start + count]

    def drop(self, count: int) -> None:
        """The next `count` buffers are used."""
        self.start += count
        if self.start >= _COMPACT:
            del self.views[: self.start]
            del self.ids[: self.start]
            del self.addresses[: self.start]
            del self.slots[: self.start]
            self.start = 0


class RxQueue:
    """One receive queue. `tail` is the driver's free-running 16-bit counter."""

    def __init__(
        self,
        index: int,
        depth: int,
        address: int,
        cq: CompletionQueue,
        context: Context,
    ) -> None:
        self.index, self.depth, self.address, self.cq = index, depth, address, cq
        self.tail = 0
        self.stopped = False
        self._posted = 0  # buffers since the queue was made
        self._filled = 0  # buffers in the ring after the last doorbell
        self._sparse = 0  # how often in a row the driver waited with less than half a ring
        self._memory, self._rules, self._faults = context.memory, context.rules, context.faults
        self._by_region = context.profile.rx_region_by_hash
        self.buffers = Buffers(self)
        self.attach(context.memory)

    def attach(self, memory: Memory) -> None:
        """Look the ring and the posted buffers up in guest memory. Raises DmaError."""
        self._ring = memory.view(self.address, self.depth * DESCRIPTOR_SIZE)
        buffers = self.buffers
        for at in range(buffers.start, len(buffers.views)):
            buffers.views[at] = memory.view(buffers.addresses[at], len(buffers.views[at]))

    def stop(self) -> None:
        """Receive nothing more and let go of the buffers: the ring cannot be trusted."""
        self.stopped = True
        self.buffers.clear()

    def takes(self, value: int) -> bool:
        """Whether a frame with the hash `value` finds a buffer here.

        Cards that pick the region of the ring by hash lose frames from a sparse ring.
        """
        free = len(self.buffers)
        if not self._by_region or free >= self.depth // 2:
            return free > 0
        region = value % REGIONS
        slots = self.buffers.slots[self.buffers.start :]
        return any(slot * REGIONS // self.depth == region for slot in slots)

    def doorbell(self, value: int) -> None:
        """The driver posted buffers up to `value`: fetch their descriptors."""
        tail = value & 0xFFFF
        added = tail - self.tail & 0xFFFF
        if self.stopped:
            return
        if added > self.depth or len(self.buffers) + added > self.depth:
            self._rules.report_violation("doorbell-tail", f"RX queue {self.index}: {tail:#x}")
            self.stop()
            return
        for position in range(self.tail, self.tail + added):
            if not self._fetch(position & 0xFFFF):
                self.stop()
                return
        if added and self._faults.triggers("rx-out-of-order"):
            self.buffers.turn_round(added)
        self.tail = tail
        self._posted += added
        self._filled = len(self.buffers)
        if self._posted == self._filled:  # the first fill: nothing has been used yet
            self._sparse = SPARSE_TIMES
            self.check_fill()

    def check_fill(self) -> None:
        """The driver is done for now: is the ring as full as it left it to be?

        Not asked while it works through what has arrived, for a burst may outrun it. Once is not
        believed: frames may have come while the host kept the driver from its doorbell.
        """
        if not self._by_region or self._filled >= self.depth // 2:
            self._sparse = 0
            return
        self._sparse += 1
        if self._sparse >= SPARSE_TIMES:
            where = f"RX queue {self.index}: {self._filled} buffers"
            self._rules.report_violation("rx-ring-sparse", where)

    def _fetch(self, position: int) -> bool:
        """Take one descriptor; False if the ring cannot be read on."""
        slot = position % self.depth
        length, _, control, req_id, _, low, high, _ = _DESCRIPTOR.unpack_from(
            self._ring, slot * DESCRIPTOR_SIZE
        )
        where = f"RX queue {self.index}, slot {slot}"
        if control & _PHASE != 1 ^ (position // self.depth & 1):
            self._rules.report_violation("rx-phase", where)
            return False
        if not control & _FIRST or not control & _LAST:
            self._rules.report_violation("rx-first-last", where)
        if control & _RESERVED:
            self._rules.report_violation("rx-reserved", where)
        address = low | high << 32
        try:
            view = self._memory.view(address, length or 0x10000)
        except DmaError:
            self._rules.report_violation("dma-address", where)
            return False
        self.buffers.add(view, req_id, address, slot)
        return True
