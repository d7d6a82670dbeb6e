"""What cards do with RX descriptors and with frames of every kind and length, as transcripts."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from nitro.ena.constants import DIRECTION_RX, Feature, Opcode
from nitro.ena.offload import DATA_VALID, NEEDS_CSUM, PLAIN, Offload, pseudo_sum
from nitro.ena.profiles import PROFILES, Profile, with_all_offloads
from tests.transcripts import compare
from tests.unit.ena.driver import BASE, MAC, PEER, RAM, Driver, Ring, ipv4_frame
from tests.unit.ena.frames import good4, good6
from tests.unit.ena.recorder import Recorder

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
END = BASE + RAM
BUFFERS = BASE + 0x200000
FRAME = ipv4_frame()
ALL = with_all_offloads(PROFILES["c5"])


class Receiver:
    """A card with receive queues."""

    def __init__(
        self,
        profile: str | Profile = "c5",
        lines: list[str] | None = None,
        *,
        depth: int = 8,
        queues: int = 1,
        table: Iterable[int] = (),
        **changes: Any,
    ) -> None:
        self.driver = driver = Driver(profile, **changes)
        self.record = Recorder(driver, range(BUFFERS, BUFFERS + 0x20000))
        driver.start()
        self.rings = [driver.queue(DIRECTION_RX, depth, vector=1 + n) for n in range(queues)]
        self.ring = self.rings[0]
        entries = b"".join(struct.pack("<HH", entry, 0) for entry in table)
        if entries:
            size = (len(entries) // 4).bit_length() - 1
            driver.poke(driver.control, entries)
            payload = struct.pack("<HHHBxIHH", 0, 0, size, 0, 0xFFFFFFFF, 0, 0)
            assert driver.set_feature(Feature.RSS_TABLE, payload, buffer=len(entries)).status == 0
        for vector in range(1, queues + 1):
            driver.unmask(vector)
        self._place = BUFFERS
        if lines is not None:
            self.record.lines = lines
            self.record.note("---")

    def post(
        self, *sizes: int, control: int = 0x1C, ring: Ring | None = None, **given: int
    ) -> None:
        """Buffers of these sizes, without a doorbell."""
        ring, driver = ring or self.ring, self.driver
        for size in sizes:
            slot = ring.tail % ring.depth
            phase = 1 ^ (ring.tail // ring.depth & 1)
            address = given.get("address", self._place)
            entry = struct.pack(
                *("<HBBHHQ", size, given.get("second", 0), control ^ phase),
                *(given.get("req_id", slot), given.get("fourth", 0), address),
            )
            driver.poke(ring.address + slot * 16, entry)
            ring.tail += 1
            self._place += -(-(size or 0x10000) // 64) * 64
            if self._place > BUFFERS + 0x10000:
                self._place = BUFFERS

    def bell(self, what: str, ring: Ring | None = None) -> None:
        self.driver.ring(ring or self.ring)
        self.driver.run()
        self.record.note(what)

    def take(self, what: str, *frames: bytes, header: bytes = PLAIN) -> None:
        for frame in frames:
            self.driver.port.deliver(frame, header)
        self.driver.run()
        self.record.note(what)
        for vector in range(1, len(self.rings) + 1):
            self.driver.unmask(vector)


def sized(length: int) -> bytes:
    return (MAC + PEER + b"\x12\x34" + bytes(n % 251 for n in range(length)))[:length]


def test_descriptors() -> None:
    lines: list[str] = []
    for bit in range(8):
        r = Receiver("c5", lines)
        r.post(2048, control=0x1C ^ 1 << bit)
        r.post(2048)
        r.bell(f"bit {bit} of the control byte")
        r.take("a frame", FRAME)
    for size in (0, 1, 63, 65535):
        r = Receiver("c5", lines)
        r.post(size, second=0xFF, fourth=0xFFFF, req_id=0xFFFF)
        r.post(size, req_id=0x8000)
        r.bell(f"buffers of {size}")
        r.take("a frame", FRAME)
    for address, size in (
        *((END - 64, 64), (END - 63, 64), (END - 65536, 0), (END - 65535, 0), (BASE - 1, 64)),
        *((1 << 48, 64), (BUFFERS | 1 << 48, 64), (0, 64)),
    ):
        r = Receiver("c5", lines)
        r.post(size, address=address)
        r.post(2048)
        r.bell(f"a buffer of {size} at {address:#x}")
        r.take("a frame", FRAME)
    for count in (0, 1, 7, 8, 9, 16, 0x8000):
        r = Receiver("c5", lines)
        r.post(*[2048] * min(count, 9))
        r.driver.write(r.ring.doorbell, count | 0x10000)
        r.driver.run()
        r.record.note(f"the doorbell says {count}")
        r.take("a frame", FRAME)
        r.driver.write(r.ring.doorbell, count + 1)
        r.record.note("and one more")
        r.take("a frame", FRAME)
    r = Receiver("c5", lines, depth=4)
    r.post(*[256] * 3)
    r.bell("three of four")
    for n in range(9):
        r.take(f"frame {n}", FRAME + bytes([n]))
        r.post(256)
        r.bell("one more")
    r.post(256)
    r.bell("the fourth")
    r.post(256)
    r.bell("a fifth")
    for before in (3, 5, 6):
        r = Receiver("c5", lines, depth=4)
        r.post(*[256] * min(before, 4))
        r.bell("a start")
        r.take("frames", *[FRAME] * 2)
        r.post(*[256] * 4)
        r.bell("round the end")
        r.take("frames", *[FRAME] * 4)
    r = Receiver("c5", lines)
    r.driver.device.faults.set("rx-out-of-order", on=True)
    for count in (1, 2, 3, 4):
        r.post(*range(100, 100 + count))
        r.bell(f"out of order, {count}")
        r.take("frames", *[FRAME] * 4)
    compare(HERE / "rx-descriptors.txt", "\n".join(lines) + "\n")


def test_lengths() -> None:
    lines: list[str] = []
    kinds = ((64,) * 20, (256, 100, 300, 1, 2048), (127, 500), (128, 500), (129, 500), (2048, 64))
    for sizes in kinds:
        total = sum(sizes)
        some = sum(sizes[:2])
        for length in sorted(
            {14, sizes[0] - 1, sizes[0], sizes[0] + 1, some - 1, some, some + 1, total - 1}
            | {total, total + 1, 64 * 18, 64 * 18 + 1, 64 * 18 - 1}
        ):
            r = Receiver("c5", lines, depth=32)
            r.post(*sizes)
            r.bell("")
            lines.pop()
            r.take(f"{length} bytes into {sizes}", sized(length), sized(length), sized(20))
    for most in (1, 2, 3):
        r = Receiver("c5", lines, depth=32, max_rx_descriptors=most)
        r.post(*[100] * 20)
        r.bell(f"at most {most}")
        for length in (100, 101, 200, 201, 300, 301):
            r.take(f"{length} bytes", sized(length))
    for fault in ("rx-many-buffers", "rx-id-invalid", "rx-id-duplicate"):
        r = Receiver("c5", lines, depth=32, faults=("interrupt-lost",))
        r.post(*[400] * 20)
        r.bell("")
        for length in (60, 255, 256, 257, 512, 513, 800):
            r.driver.device.faults.once(fault)
            r.take(f"{fault}, {length} bytes", sized(length))
            r.take("one more", sized(length))
    r = Receiver("c5", lines, depth=64)
    r.post(*[128] * 60)
    for count in (1, 2, 15, 16, 17):
        r.bell(f"{count} frames at once")
        r.take("the first turn", *[sized(60 + n) for n in range(count)])
        r.take("another")
    compare(HERE / "rx-lengths.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("profile", ["gen8", "c6in", "c5"])
def test_queues_and_tables(profile: str) -> None:
    lines: list[str] = []
    flows = [ipv4_frame(ports=(1000 + n, 2000 + 7 * n)) for n in range(6)]
    flows += [bytes(good6(payload=bytes([n]))) for n in range(2)] + [sized(60)]
    tables: list[list[int]] = [[], [0, 0], [1, 1], [2, 2], [0, 1], [1, 0, 5, 0], [0, 1] * 64]
    for table in tables:
        for queues in (1, 2, 3):
            r = Receiver(profile, lines, queues=queues, table=table, depth=16)
            for ring in r.rings:
                r.post(*[256] * 9, ring=ring)
                r.driver.ring(ring)
            r.bell(f"{queues} queues, table {table[:8]}")
            for n, flow in enumerate(flows):
                r.take(f"flow {n}", flow, flow)
    r = Receiver(profile, lines, queues=2, table=[0, 1])
    for n in range(3):
        r.post(256, ring=r.rings[n & 1])
        r.bell("a buffer", r.rings[n & 1])
        r.take("frames", *flows)
    r.post(256, ring=r.rings[1], control=0)
    r.bell("a queue stops", r.rings[1])
    r.take("frames", *flows)
    body = struct.pack("<HB", r.rings[0].sq, DIRECTION_RX << 5)
    r.post(256, 256)
    r.bell("buffers")
    r.record.ask("one goes", Opcode.DESTROY_SQ, body)
    r.take("frames", *flows)
    body = struct.pack("<HB", r.rings[1].sq, DIRECTION_RX << 5)
    r.record.ask("the other goes", Opcode.DESTROY_SQ, body)
    r.take("frames", *flows)
    compare(HERE / f"rx-queues-{profile}.txt", "\n".join(lines) + "\n")


def test_regions_of_a_ring() -> None:
    lines: list[str] = []
    flows = [ipv4_frame(ports=(1000 + n, 2000 + 7 * n)) for n in range(8)]
    for filled in (1, 3, 4, 5, 7):
        r = Receiver("gen8", lines, table=[0, 0])
        r.post(*[256] * filled)
        r.bell(f"{filled} of 8")
        for turn in range(5):
            for flow in flows[: filled + 1]:
                r.driver.port.deliver(flow)
            r.driver.run()
            r.record.note(f"turn {turn}")
            r.driver.unmask(1)
            r.record.note("unmasked")
            r.driver.unmask(2)
            r.record.note("another vector")
            count = 1 if turn < 3 else 4
            if len(r.driver.device.queues.rx[0].buffers) + count <= 8:
                r.post(*[256] * count)
                r.bell(f"{count} more")
    compare(HERE / "rx-regions.txt", "\n".join(lines) + "\n")


def segment(size: int, *, v6: bool = False, flags: int = 0x18) -> bytes:
    frame = (good6 if v6 else good4)(6, bytes(n % 251 for n in range(size)))
    l4 = 54 if v6 else 34
    frame[l4 + 13] = flags
    addresses = frame[22:54] if v6 else frame[26:34]
    frame[l4 + 16 : l4 + 18] = pseudo_sum(addresses, 6, len(frame) - l4).to_bytes(2, "big")
    return bytes(frame)


@pytest.mark.parametrize("v6", [False, True])
def test_unfinished_frames(v6: bool) -> None:
    lines: list[str] = []
    l4 = 54 if v6 else 34
    gso = 4 if v6 else 1
    headers = {
        "partial": Offload(NEEDS_CSUM, 0, 0, 0, l4, 16),
        "valid": Offload(DATA_VALID, 0, 0, 0, 0, 0),
        "whole": Offload(NEEDS_CSUM, gso, l4 + 20, 100, l4, 16),
        "whole, ECN": Offload(NEEDS_CSUM, gso | 0x80, l4 + 20, 99, l4, 16),
        "whole, no size": Offload(NEEDS_CSUM, gso, l4 + 20, 0, l4, 16),
        "whole, elsewhere": Offload(NEEDS_CSUM, gso, l4 + 20, 100, l4 + 1, 16),
        "whole, of the other kind": Offload(NEEDS_CSUM, 5 - gso, l4 + 20, 100, l4, 16),
    }
    for what, offload in headers.items():
        for sizes in ((2048,), (100, 60, 60), (l4 + 20, 30), (l4 + 18, 60), (50,) * 30, (300,) * 9):
            for payload in (0, 10, 200, 700, 1200):
                r = Receiver(ALL, lines, depth=32)
                r.post(*sizes)
                r.bell("")
                lines.pop()
                lines.pop()
                frame = segment(payload, v6=v6, flags=0x99)
                name = f"{what}, {payload} bytes into {sizes[:3]}"
                r.take(name, frame, header=offload.pack())
    for room in (1, 2, 3):
        for size in (1, 2):
            r = Receiver(ALL, lines, depth=32, max_rx_descriptors=2)
            r.post(*[l4 + 20, room] * 12)
            r.bell(f"room for {room} bytes behind the headers")
            asked = Offload(NEEDS_CSUM, gso, l4 + 20, size, l4, 16).pack()
            r.take(f"segments of {size}", segment(9, v6=v6), header=asked)
            r.take("a short one", segment(room, v6=v6), header=asked)
    for last in (False, True):
        r = Receiver(ALL, lines, queues=2, table=[0, 1], depth=16, rss_function=True)
        for ring in r.rings:
            r.post(*[300] * 12, ring=ring)
            r.driver.ring(ring)
        r.bell("two queues")
        for n in range(4):
            flow = bytearray(segment(400 if last else 900, v6=v6))
            flow[l4 + 1] ^= n
            r.take(f"flow {n}", bytes(flow), header=headers["whole"].pack())
    r = Receiver(ALL, lines, queues=2, table=[0, 1], depth=16)
    r.post(*[300] * 12)
    r.driver.ring(r.ring)
    r.post(100, 100, ring=r.rings[1])
    r.driver.ring(r.rings[1])
    for n in range(6):
        flow = bytearray(segment(900, v6=v6))
        flow[l4 + 1] ^= n
        for header in ("whole", "valid"):
            r.take(f"little room, flow {n} {header}", bytes(flow), header=headers[header].pack())
    compare(HERE / f"rx-unfinished-{6 if v6 else 4}.txt", "\n".join(lines) + "\n")


def test_a_guest_that_checks_sums_itself() -> None:
    lines: list[str] = []
    for steps in (
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 5.0, 0.0, 0.0),
        (0.0, 2.5, 2.5, 0.0),
        (0.0, 5.1, 5.1),
    ):
        for profile in (ALL, "c5"):
            r = Receiver(profile, lines, depth=64, queues=1)
            r.post(*[2048] * 60)
            r.bell(f"{steps}")
            whole = Offload(NEEDS_CSUM, 1, 54, 100, 34, 16).pack()
            single = Offload(NEEDS_CSUM, 0, 0, 0, 34, 16).pack()
            frame = segment(500)
            for header, what in ((single, "single"), (whole, "whole")):
                r.take(what, frame, header=header)
            for step in steps:
                r.driver.now += step
                r.take(f"again, {step} s later", segment(100), header=single)
                lines.append(f"    {r.driver.port.accepts}")
            r.driver.set_host_info()
            r.driver.create_cq(4, 16, BASE)
            r.driver.create_sq(DIRECTION_RX, 1, 16, BASE)
            lines.append(f"    {r.driver.port.accepts}")
    compare(HERE / "rx-fallback.txt", "\n".join(lines) + "\n")
