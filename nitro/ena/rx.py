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
_CHECKED = _PHASE | _FIRST | _LAST | _RESERVED
_COMPACT = 256


class Buffers:
    """Free buffers in the order of posting: parallel lists, used from `start` on.

    `posted` has request id, guest address and ring slot of each.
    """

    __slots__ = ("posted", "queue", "start", "views")

    def __init__(self, queue: RxQueue) -> None:
        self.queue = queue
        self.start = 0
        self.views: list[memoryview] = []
        self.posted: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        return len(self.views) - self.start

    def turn_round(self, count: int) -> None:
        """Use the last `count` (not 0) in the opposite order."""
        self.views[-count:] = self.views[-count:][::-1]
        self.posted[-count:] = self.posted[-count:][::-1]

    def clear(self) -> None:
        """Forget them all: the views hold memory that may be gone."""
        self.start = 0
        self.views.clear()
        self.posted.clear()

    def peek(self, count: int) -> list[memoryview]:
        """The next buffers, at most `count`."""
        return self.views[self.start : self.start + count]

    def drop(self, count: int) -> None:
        """The next `count` buffers are used."""
        self.start += count
        if self.start >= _COMPACT:
            del self.views[: self.start]
            del self.posted[: self.start]
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
            buffers.views[at] = memory.view(buffers.posted[at][1], len(buffers.views[at]))

    def stop(self) -> None:
        """Receive nothing more and let go of the buffers: the ring cannot be trusted."""
        self.stopped = True
        self.buffers.clear()

    def takes(self, value: int) -> bool:
        """Whether a frame with the hash `value` finds a buffer here.

        Cards that pick the region of the ring by hash lose frames from a sparse ring.
        """
        free = len(self.buffers.views) - self.buffers.start
        if not self._by_region or free >= self.depth // 2:
            return free > 0
        region = value % REGIONS
        posted = self.buffers.posted[self.buffers.start :]
        return any(slot * REGIONS // self.depth == region for _, _, slot in posted)

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
        position, missing = self.tail, added
        while missing:
            count = min(missing, self.depth - position % self.depth)
            if not self._fetch(position, count):
                self.stop()
                return
            position += count
            missing -= count
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

    def _fetch(self, position: int, count: int) -> bool:
        """Take `count` descriptors, up to the end of the ring at most; False if the ring cannot be
        read on."""
        slot = position % self.depth
        phase = 1 ^ (position // self.depth & 1)
        view, views, posted = self._memory.view, self.buffers.views, self.buffers.posted
        entries = self._ring[slot * DESCRIPTOR_SIZE : (slot + count) * DESCRIPTOR_SIZE]
        for length, _, control, req_id, _, low, high, _ in _DESCRIPTOR.iter_unpack(entries):
            if control & _CHECKED != _FIRST | _LAST | phase and not self._can(control, phase, slot):
                return False
            address = low | high << 32
            try:
                views.append(view(address, length or 0x10000))
            except DmaError:
                self._rules.report_violation("dma-address", self._where(slot))
                return False
            posted.append((req_id, address, slot))
            slot += 1
        return True

    def _can(self, control: int, phase: int, slot: int) -> bool:
        """Whether a descriptor with wrong control bits can be used; reports what is wrong."""
        if control & _PHASE != phase:
            self._rules.report_violation("rx-phase", self._where(slot))
            return False
        if not control & _FIRST or not control & _LAST:
            self._rules.report_violation("rx-first-last", self._where(slot))
        if control & _RESERVED:
            self._rules.report_violation("rx-reserved", self._where(slot))
        return True

    def _where(self, slot: int) -> str:
        return f"RX queue {self.index}, slot {slot}"
