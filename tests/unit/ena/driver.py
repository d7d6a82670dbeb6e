"""A guest for the model: memory in a bytearray, a driver that does as it is told.

The driver is no good driver: each step can be done wrong, which is what the tests are for.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field, replace
from typing import Any

from nitro.ena.constants import (
    DIRECTION_RX,
    DIRECTION_TX,
    PLACEMENT_DEVICE,
    PLACEMENT_HOST,
    UNMASK,
    Feature,
    Opcode,
    Reg,
)
from nitro.ena.device import Device
from nitro.ena.memory import Memory
from nitro.ena.native.loop import Loop
from nitro.ena.profiles import PROFILES, Profile
from nitro.ena.shape import Shape
from nitro.ena.trace import Trace
from nitro.ena.vectors import UNMASK_BIT
from tests.unit.ena.cables import FakePort, SocketPort

RAM = 4 << 20
BASE = 0x10000
MAC = bytes.fromhex("02000000000a")
PEER = bytes.fromhex("02000000000b")


class Defaults:
    """What a driver's card is made with: set by the fixture in `conftest.py`."""

    loop: Loop | None = None


@dataclass
class Completion:
    """An admin completion."""

    id: int
    status: int
    payload: bytes


@dataclass
class Ring:
    """A queue pair as the driver sees it."""

    sq: int = 0
    cq: int = 0
    depth: int = 0
    words: int = 2
    doorbell: int = 0
    unmask: int = 0
    address: int = 0
    cq_address: int = 0
    llq: int | None = None
    tail: int = 0
    head: int = 0
    buffers: dict[int, int] = field(default_factory=dict)


