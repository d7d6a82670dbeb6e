"""The registers of BAR 0 below the doorbells: set-up, readless reads, the two-phase reset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nitro.ena.admin import ENTRY_SIZE as ADMIN_ENTRY
from nitro.ena.admin import AdminQueue
from nitro.ena.aenq import ENTRY_SIZE as EVENT_ENTRY
from nitro.ena.aenq import EventQueue
from nitro.ena.constants import DEAD_REGISTER, Reg, Status
from nitro.ena.context import Context
from nitro.ena.memory import ADDRESS_BITS, DmaError
from nitro.ena.vectors import Vectors

VERSION = 0x000A
CONTROLLER_VERSION = 0x01000001
RESET_TIMEOUT = 5  # in units of 100 ms
CAPS = 1 | RESET_TIMEOUT << 1 | ADDRESS_BITS << 8
MAX_ADMIN_DEPTH = 1024

# Writes after which the card reads or writes guest memory; the data path's come after these.
ASKS_FOR_DMA = frozenset((Reg.AQ_DB, Reg.AENQ_HEAD_DB, Reg.MMIO_REG_READ))

_RESET = 1 << 0
_STORED = (
    Reg.AQ_CAPS,
    Reg.ACQ_CAPS,
    Reg.AENQ_CAPS,
    Reg.AQ_BASE_LO,
    Reg.AQ_BASE_HI,
    Reg.ACQ_BASE_LO,
    Reg.ACQ_BASE_HI,
    Reg.AENQ_BASE_LO,
    Reg.AENQ_BASE_HI,
    Reg.MMIO_RESP_LO,
    Reg.MMIO_RESP_HI,
)


@dataclass(frozen=True, slots=True)
class _Ring:
    """The registers that describe a ring, and what starts it with a depth and a base."""

    caps: Reg
    low: Reg
    entry_size: int
    start: Callable[[int, int], None]


class Registers:
    """`begin_reset(reason)` is called when a reset starts: everything else must start over."""

    def __init__(
        self,
        context: Context,
        *,
        admin: AdminQueue,
        events: EventQueue,
        vectors: Vectors,
        begin_reset: Callable[[int], None],
        update_rss_entry: Callable[[int], None],
    ) -> None:
        self._memory, self._rules, self._faults = context.memory, context.rules, context.faults
        self._events, self._vectors = events, vectors
        self._begin_reset = begin_reset
        self.status = int(Status.READY)
        self.taken_over = False  # the response address was set anew while queues existed
        self._seen_in_progress = False
        self._values = dict.fromkeys(map(int, _STORED), 0)
        self._rings: dict[int, _Ring] = {}
        for ring in (
            _Ring(Reg.AQ_CAPS, Reg.AQ_BASE_LO, ADMIN_ENTRY, admin.set_submission),
            _Ring(Reg.ACQ_CAPS, Reg.ACQ_BASE_LO, ADMIN_ENTRY, admin.set_completion),
            _Ring(Reg.AENQ_CAPS, Reg.AENQ_BASE_LO, EVENT_ENTRY, events.set_ring),
        ):
            self._rings |= dict.fromkeys((ring.caps, ring.low, ring.low + 4), ring)
        self._write: dict[int, Callable[[int], None]] = {
            Reg.AQ_DB: admin.doorbell,
            Reg.AENQ_HEAD_DB: events.credit,
            Reg.INTR_MASK: lambda value: vectors.mask_management(bool(value & 1)),
            Reg.DEV_CTL: self._write_control,
            Reg.MMIO_REG_READ: self._readless_read,
            Reg.RSS_IND_ENTRY_UPDATE: update_rss_entry,
        }

    def forget(self) -> None:
        """What a reset does to the registers: the addresses are gone."""
        self._values = dict.fromkeys(self._values, 0)

    def read(self, offset: int) -> int:
        """A plain load. Offsets that hold nothing readable give zero."""
        if offset == Reg.DEV_STS:
            if self.status & Status.RESET_IN_PROGRESS:
                self._seen_in_progress = True
            return self.status
        if offset == Reg.VERSION:
            return VERSION
        if offset == Reg.CONTROLLER_VERSION:
            return CONTROLLER_VERSION
        if offset == Reg.CAPS:
            return CAPS
        if offset == Reg.AENQ_TAIL:
            return self._events.produced
        if offset == Reg.INTR_MASK:
            return int(self._vectors.management_masked)
        return 0

    def write(self, offset: int, value: int) -> None:
        handler = self._write.get(offset)
        if handler is not None:
            handler(value)
        elif offset in self._values:
            self._values[offset] = value
            if offset == Reg.MMIO_RESP_LO:
                self.taken_over = True
            elif offset in self._rings:
                # In whatever order a driver writes a ring's three registers, the last completes it.
                self._set_up(self._rings[offset])
        else:
            self._rules.report_violation("unknown-register", f"offset {offset:#x}")

    def _address(self, low: Reg) -> int:
        return self._values[low] | self._values[low + 4] << 32

    def _readless_read(self, value: int) -> None:
        """Answer a register read by DMA: the request id last, it makes the answer valid."""
        request, offset = value & 0xFFFF, value >> 16
        address = self._address(Reg.MMIO_RESP_LO)
        if not address or self._faults.triggers("readless-lost"):
            return
        known = offset % 4 == 0 and offset <= Reg.RSS_IND_ENTRY_UPDATE
        result = self.read(offset) if known else DEAD_REGISTER
        try:
            answer = self._memory.view(address, 8)
        except DmaError as error:
            self._rules.report_violation("dma-address", f"readless read: {error}")
            return
        words = answer.cast("I")
        words[1] = result
        words[0] = request | offset << 16

    def _write_control(self, value: int) -> None:
        resetting = self.status & Status.RESET_IN_PROGRESS
        if value & _RESET and not resetting:
            reason = value >> 28 | (value >> 24 & 0xF) << 4
            self.status = Status.READY | Status.RESET_IN_PROGRESS
            self._seen_in_progress = False
            self._begin_reset(reason)
        elif not value & _RESET and resetting:
            if not self._seen_in_progress:
                self._rules.report_violation("reset-one-phase")
            self.status = Status.READY | Status.RESET_FINISHED

    def _set_up(self, ring: _Ring) -> None:
        """Start a ring where its registers say; it is off if they make none."""
        value, base = self._values[ring.caps], self._address(ring.low)
        depth, size = value & 0xFFFF, value >> 16
        problem = None
        if depth == 0:
            base = 0
        elif size != ring.entry_size:
            problem = "ring-entry-size"
        elif depth & depth - 1 or depth > MAX_ADMIN_DEPTH:
            problem = "ring-depth"
        elif base >> ADDRESS_BITS:
            problem = "dma-address-width"
        elif base % 8:
            problem = "ring-alignment"
        if problem:
            where = f"{ring.low.name}: {depth} entries of {size} at {base:#x}"
            self._rules.report_violation(problem, where)
            depth = base = 0
        ring.start(depth, base)
