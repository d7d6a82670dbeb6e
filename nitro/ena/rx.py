"""Receive queues: the buffers that a driver posted, in the order of posting.

`rx_path.py` reads frames straight into them and writes the completions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ctypes import addressof

from nitro.ena.completion import CompletionQueue
from nitro.ena.context import Context
from nitro.ena.memory import DmaError, Memory
from nitro.ena.state import BufferState, RxState

DESCRIPTOR_SIZE = 16
REGIONS = 4
SPARSE_TIMES = 3  # in a row, before a driver is blamed for a ring that it leaves half empty

# length, -, control, req_id, -, address low, address high, -
_DESCRIPTOR = struct.Struct("<HBBHHIHH")
_PHASE, _FIRST, _LAST = 1 << 0, 1 << 2, 1 << 3
_RESERVED = 1 << 1 | 0b11 << 6
_CHECKED = _PHASE | _FIRST | _LAST | _RESERVED


class Buffers:
    """Free buffers in the order of posting.

    Of each two words are kept: its guest address; length, request id and ring slot.
    """

    __slots__ = ("_depth", "_memory", "_words", "queue", "state")

    def __init__(self, queue: RxQueue, memory: Memory) -> None:
        self.queue, self._memory, self._depth = queue, memory, queue.depth
        places = (BufferState * queue.depth)()
        self._words = memoryview(places).cast("B").cast("Q")
        self.state = RxState(
            memory=addressof(memory.state),
            cq=addressof(queue.cq.state),
            buffers=addressof(places),
            ring=queue.address,
            index=queue.index,
            depth=queue.depth,
        )

    def __len__(self) -> int:
        return int(self.state.end - self.state.start)

    def add(self, address: int, length: int, req_id: int, slot: int) -> None:
        """The driver posted a buffer."""
        at = self.state.end % self._depth * 2
        self._words[at] = address
        self._words[at + 1] = length | req_id << 32 | slot << 48
        self.state.end += 1

    def turn_round(self, count: int) -> None:
        """Use the last `count` in the opposite order."""
        end, words = self.state.end, self._words
        places = [at % self._depth * 2 for at in range(end - count, end)]
        kept = [(words[at], words[at + 1]) for at in places]
        for at, (address, rest) in zip(places, reversed(kept), strict=True):
            words[at], words[at + 1] = address, rest

    def clear(self) -> None:
        """Forget them all."""
        self.state.start = self.state.end

    def peek(self, count: int) -> list[memoryview]:
        """The memory of the next buffers, at most `count`. Raises DmaError."""
        return [
            self._memory.view(address, rest & 0xFFFFFFFF) for address, rest in self._next(count)
        ]

    def ids(self, count: int) -> list[int]:
        """The request ids of the next buffers, at most `count`."""
        return [rest >> 32 & 0xFFFF for _, rest in self._next(count)]

    def slots(self) -> set[int]:
        """The ring slots of all buffers."""
        return {rest >> 48 for _, rest in self._next(len(self))}

    def drop(self, count: int) -> None:
        """The next `count` buffers are used."""
        self.state.start += count

    def _next(self, count: int) -> Iterator[tuple[int, int]]:
        start, words, depth = self.state.start, self._words, self._depth
        for at in range(start, min(start + count, self.state.end)):
            place = at % depth * 2
            yield words[place], words[place + 1]


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
        self._loop = context.loop
        self.buffers = Buffers(self, context.memory)
        self.buffers.state.by_region = self._by_region
        self.attach(context.memory)

    def attach(self, memory: Memory) -> None:
        """Look the ring and the posted buffers up in guest memory. Raises DmaError."""
        self._ring = memory.view(self.address, self.depth * DESCRIPTOR_SIZE)
        self.buffers.peek(self.depth)

    def stop(self) -> None:
        """Receive nothing more and let go of the buffers: the ring cannot be trusted."""
        self.stopped = True
        self.buffers.state.stopped = True
        self.buffers.clear()

    def takes(self, value: int) -> bool:
        """Whether a frame with the hash `value` finds a buffer here.

        Cards that pick the region of the ring by hash lose frames from a sparse ring.
        """
        free = len(self.buffers)
        if not self._by_region or free >= self.depth // 2:
            return free > 0
        region = value % REGIONS
        return any(slot * REGIONS // self.depth == region for slot in self.buffers.slots())

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
        if not self._fetch_all(added):
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

    def _fetch_all(self, added: int) -> bool:
        """Take the next `added` descriptors; False if the ring cannot be read on."""
        loop = self._loop
        if loop is not None and loop.fetch(addressof(self.buffers.state), self.tail, added):
            return True
        position, missing = self.tail, added
        while missing:
            count = min(missing, self.depth - position % self.depth)
            if not self._fetch(position, count):
                return False
            position += count
            missing -= count
        return True

    def _fetch(self, position: int, count: int) -> bool:
        """Take `count` descriptors, up to the end of the ring at most; False if the ring cannot be
        read on."""
        slot = position % self.depth
        phase = 1 ^ (position // self.depth & 1)
        view, add = self._memory.view, self.buffers.add
        entries = self._ring[slot * DESCRIPTOR_SIZE : (slot + count) * DESCRIPTOR_SIZE]
        for length, _, control, req_id, _, low, high, _ in _DESCRIPTOR.iter_unpack(entries):
            if control & _CHECKED != _FIRST | _LAST | phase and not self._can(control, phase, slot):
                return False
            address = low | high << 32
            try:
                view(address, length or 0x10000)
            except DmaError:
                self._rules.report_violation("dma-address", self._where(slot))
                return False
            add(address, length or 0x10000, req_id, slot)
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
