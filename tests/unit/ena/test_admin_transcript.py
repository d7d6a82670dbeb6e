"""What cards answer to registers, admin commands and events at every boundary, as transcripts."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from nitro.ena.constants import (
    DIRECTION_RX,
    Event,
    Feature,
    Opcode,
    Reg,
    StatsType,
)
from nitro.ena.control import execute
from nitro.ena.profiles import PROFILES
from tests.transcripts import compare
from tests.unit.ena.driver import BASE, RAM, Driver
from tests.unit.ena.recorder import Recorder

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
END = BASE + RAM
WIDE = 1 << 48


def card(profile: str = "c5", *, start: bool = True, **changes: Any) -> Recorder:
    driver = Driver(profile, **changes)
    recorder = Recorder(driver)
    if start:
        driver.start()
        recorder.note("started")
    return recorder


def feature(number: int, length: int = 0, address: int = 0) -> bytes:
    """The body of GET_FEATURE and SET_FEATURE, before what is to be set."""
    return struct.pack("<IQBBBx", length, address, 0, number, 0)


def test_registers() -> None:
    r = card(start=False)
    d = r.driver
    for offset in (*range(0, 0x74, 4), 1, 2, 0x59, 0xFFC, 0x1000, 0x1400, 0x1800, 0x3FFC):
        r.note(f"read {offset:#x}: {d.device.read(offset):#x}")
    for offset in (0x04, 0x0C, 0x30, 0x44, 0x48, 0x50, 0x58, 0x6C, 0x11, 0xFFC):
        d.write(offset, 1)
        r.note(f"write {offset:#x}")
    for offset in (0x1000, 0x1004, 0x101C, 0x1020, 0x13FC, 0x1400, 0x1404, 0x17FC, 0x1401):
        d.write(offset, 1)
        r.note(f"doorbell {offset:#x}")
    for offset in (0x1800, 0x1801, 0x1804, 0x1806, 0x1820, 0x1824, 0x3FFC):
        d.write(offset, 1 << 30)
        r.note(f"unmask {offset:#x}")
    for value in (1, 0, 3, 2):
        d.write(Reg.INTR_MASK, value)
        r.note(f"mask {value}: {d.device.read(Reg.INTR_MASK)}")
    answer = d.alloc(4096)
    d.write(Reg.MMIO_REG_READ, 7)
    r.note("readless without an address")
    d.write(Reg.MMIO_RESP_HI, 1)
    d.write(Reg.MMIO_REG_READ, 7)
    r.note("readless to an address with its upper half only")
    d.write(Reg.MMIO_RESP_HI, 0)
    d.write(Reg.MMIO_RESP_LO, answer)
    for offset in (0, 4, 8, 0xC, 0x44, 0x4C, 0x54, 0x58, 0x64, 0x68, 0x6C, 1, 2, 3, 0x1000, 0xFFFF):
        for request in (1, 0xFFFF):
            d.write(Reg.MMIO_REG_READ, offset << 16 | request)
            r.note(f"readless {offset:#x} request {request}")
    for address in (END - 8, END - 4, END, BASE - 4, 4):
        d.write(Reg.MMIO_RESP_LO, address & 0xFFFFFFFF)
        d.write(Reg.MMIO_REG_READ, 5)
        r.note(f"readless to {address:#x}")
    d.device.faults.once("readless-lost")
    d.write(Reg.MMIO_RESP_LO, answer)
    for _ in range(2):
        d.write(Reg.MMIO_REG_READ, 6)
        r.note("readless, the first lost")
    compare(HERE / "registers.txt", r.text)


def test_rings() -> None:
    r = card(start=False)
    d = r.driver
    rings = ((Reg.AQ_BASE_LO, Reg.AQ_CAPS), (Reg.ACQ_BASE_LO, Reg.ACQ_CAPS))
    for low, caps in (*rings, (Reg.AENQ_BASE_LO, Reg.AENQ_CAPS)):
        place = d.alloc(1024 * 64)
        for depth in (0, 1, 2, 3, 4, 6, 512, 1000, 1024, 1025, 2048, 0xFFFF):
            d.write(low, place)
            d.write(caps, depth | 64 << 16)
            r.note(f"{low.name} depth {depth}")
        for size in (0, 63, 64, 65, 0xFFFF):
            d.write(caps, 8 | size << 16)
            r.note(f"{low.name} entries of {size}")
        d.write(caps, 8 | 64 << 16)
        for address in (place + 1, place + 4, place + 8, place + 16, WIDE - 8, WIDE, WIDE + 8):
            d.write(low, address & 0xFFFFFFFF)
            d.write(low + 4, address >> 32)
            r.note(f"{low.name} at {address:#x}")
    compare(HERE / "rings.txt", r.text)


@pytest.mark.parametrize("profile", ["c5", "gen8"])
def test_resets(profile: str) -> None:
    r = card(profile)
    d = r.driver
    for reason in (0, 1, 14, 15, 16, 19, 20, 21, 255):
        for seen in (True, False):
            d.write(Reg.DEV_CTL, 1 | (reason & 0xF) << 28 | (reason >> 4) << 24)
            if seen:
                r.note(f"status {d.device.read(Reg.DEV_STS):#x}")
            d.write(Reg.DEV_CTL, 1)
            d.write(Reg.DEV_CTL, 0)
            r.note(f"reset {reason}, its progress {'seen' if seen else 'not seen'}")
            r.note(f"status {d.device.read(Reg.DEV_STS):#x}")
            d.write(Reg.DEV_CTL, 0)
            r.note(f"no reset: {d.device.read(Reg.DEV_STS):#x}")
    for taken in (False, True):
        d.reset(0)
        d.start()
        cq = d.alloc(4096)
        d.create_cq(4, 16, cq)
        d.create_sq(DIRECTION_RX, 0, 16, d.alloc(4096))
        if taken:
            d.write(Reg.MMIO_RESP_LO, cq)
        r.note(f"with a queue, taken over {taken}")
        d.reset(0)
        r.note("reset")
    for _ in range(1005):
        d.write(Reg.DEV_CTL, 1 | 13 << 28)
        d.device.read(Reg.DEV_STS)
        d.write(Reg.DEV_CTL, 0)
    r.note("a thousand resets")
    compare(HERE / f"resets-{profile}.txt", r.text)


def test_the_admin_queue() -> None:
    r = card(start=False)
    d = r.driver
    d.write(Reg.AQ_DB, 1)
    r.note("a doorbell before the queue")
    d.set_rings(aenq=False)
    r.ask("before an event queue", Opcode.GET_FEATURE, feature(1))
    d.write(Reg.AENQ_CAPS, 4 | 64 << 16)
    for flags in (0, 2, 4, 6, 8, 0x80, 0xFE):
        r.ask(f"flags {flags:#x}", Opcode.GET_FEATURE, feature(Feature.LINK), flags=flags)
    for opcode in (0, 5, 7, 10, 12, 255):
        r.ask(f"opcode {opcode}", opcode, feature(1))
    d.write(Reg.INTR_MASK, 0)
    r.note("interrupts on")
    for ident in (0xFFF, 0x1000, 0xFFFF):
        slot = d.aq_tail % d.admin_depth
        phase = 1 ^ (d.aq_tail // d.admin_depth & 1)
        entry = struct.pack("<HBB", ident, Opcode.GET_FEATURE, phase) + feature(Feature.LINK)
        d.poke(d.aq + slot * 64, entry.ljust(64, b"\0"))
        d.aq_tail += 1
        d.write(Reg.AQ_DB, d.aq_tail)
        d.run()
        d.completion()
        r.note(f"command {ident:#x}")
    for more in (9, 0x8000, 0xFFFF, 0x10000 + 9):
        d.write(Reg.AQ_DB, d.aq_tail + more)
        d.run()
        r.note(f"the tail {more} ahead")
    for count in (8, 3):
        tail = d.aq_tail
        for _ in range(count):
            d.post(Opcode.GET_FEATURE, feature(Feature.LINK), phase=None)
        d.run()
        d.acq_head += count
        r.note(f"{count} commands at once from {tail}")
    for _ in range(2):
        d.post(Opcode.GET_FEATURE, feature(Feature.LINK), phase=d.aq_tail // d.admin_depth & 1)
        d.aq_tail -= 1
        d.run()
        r.note("a stale phase")
    for fault in ("admin-timeout", "stats-timeout", "admin-interrupt-lost"):
        for opcode in (Opcode.GET_FEATURE, Opcode.GET_STATS, Opcode.GET_STATS):
            d.device.faults.once(fault)
            r.ask(fault, opcode, feature(Feature.LINK))
    for name, base in (("submission", Reg.AQ_BASE_LO), ("completion", Reg.ACQ_BASE_LO)):
        d.reset()
        d.set_rings()
        d.write(base, END & 0xFFFFFFFF)
        d.write(base + 4, END >> 32)
        for _ in range(2):
            d.post(Opcode.GET_FEATURE, feature(Feature.LINK))
            d.run()
            r.note(f"the {name} ring is nowhere")
    compare(HERE / "admin-queue.txt", r.text)


@pytest.mark.parametrize("profile", ["c5", "c6in", "gen8", "minimal"])
def test_features(profile: str) -> None:
    r = card(profile)
    d = r.driver
    sizes = {Feature.RSS_FUNCTION: 48, Feature.RSS_INPUT: 128, Feature.RSS_TABLE: 512}
    for number in (*range(30), 255):
        size = sizes.get(Feature(number), 64) if number in list(Feature) else 64
        for length in (0, size - 1, size, size + 1):
            for address in (d.control, END - size, END - size + 1):
                if length or address == d.control:
                    body = feature(number, length, address)
                    r.ask(f"{number}, {length} at {address:#x}", Opcode.GET_FEATURE, body)
    for mtu in (0, 127, 128, 129, 1500, 9215, 9216, 9217, 0xFFFFFFFF):
        r.ask(f"MTU {mtu}", Opcode.SET_FEATURE, feature(Feature.MTU) + struct.pack("<I", mtu))
        r.lines.append(f"    {d.device.features.mtu}")
    for group in range(9):
        payload = struct.pack("<II", 0xFF, 1 << group)
        r.ask(f"group {group}", Opcode.SET_FEATURE, feature(Feature.AENQ) + payload)
        r.ask("which", Opcode.GET_FEATURE, feature(Feature.AENQ))
    for os_type, version, kernel in (
        *((1, 2, b"#1"), (1, 2, b""), (4, 2, b"#1"), (0, 2, b"#1"), (1, 1, b"#1")),
        *((1, 0x102, b"#1"), (1, 3, b"\0x"), (5, 0, b"")),
    ):
        page = struct.pack("<I128sI32sII", os_type, b"Debian\xff", 1, kernel, 2, version)
        place = d.alloc(4096)
        d.poke(place, page.ljust(4096, b"\7"))
        for address in (place, END - 196, END - 195, 0, place | 1 << 48):
            payload = struct.pack("<QQI", address, 0, 0)
            what = f"host {os_type}, driver {version}, kernel {kernel!r} at {address:#x}"
            r.ask(what, Opcode.SET_FEATURE, feature(Feature.HOST_ATTRIBUTES) + payload)
            host = d.device.features.host
            r.lines.append(f"    {host} {host.given} {host.takes_merged_segments}")
            r.lines.append(f"    {d.device.port.__dict__.get('accepts')}")
    for number in (1, 2, 3, 7, 11, 20, 27):
        r.ask(f"set {number}", Opcode.SET_FEATURE, feature(number) + bytes(40))
    compare(HERE / f"features-{profile}.txt", r.text)


@pytest.mark.parametrize("profile", ["c5", "c6in", "minimal"])
def test_statistics(profile: str) -> None:
    r = card(profile)
    d = r.driver
    d.device.counters.rx_drops, d.device.counters.bandwidth_out_exceeded = 5, 1 << 64
    d.device.counters.packets_exceeded = 3
    for kind in (*StatsType, 5, 255):
        for length in (0, 1, 7, 8, 23, 24, 47, 48, 64):
            for metrics in (0, 1, 2, 0b10100, 0b101001, 0b111111, 0xFF):
                head = struct.pack("<IQBBxxHHQ", length, d.control, kind, 0, 0, 0xFFFF, metrics)
                r.ask(f"{kind} {length} {metrics:#b}", Opcode.GET_STATS, head)
                if kind != StatsType.CUSTOMER:
                    break
            if kind not in (StatsType.CUSTOMER, StatsType.BASIC):
                break
    compare(HERE / f"statistics-{profile}.txt", r.text)


def test_events() -> None:
    r = card("c6in", start=False)
    d = r.driver

    def lines(*commands: str) -> None:
        for command in commands:
            answer = execute(d.device, command).replace("\n", " / ")
            r.note(f"{command}: {answer}")

    lines("reset", "hints", "link down", "link up", "link", "", "faults", "rules")
    d.start(groups=0)
    r.note("started without groups")
    lines("reset", "hints", "link down", "link up")
    payload = struct.pack("<II", 0, 0x9F)
    for groups in (payload, payload, bytes(8), payload):
        r.ask("groups", Opcode.SET_FEATURE, feature(Feature.AENQ) + groups)
    for step in (0.0, 0.999, 0.001, 0.5, 0.5, 3.0):
        d.now += step
        r.note(f"{step} s: {d.device.tick() - d.now:.6f}")
        r.lines.append(f"    produced {d.device.read(Reg.AENQ_TAIL)}")
    for head in (5, 0xFFFF, 0x10005, 4, 3, 8, 9, 12):
        d.write(Reg.AENQ_HEAD_DB, head)
        r.note(f"credit to {head}, produced {d.device.read(Reg.AENQ_TAIL)}")
        d.device.tick()
        r.note("a tick")
    lines("reset", "hints", "link down", "link up", "link down", "reset")
    d.write(Reg.AENQ_HEAD_DB, d.device.read(Reg.AENQ_TAIL) + 2)
    d.device.tick()
    r.note("room for two")
    d.write(Reg.AENQ_HEAD_DB, d.device.read(Reg.AENQ_TAIL) + 4)
    d.write(Reg.INTR_MASK, 1)
    d.device.tick()
    r.note("masked")
    d.write(Reg.INTR_MASK, 0)
    r.note("unmasked")
    d.write(Reg.INTR_MASK, 0)
    r.note("once more")
    d.device.set_bus_master(False)
    d.now += 1
    d.device.tick()
    r.note("no bus master")
    for register in (Reg.AQ_DB, Reg.AENQ_HEAD_DB, Reg.MMIO_REG_READ, Reg.INTR_MASK):
        d.write(register, 0)
        r.note(f"writes {register.name}")
    d.device.run()
    d.device.set_bus_master(True)
    d.device.tick()
    r.note("bus master again")
    for fault in ("keep-alive-stops", "fatal-error", "hints-update", "reset-request", "link-flap"):
        lines(f"fault {fault} on")
        for _ in range(12):
            d.now += 1
            d.write(Reg.AENQ_HEAD_DB, d.device.read(Reg.AENQ_TAIL) + 4)
            d.device.tick()
            r.note(f"a second with {fault}")
        lines(f"fault {fault} off", "faults")
    lines("fault no on", "fault fatal-error", "fault link-flap maybe", "counters", "rules")
    d.write(Reg.AENQ_BASE_LO, END & 0xFFFFFFFF)
    d.write(Reg.AENQ_BASE_HI, END >> 32)
    d.write(Reg.AENQ_HEAD_DB, 4)
    for _ in range(2):
        d.now += 1
        d.device.tick()
        r.note("the ring is nowhere")
    lines("reset")
    compare(HERE / "events.txt", r.text)


@pytest.mark.parametrize("fault", ["mac-changes", "rss-default-astray", "rss-table-missing"])
def test_faults_of_resets(fault: str) -> None:
    r = card("c6in", faults=(fault,), fault_seed=3)
    for _ in range(20):
        r.driver.reset()
        r.driver.start()
        r.note("reset")
        r.ask("attributes", Opcode.GET_FEATURE, feature(Feature.DEVICE_ATTRIBUTES))
        body = feature(Feature.RSS_TABLE, 512, r.driver.control)
        r.ask("table", Opcode.GET_FEATURE, body)
    compare(HERE / f"{fault}.txt", r.text)


def test_every_profile_is_whole() -> None:
    compare(HERE / "profiles.txt", "".join(f"{one!r}\n" for one in PROFILES.values()))
    assert Event.KEEP_ALIVE in list(Event)