class Driver:
    """The card and the memory of its guest. `run` lets the card work."""

    def __init__(
        self,
        profile: str | Profile = "c5",
        *,
        interrupt_lag: float = 0.0,
        strict: bool = True,
        trace: Trace | None = None,
        shape: Shape | None = None,
        base: int = BASE,
        port: FakePort | None = None,
        bar2: memoryview | None = None,
        **changes: Any,
    ) -> None:
        card = PROFILES[profile] if isinstance(profile, str) else profile
        self.profile = replace(card, **changes)
        self.ram: bytearray | mmap.mmap = mmap.mmap(-1, RAM)  # of which a test touches little
        self.memory = Memory()
        self.base = base
        self.memory.map(base, memoryview(self.ram))
        self.port = port or (SocketPort() if Defaults.loop and not shape else FakePort())
        self.raised: list[int] = []
        self.reports: list[str] = []
        self.now = 100.0
        self.device = Device(
            self.profile,
            MAC,
            self.memory,
            self.port,
            self.raised.append,
            lambda: self.now,
            interrupt_lag=interrupt_lag,
            strict=strict,
            report=self.reports.append,
            trace=trace,
            shape=shape,
            loop=Defaults.loop,
            bar2=bar2,
        )
        self.bar2 = self.device.bar2
        self.device.set_bus_master(True)
        self._next = base + 0x1000
        self.admin_depth = 8
        self.aq = self.alloc(64 * 8)
        self.acq = self.alloc(64 * 8)
        self.aenq = self.alloc(64 * 4)
        self.aq_tail = self.acq_head = self.aenq_head = 0
        self.control = self.alloc(4096)

    # Memory.

    def alloc(self, size: int) -> int:
        address = self._next
        self._next += -(-size // 4096) * 4096
        return address

    def poke(self, address: int, data: bytes) -> None:
        self.ram[address - self.base : address - self.base + len(data)] = data

    def peek(self, address: int, size: int) -> bytes:
        return bytes(self.ram[address - self.base : address - self.base + size])

    # Registers and the admin queue.

    @property
    def broken(self) -> set[str]:
        return set(self.device.rules.broken)

    def write(self, offset: int, value: int) -> None:
        self.device.write(offset, value)

    def run(self) -> None:
        """One turn of the event loop."""
        self.device.run()
        if self.device.wants_frames:
            self.device.receive()
        self.device.tick()

    def start(self, *, aenq: bool = True, groups: int = 0x1F, host_info: bool = True) -> None:
        """Everything up to a card that has told its features."""
        self.set_rings(aenq=aenq)
        self.write(Reg.INTR_MASK, 0)
        if host_info:
            assert self.set_host_info().status == 0
        if aenq:
            assert self.set_feature(Feature.AENQ, struct.pack("<II", 0, groups)).status == 0
            self.write(Reg.AENQ_HEAD_DB, 4)
            self.run()

    def set_rings(self, *, aenq: bool = True) -> None:
        for base, caps, address, depth in (
            (Reg.AQ_BASE_LO, Reg.AQ_CAPS, self.aq, self.admin_depth),
            (Reg.ACQ_BASE_LO, Reg.ACQ_CAPS, self.acq, self.admin_depth),
            (Reg.AENQ_BASE_LO, Reg.AENQ_CAPS, self.aenq, 4 if aenq else 0),
        ):
            self.write(base, address & 0xFFFFFFFF)
            self.write(base + 4, address >> 32)
            self.write(caps, depth | 64 << 16)

    def reset(self, reason: int = 13) -> None:
        self.write(Reg.DEV_CTL, 1 | (reason & 0xF) << 28 | (reason >> 4) << 24)
        assert self.device.read(Reg.DEV_STS) & 1 << 3
        self.write(Reg.DEV_CTL, 0)
        assert not self.device.read(Reg.DEV_STS) & 1 << 3
        self.aq_tail = self.acq_head = self.aenq_head = 0
        for address, size in ((self.aq, 512), (self.acq, 512), (self.aenq, 256)):
            self.poke(address, bytes(size))

    def command(
        self, opcode: int, body: bytes = b"", *, flags: int = 0, phase: int | None = None
    ) -> Completion:
        """Send a command (its bytes from @4 on) and return the completion, which must be there."""
        self.post(opcode, body, flags=flags, phase=phase)
        self.run()
        completion = self.completion()
        assert completion is not None, "no completion"
        return completion

    def post(
        self, opcode: int, body: bytes = b"", *, flags: int = 0, phase: int | None = None
    ) -> None:
        slot = self.aq_tail % self.admin_depth
        right = 1 ^ (self.aq_tail // self.admin_depth & 1)
        entry = struct.pack("<HBB", slot, opcode, flags | (right if phase is None else phase))
        self.poke(self.aq + slot * 64, (entry + body).ljust(64, b"\0"))
        self.aq_tail += 1
        self.write(Reg.AQ_DB, self.aq_tail & 0xFFFF)

    def completion(self) -> Completion | None:
        slot = self.acq_head % self.admin_depth
        entry = self.peek(self.acq + slot * 64, 64)
        if entry[3] & 1 != 1 ^ (self.acq_head // self.admin_depth & 1):
            return None
        self.acq_head += 1
        return Completion(int.from_bytes(entry[:2], "little"), entry[2], entry[8:])

    def get_feature(self, feature: int, *, buffer: int = 0) -> Completion:
        body = struct.pack("<IQBBBx", buffer, self.control if buffer else 0, 0, feature, 0)
        return self.command(Opcode.GET_FEATURE, body)

    def set_feature(self, feature: int, payload: bytes, *, buffer: int = 0) -> Completion:
        body = struct.pack("<IQBBBx", buffer, self.control if buffer else 0, 0, feature, 0)
        return self.command(Opcode.SET_FEATURE, body + payload)

    def set_host_info(self, *, version: int = 2, os_type: int = 1, kernel=b"#1") -> Completion:
        page = bytearray(4096)
        struct.pack_into("<I", page, 0, os_type)
        struct.pack_into("32s", page, 136, kernel)
        struct.pack_into("<I", page, 172, version)
        address = self.alloc(4096)
        self.poke(address, bytes(page))
        return self.set_feature(Feature.HOST_ATTRIBUTES, struct.pack("<QQI", address, 0, 0))

    def event(self) -> tuple[int, int, bytes] | None:
        """The next event: group, syndrome, data; credit is given back."""
        entry = self.peek(self.aenq + self.aenq_head % 4 * 64, 64)
        if entry[4] & 1 != 1 ^ (self.aenq_head // 4 & 1):
            return None
        self.aenq_head += 1
        self.write(Reg.AENQ_HEAD_DB, self.aenq_head + 4 & 0xFFFF)
        group, syndrome = struct.unpack_from("<HH", entry)
        return group, syndrome, entry[16:]

    # Queues.

    def create_cq(
        self, words: int, depth: int, address: int, *, vector: int = 1, interrupts: bool = True
    ) -> Completion:
        body = struct.pack("<BBHIQ", 1 << 5 if interrupts else 0, words, depth, vector, address)
        return self.command(Opcode.CREATE_CQ, body)

    def create_sq(
        self, direction: int, cq: int, depth: int, address: int, placement: int = PLACEMENT_HOST
    ) -> Completion:
        body = struct.pack("<BxBBHHQ", direction << 5, placement, 1, cq, depth, address)
        return self.command(Opcode.CREATE_SQ, body)

    def queue(self, direction: int, depth: int = 16, *, vector: int = 1, llq: bool = False) -> Ring:
        """Create a queue pair's half, TX or RX."""
        words = 2 if direction == DIRECTION_TX else 4
        ring = Ring(depth=depth, words=words)
        ring.cq_address = self.alloc(depth * words * 4)
        ring.address = 0 if llq else self.alloc(depth * 16)
        answer = self.create_cq(words, depth, ring.cq_address, vector=vector)
        assert answer.status == 0
        ring.cq, _, _, _, ring.unmask = struct.unpack_from("<HHIII", answer.payload)
        placement = PLACEMENT_DEVICE if llq else PLACEMENT_HOST
        answer = self.create_sq(direction, ring.cq, depth, ring.address, placement)
        assert answer.status == 0
        ring.sq, ring.doorbell, offset, _ = struct.unpack_from("<HxxIII", answer.payload)
        ring.llq = offset if llq else None
        return ring

    def tx_queue(self, depth: int = 16, **options: Any) -> Ring:
        return self.queue(DIRECTION_TX, depth, **options)

    def rx_queue(self, depth: int = 16, *, fill: int | None = None, **options: Any) -> Ring:
        ring = self.queue(DIRECTION_RX, depth, **options)
        self.fill(ring, depth - 1 if fill is None else fill)
        return ring

    def unmask(self, vector: int = 1, *, rx_delay: int = 0, tx_delay: int = 0) -> None:
        self.write(UNMASK + 4 * vector, UNMASK_BIT | tx_delay << 15 | rx_delay)
        self.device.tick()

    def descriptor(self, ring: Ring, words: tuple[int, int, int, int], **bits: int) -> None:
        """Put one TX descriptor at the tail (no doorbell). `phase` overrides the right one."""
        phase = bits.get("phase", 1 ^ (ring.tail // ring.depth & 1))
        entry = struct.pack("<4I", words[0] | phase << 24, *words[1:])
        self.poke(ring.address + ring.tail % ring.depth * 16, entry)
        ring.tail += 1

    def ring(self, ring: Ring) -> None:
        self.write(ring.doorbell, ring.tail & 0xFFFF)

    def send(self, ring: Ring, frame: bytes, *, req_id: int = 0, pieces: int = 1) -> None:
        """Send a plain frame in `pieces` descriptors and let the card work."""
        size = -(-len(frame) // pieces)
        for n in range(pieces):
            piece = frame[n * size : (n + 1) * size]
            address = self.alloc(len(piece))
            self.poke(address, piece)
            self.descriptor(
                ring,
                data_descriptor(address, len(piece), req_id, first=n == 0, last=n == pieces - 1),
            )
        self.ring(ring)
        self.run()

    def tx_completions(self, ring: Ring) -> list[int]:
        """Request ids completed since the last call."""
        found: list[int] = []
        while True:
            slot = ring.head % ring.depth
            req_id, _, flags = struct.unpack_from("<HBB", self.peek(ring.cq_address + slot * 8, 8))
            if flags & 1 != 1 ^ (ring.head // ring.depth & 1):
                return found
            found.append(req_id)
            ring.head += 1

    def fill(self, ring: Ring, count: int, *, size: int = 2048, control: int = 0x1C) -> None:
        """Post `count` RX buffers."""
        for _ in range(count):
            slot = ring.tail % ring.depth
            address = self.alloc(size)
            ring.buffers[slot] = address
            phase = 1 ^ (ring.tail // ring.depth & 1)
            entry = struct.pack("<HBBHHQ", size, 0, control | phase, slot, 0, address)
            self.poke(ring.address + slot * 16, entry)
            ring.tail += 1
        self.ring(ring)

    def received(self, ring: Ring) -> list[tuple[int, bytes, int]]:
        """Frames received: status of the last completion, data, hash."""
        frames: list[tuple[int, bytes, int]] = []
        data = b""
        while True:
            slot = ring.head % ring.depth
            entry = self.peek(ring.cq_address + slot * 16, 16)
            status, length, req_id, value = struct.unpack_from("<IHHI", entry)
            if status >> 24 & 1 != 1 ^ (ring.head // ring.depth & 1):
                return frames
            ring.head += 1
            assert bool(status & 1 << 26) == (not data), "FIRST out of place"
            data += self.peek(ring.buffers[req_id], length)
            if status & 1 << 27:
                frames.append((status, data, value))
                data = b""


def data_descriptor(
    address: int,
    length: int,
    req_id: int = 0,
    *,
    first: bool = True,
    last: bool = True,
    w1: int = 0,
    header: int = 0,
) -> tuple[int, int, int, int]:
    """A TX data descriptor without its phase."""
    w0 = length | (req_id >> 10) << 16 | first << 26 | last << 27 | 1 << 28
    return w0, w1 | (req_id & 0x3FF) << 22, address & 0xFFFFFFFF, address >> 32 | header << 24


def meta_descriptor(l3_length: int, l4_words: int = 0, mss: int = 0) -> tuple[int, int, int, int]:
    """A meta descriptor for an Ethernet frame without VLAN tag."""
    w0 = 1 << 14 | (mss >> 10) << 16 | 1 << 20 | 1 << 21 | 1 << 23 | 1 << 26
    return w0, 0, l3_length | 14 << 8 | l4_words << 16 | (mss & 0x3FF) << 22, 0


def ipv4_frame(
    payload: bytes = b"x" * 64,
    *,
    source: bytes = bytes((10, 0, 0, 1)),
    destination: bytes = bytes((10, 0, 0, 2)),
    ports: tuple[int, int] = (1000, 2000),
    protocol: int = 6,
) -> bytes:
    """A TCP or UDP frame over IPv4 whose checksums are zero."""
    if protocol == 6:
        l4 = struct.pack(">HHIIBBHHH", *ports, 1, 2, 5 << 4, 0x18, 1000, 0, 0)
    else:
        l4 = struct.pack(">HHHH", *ports, 8 + len(payload), 0)
    total = 20 + len(l4) + len(payload)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, total, 7, 0, 64, protocol, 0) + source + destination
    return MAC + PEER + b"\x08\x00" + ip + l4 + payload
