"""What cards make of TX descriptors and LLQ entries, as transcripts."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from nitro.ena.constants import Feature
from nitro.ena.profiles import PROFILES, with_all_offloads
from tests.transcripts import compare
from tests.unit.ena.driver import (
    BASE,
    RAM,
    Driver,
    data_descriptor,
    ipv4_frame,
    meta_descriptor,
)
from tests.unit.ena.flags import IPV4, L3, L4, PARTIAL, TCP, TSO, Words
from tests.unit.ena.frames import good4
from tests.unit.ena.recorder import Recorder, shown

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
END = BASE + RAM
DATA = BASE + 0x200000


class Sender:
    """A card with a queue, and packets for it."""

    def __init__(self, profile: str = "c5", *, depth: int = 32, llq: int = 0, **more: int) -> None:
        card = with_all_offloads(PROFILES[profile]) if profile != "gen8" else PROFILES[profile]
        self.driver = Driver(card)
        self.record = Recorder(self.driver)
        self.driver.start()
        self.entry, self.before = 128, llq
        if llq:
            self._negotiate(**more)
        self.ring = self.driver.tx_queue(depth, llq=bool(llq))
        self.driver.unmask()
        self.driver.device.counters.clear()
        self.record.note("a queue")
        self.place = DATA

    def _negotiate(self, size: int = 1, stride: int = 2, flags: int = 0) -> None:
        self.entry, self.stride = {1: 128, 4: 256}[size], stride
        payload = bytearray(36)
        for at, value in ((10, 1), (14, size), (18, self.before), (22, stride), (28, flags)):
            struct.pack_into("<H", payload, at, value)
        assert self.driver.set_feature(Feature.LLQ, bytes(payload)).status == 0

    def data(self, content: bytes) -> int:
        """Where the bytes lie now."""
        if self.place + len(content) > END:
            self.place = DATA
        at = self.place
        self.driver.poke(at, content)
        self.place += -(-len(content) // 64) * 64
        return at

    def put(self, *descriptors: Words, header: bytes = b"", fill: int = 0, **bits: int) -> None:
        """Descriptors at the tail, in a ring or behind one another in LLQ entries."""
        driver, ring = self.driver, self.ring
        if ring.llq is None:
            for words in descriptors:
                driver.descriptor(ring, words, **bits)
            return
        rest, room = list(descriptors), self.before
        while rest:
            taken, rest = rest[:room], rest[room:]
            phase = bits.get("phase", 1 ^ (ring.tail // ring.depth & 1))
            entry = b"".join(struct.pack("<4I", w[0] | phase << 24, *w[1:]) for w in taken)
            if room == self.before:
                entry = entry.ljust(16 * self.before, b"\0") + header
            at = ring.llq + ring.tail % ring.depth * self.entry
            whole = entry.ljust(self.entry, bytes([fill]))[: self.entry]
            driver.bar2[at : at + self.entry] = whole
            ring.tail += 1
            room = 1 if self.stride == 1 else self.entry // 16

    def go(self, what: str) -> None:
        self.driver.ring(self.ring)
        self.driver.run()
        self.record.note(what)
        self.driver.unmask()

    def packet(self, what: str, *sizes: int, w1: int = 0, req_id: int = 0) -> None:
        """A packet in pieces of these sizes."""
        last = len(sizes) - 1
        content = bytes(n % 251 for n in range(sum(sizes)))
        at = self.data(content)
        for number, size in enumerate(sizes):
            here = data_descriptor(at, size, req_id, first=not number, last=number == last, w1=w1)
            self.put(here)
            at += size
        self.go(what)


def test_descriptors() -> None:
    lines: list[str] = []

    def sender(depth: int = 32) -> Sender:
        made = Sender(depth=depth)
        lines.append("---")
        made.record.lines = lines
        return made

    s = sender()
    for size in (0, 1, 13, 14, 15, 64, 9233, 9234, 9235, 65535):
        s.packet(f"{size} bytes", size)
    for sizes in ((0, 14), (14, 0), (7, 7), (7, 6), (4617, 4617), (4617, 4618), (65535, 18)):
        s.packet(f"{sizes} bytes", *sizes)
    for count in (1, 2, 17, 18, 19, 20):
        s.packet(f"{count} descriptors", *[20] * count)
    for count in (17, 18, 19):
        s.put(meta_descriptor(20))
        at = s.data(bytes(400))
        for n in range(count):
            s.put(data_descriptor(at, 20, first=False, last=n == count - 1))
        s.go(f"{count} behind a meta descriptor")
    for req_id in (0, 1, 0x3FF, 0x400, 0x401, 0x7FFF, 0x8000, 0xFFFF):
        s.packet(f"request {req_id:#x}", 64, req_id=req_id)
    for bit in (14, 15, 22, 25, 28, 29, 30, 31):
        w0, *rest = data_descriptor(s.data(bytes(64)), 64, 3)
        s.put((w0 ^ 1 << bit, *rest))  # type: ignore[arg-type]
        s.go(f"bit {bit} of the first word")
    for address, length in ((END - 64, 64), (END - 63, 64), (BASE - 1, 64), (1 << 47, 1)):
        s.put(data_descriptor(address, length, 9))
        s.go(f"{length} bytes at {address:#x}")
        s.put(data_descriptor(s.data(bytes(20)), 20, 9, last=False))
        s.put(data_descriptor(address, length, 10, first=False))
        s.go(f"{length} bytes at {address:#x} behind others")
    s.packet("and a good one", 64)
    kinds = {
        "no first": [(False, True, False)],
        "no last": [(True, False, False)],
        "two firsts": [(True, False, False), (True, True, False)],
        "a last meta": [(True, True, True)],
        "a meta in the middle": [(True, False, False), (False, False, True), (False, True, False)],
        "two metas": [(True, False, True), (False, False, True), (False, True, False)],
        "only a meta": [(True, False, True)],
    }
    for what, kind in kinds.items():
        s = sender()
        at = s.data(bytes(64))
        for first, last, meta in kind:
            w0, *rest = data_descriptor(at, 32, 5, first=first, last=last)
            s.put((w0 | meta << 23, *rest))  # type: ignore[arg-type]
        s.go(what)
        s.packet("and a good one", 64)
    for back in (0, 1):
        s = sender(depth=4)
        for n in range(9):
            s.packet(f"round {n}", 64, req_id=n)
        at = s.data(bytes(64))
        s.put(data_descriptor(at, 64, 77), phase=back)
        s.go(f"phase {back}")
        s.packet("and a good one", 64)
    for more in (3, 4, 5, 0x8000, 0xFFFF):
        s = sender(depth=4)
        s.packet("one", 64)
        s.driver.write(s.ring.doorbell, s.ring.tail + more)
        s.driver.run()
        s.record.note(f"the tail is {more} further")
    for fault in ("out-of-order", "tx-id-duplicate", "tx-id-invalid"):
        s = sender()
        s.driver.device.faults.set("interrupt-lost", on=True)
        s.driver.device.queues.clear()
        s.ring = s.driver.tx_queue(16)
        s.driver.unmask()
        for n in range(3):
            s.driver.device.faults.once(fault)
            s.packet(f"{fault} {n}", 64, req_id=n)
        s.packet("without", 64, req_id=7)
    compare(HERE / "tx-descriptors.txt", "\n".join(lines) + "\n")


def test_a_port_that_is_full() -> None:
    s = Sender(depth=8)
    d = s.driver
    d.port.full = True
    for n in range(3):
        s.packet(f"full, {n}", 64, req_id=n)
    s.packet("full, too short", 3, req_id=3)
    d.run()
    s.record.note("still full")
    d.port.full = False
    d.device.run()
    s.record.note("room")
    for link in (False, True):
        d.device.notices.set_link(link)
        s.packet(f"link {link}", 64, req_id=4)
    d.port.full = True
    s.packet("full", 64, req_id=5)
    d.device.notices.set_link(False)
    d.run()
    s.record.note("the link is down")
    d.device.notices.set_link(True)
    s.packet("full again", 64, req_id=6)
    d.device.set_bus_master(False)
    d.port.full = False
    d.run()
    s.record.note("no bus master")
    d.device.set_bus_master(True)
    d.run()
    s.record.note("bus master")
    d.port.full = True
    s.packet("full once more", 64, req_id=7)
    d.memory.unmap(END - 4096, 4096)
    d.port.full = False
    d.run()
    s.record.note("memory went that was not used")
    d.port.full = True
    s.packet("full the last time", 64, req_id=8)
    d.memory.unmap(s.ring.address, 4096)
    d.port.full = False
    d.run()
    s.record.note("its ring went")
    compare(HERE / "tx-full.txt", s.record.text)


def llqs() -> Iterator[tuple[str, dict[str, int]]]:
    for before in (1, 2, 4):
        for stride in (1, 2):
            yield "c5", {"llq": before, "stride": stride}
    for before, stride in ((1, 2), (2, 1), (8, 2)):
        yield "c6in", {"llq": before, "stride": stride, "size": 4}
    yield "gen8", {"llq": 2, "stride": 2, "size": 4, "flags": 3}
    yield "gen8", {"llq": 2, "stride": 2, "flags": 3}
    yield "gen8", {"llq": 4, "stride": 1, "flags": 0}


def test_llq_entries() -> None:
    lines: list[str] = []
    for profile, more in llqs():
        s = Sender(profile, depth=32, **more)
        lines.append(f"--- {profile} {more}")
        s.record.lines = lines
        before = more["llq"]
        room = s.entry - 16 * before
        frame = bytes(range(1, 251))
        for header in (0, 1, 13, 14, 15, room - 1, room, room + 1, 255):
            for size in (0, 60):
                if before == 1 and profile == "gen8":
                    continue
                at = s.data(bytes(range(size)))
                meta = [meta_descriptor(20)] if profile == "gen8" and before > 1 else []
                here = data_descriptor(at, size, header, first=not meta, header=header & 0xFF)
                s.put(*meta, here, header=frame[: max(0, room)], fill=7)
                s.go(f"a header of {header}, {size} more")
        for count in (before, before + 1, before + 2, before + 8, before + 9, 18, 19, 20):
            at = s.data(bytes(range(200)))
            words = [
                data_descriptor(
                    at + n, 10, 9, first=not n, last=n == count - 1, header=20 * (not n)
                )
                for n in range(count)
            ]
            s.put(*words, header=frame[:20])
            s.go(f"{count} descriptors")
        for w1 in (IPV4 | TCP | L4 | PARTIAL, IPV4 | TCP | L4):
            headers = bytes(good4(payload=b"x" * 70))
            at = s.data(headers)
            pushed = min(54, room)
            w = data_descriptor(at + pushed, len(headers) - pushed, 8, w1=w1, header=pushed)
            if before > 1:
                w = (w[0] & ~(1 << 26), *w[1:])
                s.put(meta_descriptor(20), w, header=headers[:pushed])
                s.go(f"an offload {w1:#x} with meta")
            s.put(data_descriptor(at, len(headers), 7, w1=w1))
            s.go(f"an offload {w1:#x} without meta")
    compare(HERE / "llq-entries.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize(("size", "limit"), [(1, 32), (4, 16)])
def test_bursts_of_llq_entries(size: int, limit: int) -> None:
    lines = []
    for count in (1, limit - 1, limit, limit + 1, 2 * limit):
        s = Sender("gen8", depth=128, llq=2, size=size, flags=3)
        for n in range(count):
            here = data_descriptor(s.data(bytes(64)), 64, n, first=False)
            s.put(meta_descriptor(20), here)
        s.go(f"{count} entries")
        lines.append(s.record.lines[-1][:300])
        for n in range(2):
            here = data_descriptor(s.data(bytes(64)), 64, n, first=False)
            s.put(meta_descriptor(20), here)
            s.go("one more")
            lines.append(s.record.lines[-1])
    compare(HERE / f"llq-burst-{size}.txt", "\n".join(lines) + "\n")


def test_big_segments() -> None:
    lines = []
    for size in (1000, 9234, 65535 + 17, 65535 + 18, 65535 + 19):
        s = Sender()
        frame = ipv4_frame(b"x" * min(size - 54, 65495)).ljust(size, b"x")
        at = DATA
        s.driver.poke(at, frame)
        s.put(meta_descriptor(20, 5, 1000))
        w1 = IPV4 | TCP | TSO | L3
        s.put(data_descriptor(at, 60, 4, first=False, last=False, w1=w1))
        s.put(data_descriptor(at + 60, min(size - 60, 65535), 4, first=False, last=size <= 65595))
        s.go(f"{size} bytes")
        lines.append(s.record.lines[-1])
        lines.append(shown(s.driver.peek(DATA, 64)))
    compare(HERE / "tx-big.txt", "\n".join(lines) + "\n")
