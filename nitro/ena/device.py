"""The card: its parts, wired. Everything enters through the methods of `Device`.

Nothing here does I/O: the port, the memory and the clock are given.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from nitro.ena import llq
from nitro.ena.admin import AdminQueue
from nitro.ena.aenq import NOTIFY_HINTS, EventQueue
from nitro.ena.commands import Commands
from nitro.ena.constants import (
    RESET_REASONS,
    RX_DOORBELLS,
    TX_DOORBELLS,
    UNMASK,
    Capability,
    Event,
    RxOffload,
    Status,
)
from nitro.ena.faults import Faults
from nitro.ena.features import Features
from nitro.ena.memory import DmaError, Memory
from nitro.ena.offload import Buffer
from nitro.ena.ports import Port
from nitro.ena.profiles import Profile
from nitro.ena.queues import Queues
from nitro.ena.registers import Registers
from nitro.ena.rss import TABLE_SIZE, Rss
from nitro.ena.rssfeatures import RssFeatures
from nitro.ena.rules import Rules
from nitro.ena.rx import RxQueue
from nitro.ena.rx_path import RxPath
from nitro.ena.stats import Counters
from nitro.ena.trace import Trace, traced
from nitro.ena.tx import TxQueue
from nitro.ena.vectors import NEVER, Vectors

KEEP_ALIVE_PERIOD = 1.0
# Frames in one turn: few enough that doorbells do not wait long.
RECEIVE_BUDGET = 16
# More than anybody reads; a driver in a loop would fill the disk.
MAX_REPORTED_RESETS = 1000


def bar2_size(profile: Profile) -> int:
    """Bytes of LLQ memory, a power of two; 0 for a card without."""
    if not profile.llq:
        return 0
    return llq.bar2_size(profile.queues, profile.tx_depth, profile.llq_wide, profile.llq_wide_depth)


class Device:
    """One ENA card.

    `clock` gives seconds; `interrupt_lag` is what it takes, at the least, from `raise_vector` to
    the guest, in seconds; `report` takes lines for people (a reset, a broken rule in strict
    mode). `bar2` is the LLQ memory, `bar2_size(profile)` bytes for the driver to write to.
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
    ) -> None:
        self.profile, self.memory, self.port = profile, memory, port
        self.bar2 = memoryview(bytearray(bar2_size(profile)))
        self._mac, self._clock, self._report, self._trace = mac, clock, report, trace
        self._raise_vector, self._interrupt_lag = raise_vector, interrupt_lag
        self.rules = Rules(self._say if strict else self._note)
        self.faults = Faults(profile.faults, profile.fault_seed)
        self._random = random.Random(profile.fault_seed)
        self._resets = 0
        self.counters = Counters()
        self.link_up = True
        self.vectors = Vectors(profile.queues + 1, self._interrupt)
        self.events = EventQueue(memory, self.rules, trace)
        self.queues = Queues()
        rss = Rss()
        self.rx_path = RxPath(
            port,
            rss,
            self.counters,
            queues=self.queues.rx,
            max_descriptors=profile.max_rx_descriptors,
            needs_table=profile.rss_needs_programming,
            checked=bool(profile.rx_offloads & RxOffload.L4_V4_CSUM),
            hashed=bool(profile.rx_offloads & RxOffload.HASH),
            faults=self.faults,
            trace=trace,
        )
        self._rss = RssFeatures(
            rss,
            memory,
            self.rules,
            self.rx_path.classifier.forget,
            queue_exists=self.queues.rx.__contains__,
        )
        self.features = Features(
            profile, mac, memory=memory, rules=self.rules, events=self.events, rss=self._rss
        )
        commands = Commands(
            profile,
            self.features,
            self.queues,
            memory=memory,
            rules=self.rules,
            vectors=self.vectors,
            counters=self.counters,
            faults=self.faults,
            events=self.events,
            changed=self._queues_changed,
            bar2=self.bar2,
        )
        self._commands = commands
        self.admin = AdminQueue(
            memory, self.rules, traced(commands.execute, trace) if trace else commands.execute
        )
        self.registers = Registers(
            memory,
            self.rules,
            self.faults,
            admin=self.admin,
            events=self.events,
            vectors=self.vectors,
            begin_reset=self._begin_reset,
            update_rss_entry=self._rss.update_entry,
        )
        self._send = self._send_traced if trace else port.send
        self._ringing: dict[int, TxQueue] = {}
        self._generation = memory.generation
        self.blocked = self.starved = self._receiving = False
        self._bus_master = False
        self._next_keep_alive = NEVER
        self.power_on()

    # From the guest.

    def power_on(self) -> None:
        """The state after power-up or a function-level reset."""
        self.registers.status = int(Status.READY)
        self._clear()

    def set_bus_master(self, on: bool) -> None:
        """PCI configuration space allows DMA, or no longer."""
        self._bus_master = on

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
            if not self._bus_master:
                self.rules.report_violation("bus-master-off", f"register {offset:#x}")
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
        return self._receiving and not self.starved

    def run(self) -> None:
        """Do what the guest's doorbells asked for."""
        self._refresh()
        if self._ringing:
            self._transmit()
        if self.admin.run() and not self.faults.triggers("admin-interrupt-lost"):
            self.vectors.post_management()

    def receive(self) -> None:
        """Take frames from the port, as many as one turn may."""
        self._refresh()
        if not self.link_up:
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
        if now >= self._next_keep_alive:
            self._next_keep_alive = now + KEEP_ALIVE_PERIOD
            self._every_second()
        due = self._commands.take_link_report() and self._post_link()
        if self.events.flush(now) or due:
            self.vectors.post_management()
        return min(self._next_keep_alive, self.vectors.flush(now))

    # What people and tests do to a card.

    def set_link(self, up: bool) -> None:
        """Plug the cable in or pull it out."""
        self.link_up = up
        if self._post_link():
            self.vectors.post_management()

    def notify(self, event: Event, syndrome: int = 0, data: bytes = b"") -> None:
        """Post an event, if the driver enabled its group."""
        if self.events.post(event, syndrome, data, self._clock()):
            self.vectors.post_management()

    # Inside.

    def _transmit(self) -> None:
        now = self._clock()
        send = self._send if self.link_up else _drop
        still: dict[int, TxQueue] = {}
        for index, queue in self._ringing.items():
            if self.queues.tx.get(index) is queue and not queue.run(send, now):
                still[index] = queue
        self._ringing = still
        self.blocked = bool(still)

    def _refresh(self) -> None:
        """Guest memory was unmapped: look every ring up again, stop the queues that lost theirs."""
        if self._generation == self.memory.generation:
            return
        self._generation = self.memory.generation
        for cq in self.queues.completion.values():
            try:
                cq.attach(self.memory)
            except DmaError as error:
                cq.stop()
                self.rules.report_violation("dma-address", f"completion queue {cq.index}: {error}")
        queues: list[TxQueue | RxQueue] = [*self.queues.tx.values(), *self.queues.rx.values()]
        for queue in queues:
            try:
                queue.attach(self.memory)
            except DmaError as error:
                queue.stop()
                self.rules.report_violation("dma-address", f"queue {queue.index}: {error}")

    def _begin_reset(self, reason: int) -> None:
        extended = self.profile.capabilities & Capability.EXTENDED_RESET_REASONS
        if reason > 15 and not extended:
            self.rules.report_violation("reset-reason-extended", f"reason {reason}")
        if reason == 0 and (self.queues.tx or self.queues.rx):
            self.rules.report_violation("reset-with-queues")
        if reason:
            known = reason < len(RESET_REASONS)
            name = RESET_REASONS[reason] if known else f"unknown ({reason})"
            self._resets += 1
            say = self._say if self._resets <= MAX_REPORTED_RESETS else self._note
            say(f"the driver resets the card: {name}")
            if self._resets == MAX_REPORTED_RESETS:
                self._say("further resets are not told")
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
        self._next_keep_alive = self._clock() + KEEP_ALIVE_PERIOD

    def _queues_changed(self) -> None:
        self.rx_path.changed()
        self.starved = False
        if not self.queues.rx:
            self._receiving = False
        self.port.accept(
            checksums=bool(self.profile.rx_offloads & RxOffload.L4_V4_CSUM),
            segments=self.features.host.takes_whole_segments,
        )

    def _every_second(self) -> None:
        if not self.faults.triggers("keep-alive-stops"):
            self.notify(Event.KEEP_ALIVE, 0, self.counters.keep_alive())
        if self.faults.triggers("fatal-error"):
            self.notify(Event.FATAL_ERROR)
        if self.faults.triggers("hints-update"):
            hints = self.features.hints(self._random.randrange(3000, 20_000))
            self.notify(Event.NOTIFICATION, NOTIFY_HINTS, hints)
        if self.faults.triggers("reset-request"):
            self.notify(Event.RESET_REQUEST)
        if self.faults.triggers("link-flap"):
            self.set_link(not self.link_up)

    def _post_link(self) -> bool:
        data = int(self.link_up).to_bytes(4, "little")
        return self.events.post(Event.LINK_CHANGE, 0, data, self._clock())

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

    def _say(self, line: str) -> None:
        """For people and the trace."""
        self._note(line)
        self._report(line)

    def _note(self, line: str) -> None:
        """For the trace alone."""
        if self._trace is not None:
            self._trace.event("report", line=line)

    def _send_traced(self, header: bytes, parts: list[Buffer]) -> bool:
        sent = self.port.send(header, parts)
        if sent and self._trace is not None:
            self._trace.frame("out", parts)
        return sent


def _drop(header: bytes, parts: list[Buffer]) -> bool:
    """Where frames go while the link is down."""
    return True
