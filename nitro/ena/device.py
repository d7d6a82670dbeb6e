"""The card: its parts, put together. Everything enters through the methods of `Device`.

Nothing here does I/O: the port, the memory and the clock are given.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from nitro.ena import llq
from nitro.ena.admin import AdminQueue
from nitro.ena.aenq import EventQueue
from nitro.ena.commands import Commands
from nitro.ena.constants import (
    RX_DOORBELLS,
    TX_DOORBELLS,
    UNMASK,
    Capability,
    Reg,
    RxOffload,
    Status,
)
from nitro.ena.context import Context
from nitro.ena.faults import Faults
from nitro.ena.features import Features
from nitro.ena.memory import Memory
from nitro.ena.native.loop import Loop
from nitro.ena.notices import Notices
from nitro.ena.offload import Buffer
from nitro.ena.ports import DescriptorPort, Port
from nitro.ena.profiles import Profile
from nitro.ena.queues import Queues
from nitro.ena.registers import ASKS_FOR_DMA, Registers
from nitro.ena.reporter import Reporter
from nitro.ena.rss import TABLE_SIZE, Rss
from nitro.ena.rssfeatures import RssFeatures
from nitro.ena.rules import Rules
from nitro.ena.rx_path import RxPath
from nitro.ena.shape import Shape, ShapedPort
from nitro.ena.stats import Counters
from nitro.ena.trace import Trace
from nitro.ena.tx import TxQueue
from nitro.ena.vectors import Vectors

# Frames in one turn: few enough that doorbells do not wait long.
RECEIVE_BUDGET = 16


def bar2_size(profile: Profile) -> int:
    """Bytes of LLQ memory, a power of two; 0 for a card without."""
    if not profile.llq:
        return 0
    return llq.bar2_size(profile.queues, profile.tx_depth, profile.llq_wide, profile.llq_wide_depth)


class Device:
    """One ENA card.

    `clock` gives seconds; `interrupt_lag` is what it takes, at the least, from `raise_vector` to
    the guest, in seconds; `report` takes lines for people (a reset, a broken rule in strict
    mode); `shape` is what the instance type allows, None: all there is; `loop` does in C what it
    can, None: the model does all. `bar2` is the LLQ memory, `bar2_size(profile)` bytes for the
    driver to write to; None: of its own.
    """

    def __init__(
        self,
        profile: Profile,
        mac: bytes,
        memory: Memory,
        port: Port,
        raise_vector: Callable[[int], None],
        clock: Callable[[], float],
        *,
        interrupt_lag: float = 0.0,
        strict: bool = False,
        report: Callable[[str], None] = lambda line: None,
        trace: Trace | None = None,
        shape: Shape | None = None,
        loop: Loop | None = None,
        bar2: memoryview | None = None,
    ) -> None:
        self.loop = loop
        self.counters = Counters()
        self._shaped = ShapedPort(port, shape, self.counters, clock) if shape else None
        port = self._shaped or port
        self.profile, self.memory, self.port = profile, memory, port
        self.bar2 = memoryview(bytearray(bar2_size(profile))) if bar2 is None else bar2
        self._mac, self._clock, self._trace = mac, clock, trace
        self._raise_vector, self._interrupt_lag = raise_vector, interrupt_lag
        self._reporter = Reporter(report, trace)
        self.rules = Rules(self._reporter.say if strict else self._reporter.note)
        self.faults = Faults(profile.faults, profile.fault_seed)
        context = Context(profile, memory, self.rules, self.faults, self.counters, trace, loop)
        self.client = context.client
        self._random = random.Random(profile.fault_seed)
        self.vectors = Vectors(profile.queues + 1, self._interrupt)
        self.events = EventQueue(context)
        self.queues = Queues()
        rss = Rss(fixed=not profile.rss_function)
        self.rx_path = RxPath(context, port, rss, self.queues.rx)
        exists = self.queues.rx.__contains__
        self._rss = RssFeatures(context, rss, self.rx_path.forget, queue_exists=exists)
        self.features = Features(context, mac, events=self.events, rss=self._rss)
        self.notices = Notices(context, self.events, self.vectors, clock, self.features.hints)
        self._commands = Commands(
            context,
            self.features,
            self.queues,
            vectors=self.vectors,
            events=self.events,
            changed=self._queues_changed,
            bar2=self.bar2,
        )
        self.admin = AdminQueue(context, self._commands.execute)
        self.registers = Registers(
            context,
            admin=self.admin,
            events=self.events,
            vectors=self.vectors,
            begin_reset=self._begin_reset,
            update_rss_entry=self._rss.update_entry,
        )
        self._send = self._send_traced if trace else port.send
        self._is_plain = trace is None and isinstance(port, DescriptorPort)
        self._ringing: dict[int, TxQueue] = {}
        self._generation = memory.generation
        self.blocked = self.starved = self._receiving = self._bus_master = False
        self.events.paused = True
        self.power_on()

    # From the guest.

    def power_on(self) -> None:
        """The state after power-up or a function-level reset."""
        self.registers.status = int(Status.READY)
        self._clear()

    def set_bus_master(self, on: bool) -> None:
        """PCI configuration space allows DMA, or no longer: then memory is left alone.

        What the driver asked for in the meantime is done when DMA is allowed again; frames that
        arrived are lost.
        """
        if on and not self._bus_master:
            self.rx_path.discard()
        self._bus_master, self.events.paused = on, not on

    def read(self, offset: int) -> int:
        """The guest loads 32 bits at `offset` of BAR 0."""
        value = self.registers.read(offset)
        if self._trace is not None:
            self._trace.event("read", offset=offset, value=value)
        return value

    def write(self, offset: int, value: int) -> None:
        """The guest stores 32 bits at `offset` of BAR 0."""
        if self._trace is not None:
            self._trace.event("write", offset=offset, value=value)
        if offset < TX_DOORBELLS:
            if not self._bus_master and offset in ASKS_FOR_DMA:
                self.rules.report_violation("bus-master-off", f"register {offset:#x}")
                if offset == Reg.MMIO_REG_READ:
                    return  # the answer would be written to memory
            self.registers.write(offset, value)
        elif offset >= UNMASK:
            self._unmask(offset, value)
        elif offset >= RX_DOORBELLS:
            self._ring_rx(offset, value)
        else:
            self._ring_tx(offset, value)

    def _ring_tx(self, offset: int, value: int) -> None:
        queue = self.queues.tx.get(offset - TX_DOORBELLS >> 2)
        if queue is None or offset & 3:
            self.rules.report_violation("doorbell-unknown", f"TX, offset {offset:#x}")
            return
        self.counters.tx_doorbells += 1
        queue.doorbell(value)
        self._ringing[queue.index] = queue

    def _ring_rx(self, offset: int, value: int) -> None:
        queue = self.queues.rx.get(offset - RX_DOORBELLS >> 2)
        if queue is None or offset & 3:
            self.rules.report_violation("doorbell-unknown", f"RX, offset {offset:#x}")
            return
        if not self._receiving:
            # What arrived while nobody listened is old news.
            self.rx_path.discard()
            self._receiving = True
        self._refresh()
        self.counters.rx_doorbells += 1
        queue.doorbell(value)
        self.starved = False

    def _unmask(self, offset: int, value: int) -> None:
        vector = self.vectors.get(offset - UNMASK >> 2)
        if vector is None or offset & 3:
            self.rules.report_violation("unknown-register", f"offset {offset:#x}")
            return
        self.counters.unmasks += 1
        vector.rearm(value, (self.profile.moderation_us or 1) * 1e-6, self._interrupt_lag)
        if self.profile.rx_region_by_hash:
            for queue in self.queues.rx.values():
                if queue.cq.vector is vector:
                    queue.check_fill()

    # From the event loop.

    @property
    def wants_frames(self) -> bool:
        """Whether `receive` could place a frame now."""
        held = self._shaped is not None and self._shaped.in_free_at > self._clock()
        return self._bus_master and self._receiving and not self.starved and not held

    def run(self) -> None:
        """Do what the guest's doorbells asked for."""
        self._refresh()
        if not self._bus_master:
            return
        if self._ringing:
            self._transmit()
        if self.admin.run():
            masked = self.vectors.management_masked
            if masked or not self.faults.triggers("admin-interrupt-lost"):
                self.vectors.post_management()

    def receive(self) -> None:
        """Take frames from the port, as many as one turn may."""
        self._refresh()
        if not self.notices.link_up or not self._bus_master:
            self.rx_path.discard()
        elif self._receiving:
            now = self._clock()
            # Tell the guest of the first frame at once: it works while the rest is read.
            self.starved = not self.rx_path.run(now, 1)
            self.vectors.flush(now)
            if not self.starved:
                self.starved = not self.rx_path.run(now, RECEIVE_BUDGET - 1)

    def tick(self) -> float:
        """Do what is due by the clock; return when to come back (seconds of the clock)."""
        now = self._clock()
        due = self.notices.tick(now, tell_link=self._commands.take_link_report())
        if self._shaped is not None and self._bus_master:
            if self._ringing and not self.blocked and self._shaped.out_free_at <= now:
                self._transmit()
            if self._shaped.in_waits and self._shaped.in_free_at <= now:
                self.receive()
            frees = (self._shaped.out_free_at, self._shaped.in_free_at)
            due = min([due, *(at for at in frees if at > now)])
        return min(due, self.vectors.flush(now))

    # Inside.

    def _transmit(self) -> None:
        now = self._clock()
        send = self._send if self.notices.link_up else _drop
        plain = self._is_plain and self.notices.link_up and not self.faults.active
        descriptor = self.port.fileno() if plain else -1
        still: dict[int, TxQueue] = {}
        for index, queue in self._ringing.items():
            if self.queues.tx.get(index) is queue and not queue.run(send, now, descriptor):
                still[index] = queue
        self._ringing = still
        held = self._shaped is not None and self._shaped.out_free_at > now
        self.blocked = bool(still) and not held

    def _refresh(self) -> None:
        """Guest memory was unmapped: look every ring up again, stop the queues that lost theirs."""
        if self._generation == self.memory.generation:
            return
        self._generation = self.memory.generation
        self.queues.attach(self.memory, self.rules)

    def _begin_reset(self, reason: int) -> None:
        extended = self.profile.capabilities & Capability.EXTENDED_RESET_REASONS
        if reason > 15 and not extended:
            self.rules.report_violation("reset-reason-extended", f"reason {reason}")
        if reason == 0 and self.queues.submission and not self.registers.taken_over:
            self.rules.report_violation("reset-with-queues")
        if reason:
            self._reporter.reset(reason)
        if self.faults.triggers("mac-changes"):
            self.features.mac = self._mac[:5] + bytes([self._random.randrange(256)])
        self._clear()

    def _clear(self) -> None:
        self.queues.clear()
        self._queues_changed()
        self._ringing = {}
        self.blocked = False
        self.admin.reset()
        self.events.reset()
        self.vectors.reset()
        self.registers.forget()
        if self.faults.triggers("rss-default-astray"):
            self._rss.default_table = [1 + n % 8 for n in range(TABLE_SIZE)]
        self.features.reset()
        self._commands.reset()
        self.counters.clear()
        self.notices.reset()

    def _queues_changed(self) -> None:
        self.rx_path.changed()
        self.registers.taken_over = False
        self.starved = False
        if not self.queues.rx:
            self._receiving = False
        self.port.accept(
            checksums=bool(self.profile.rx_offloads & RxOffload.L4_V4_CSUM),
            segments=self.profile.merged_segments and self.features.host.takes_merged_segments,
        )

    def _interrupt(self, number: int) -> None:
        if number and self.faults.active:
            first = self.vectors.io[number - 1].fired == 1
            lost = first and self.faults.triggers("first-interrupt-lost")
            if lost or self.faults.triggers("interrupt-lost"):
                return
        if self._trace is not None:
            self._trace.event("interrupt", vector=number)
        self.counters.interrupts += 1
        self._raise_vector(number)

    def _send_traced(self, header: bytes, parts: list[Buffer]) -> bool:
        sent = self.port.send(header, parts)
        if sent and self._trace is not None:
            self._trace.frame("out", parts)
        return sent


def _drop(header: bytes, parts: list[Buffer]) -> bool:
    """Where frames go while the link is down."""
    return True
