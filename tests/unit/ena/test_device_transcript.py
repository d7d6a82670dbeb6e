"""Cards in time: shapes, moderated interrupts, links, lost memory and faults, as transcripts."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from nitro.ena.constants import DIRECTION_RX, DIRECTION_TX, UNMASK, Opcode, Reg
from nitro.ena.faults import FAULTS, Faults
from nitro.ena.profiles import find
from nitro.ena.shape import Shape, ShapedPort
from nitro.ena.stats import Counters
from tests.transcripts import compare
from tests.unit.ena.cables import FakePort
from tests.unit.ena.driver import BASE, RAM, Driver, ipv4_frame
from tests.unit.ena.recorder import Recorder

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
FRAME = ipv4_frame()
SHAPES = {
    "none": Shape(),
    "in": Shape(bits_in=8e5),
    "out": Shape(bits_out=8e5),
    "packets": Shape(packets=1000),
    "all": Shape(bits_in=8e5, bits_out=4e5, packets=1000),
    "bits before packets": Shape(bits_out=8e4, packets=1e6),
    "uncounted": Shape(bits_in=8e5, bits_out=8e5, packets=1000, counted=False),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shaped_ports(name: str) -> None:
    lines = []
    now = [5.0]
    port, counters = FakePort(), Counters()
    shaped = ShapedPort(port, SHAPES[name], counters, lambda: now[0])

    def note(what: str) -> None:
        counts = (counters.bandwidth_in_exceeded, counters.bandwidth_out_exceeded)
        times = f"out {shaped.out_free_at:.6f}, in {shaped.in_free_at:.6f} {shaped.in_waits}"
        left = f"{len(port.sent)} sent, {len(port.waiting)} wait"
        lines.append(f"{now[0]:.4f} {what}: {times}, {counts} {counters.packets_exceeded}, {left}")

    note("a start")
    for step in (0.0, 0.0, 0.001, 0.001, 0.0005, 0.02, 0.0, 0.0, 0.1):
        now[0] += step
        for size in (100, 400, 900):
            sent = shaped.send(bytes(10), [b"x" * size, b"yy"])
            note(f"send {size} {sent}")
        port.deliver(b"z" * 300)
        for _ in range(3):
            got = shaped.receive(bytearray(10), [bytearray(1000)])
            note(f"receive {got}")
    port.full = True
    now[0] += 1
    note(f"send to a full port {shaped.send(bytes(10), [b'x'])}")
    port.full = False
    for at in (shaped.out_free_at, shaped.in_free_at):
        now[0] = max(now[0], at)
        note(f"send when it is free {shaped.send(bytes(10), [b'x' * 2000])}")
        note(f"again {shaped.send(bytes(10), [b'x' * 2000])}")
    shaped.accept(checksums=True, segments=False)
    lines.append(f"{port.accepts} {shaped.fileno()}")
    shaped.close()
    compare(HERE / f"shape-{name.replace(' ', '-')}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", ["in", "out", "packets", "all"])
def test_shaped_cards(name: str) -> None:
    driver = Driver(shape=SHAPES[name])
    record = Recorder(driver)
    driver.start()
    tx, rx = driver.tx_queue(64), driver.rx_queue(64)
    driver.unmask()
    record.note("queues")
    due = 0.0
    for step in range(12):
        for n in range(3):
            driver.port.deliver(FRAME + bytes(300))
            address = driver.alloc(400)
            driver.poke(address, FRAME.ljust(400, b"\7"))
            words = (400 | 1 << 26 | 1 << 27 | 1 << 28, n << 22, address, 0)
            driver.descriptor(tx, words)
            driver.ring(tx)
            driver.device.run()
            if driver.device.wants_frames:
                driver.device.receive()
        waiting = len(driver.port.waiting)
        due = driver.device.tick()
        record.note(f"step {step}: due in {due - driver.now:.6f}, {waiting} wait")
        driver.port.waiting.clear()
        driver.unmask()
        driver.now = due if step % 3 else driver.now + 0.0031
        record.note(f"a tick: {driver.device.tick() - driver.now:.6f}")
        if step == 8:
            driver.device.set_bus_master(False)
        if step == 9:
            driver.device.set_bus_master(True)
    driver.fill(rx, 1)
    record.note("a buffer")
    compare(HERE / f"shaped-card-{name}.txt", record.text)


@pytest.mark.parametrize("profile", ["c5", "minimal", "gen8"])
def test_interrupts_and_links(profile: str) -> None:
    driver = Driver(profile, interrupt_lag=20e-6)
    record = Recorder(driver)
    driver.start()
    rx = [driver.rx_queue(16, vector=1)]
    if profile != "minimal":
        rx.append(driver.rx_queue(16, vector=2))
    record.note("queues")
    if profile == "gen8":
        table = b"".join(struct.pack("<HH", n, 0) for n in (0, 1))
        driver.poke(driver.control, table)
        payload = struct.pack("<HHHBxIHH", 0, 0, 1, 0, 0xFFFFFFFF, 0, 0)
        driver.set_feature(12, payload, buffer=8)
    for delays in ((0, 0), (30, 0), (20, 9), (21, 9), (0x7FFF, 0x7FFF)):
        for vector in (1, 2):
            driver.write(UNMASK + 4 * vector, 1 << 30 | delays[1] << 15 | delays[0])
        driver.port.deliver(FRAME)
        driver.run()
        record.note(f"a frame with delays {delays}")
        for _ in range(4):
            due = driver.device.tick()
            record.note(f"due in {(due - driver.now) * 1e6:.2f} us")
            driver.now = min(due, driver.now + 0.05)
    for up in (False, True):
        driver.device.notices.set_link(up)
        driver.port.deliver(FRAME)
        driver.run()
        record.note(f"link {up}, a frame, {len(driver.port.waiting)} wait")
    for on in (False, True):
        driver.device.set_bus_master(on)
        driver.port.deliver(FRAME)
        driver.device.receive()
        record.note(f"bus master {on}, a frame, {len(driver.port.waiting)} wait")
        driver.run()
        record.note("a turn")
    driver.port.deliver(FRAME)
    driver.device.set_bus_master(True)
    driver.run()
    record.note("bus master again, a frame")
    for ring in rx:
        body = struct.pack("<HB", ring.sq, DIRECTION_RX << 5)
        record.ask("a queue goes", Opcode.DESTROY_SQ, body)
        driver.port.deliver(FRAME)
        driver.run()
        record.note(f"a frame, {len(driver.port.waiting)} wait")
    driver.rx_queue(16)
    driver.run()
    record.note(f"a queue again, {len(driver.port.waiting)} wait")
    driver.port.deliver(FRAME)
    driver.run()
    record.note("a frame")
    driver.port.deliver(FRAME)
    driver.device.power_on()
    record.note(f"power on, {driver.device.read(Reg.DEV_STS):#x}")
    compare(HERE / f"interrupts-{profile}.txt", record.text)


def test_memory_that_goes() -> None:
    lines: list[str] = []
    for what in ("TX ring", "RX ring", "TX completions", "RX completions", "buffers", "nothing"):
        driver = Driver()
        record = Recorder(driver)
        driver.start()
        tx, rx = driver.tx_queue(), driver.rx_queue(fill=3)
        places = {
            "TX ring": tx.address,
            "RX ring": rx.address,
            "TX completions": tx.cq_address,
            "RX completions": rx.cq_address,
            "buffers": rx.buffers[0],
            "nothing": BASE + RAM - 4096,
        }
        record.lines = lines
        record.note(what)
        driver.memory.unmap(places[what], 4096)
        driver.device.run()
        record.note("unmapped")
        driver.memory.map(places[what], memoryview(bytearray(4096)))
        driver.send(tx, FRAME)
        record.note("a frame out")
        driver.port.deliver(FRAME)
        driver.run()
        record.note("a frame in")
        driver.fill(rx, 1)
        record.note("a buffer")
        driver.write(tx.doorbell, tx.tail)
        driver.device.run()
        record.note("a doorbell")
        body = struct.pack("<HB", tx.sq, DIRECTION_TX << 5)
        record.ask("the queue goes", Opcode.DESTROY_SQ, body)
    compare(HERE / "lost-memory.txt", "\n".join(lines) + "\n")


def test_odds() -> None:
    lines = []
    for name, (what, odds) in FAULTS.items():
        lines.append(f"{name}: {what}, {odds}")
        for seed in (0, 7):
            faults = Faults((name,), seed)
            happened = [n for n in range(6000) if faults.triggers(name)]
            lines.append(f"    {seed}: {happened[:6]} {len(happened)}")
        faults = Faults()
        said = [faults.triggers(name)]
        faults.once(name)
        said += [faults.triggers(name), faults.triggers(name)]
        faults.set(name, on=True)
        said += [name in faults.active]
        faults.set(name, on=False)
        said += [faults.triggers(name)]
        faults.once(name)
        faults.set(name, on=True)
        said += [name in faults.active, faults.happened[name] == 1]
        lines.append(f"    {said}")
    for seed in (0, 1):
        faults = Faults(tuple(FAULTS), seed)
        drawn = [name for _ in range(9) for name in FAULTS if faults.triggers(name)]
        lines.append(f"{seed}: {drawn}")
    for name in ("", "none"):
        with pytest.raises(KeyError) as raised:
            Faults().set(name, on=True)
        lines.append(f"{raised.value}")
    compare(HERE / "odds.txt", "\n".join(lines) + "\n")


def test_hostile_cards() -> None:
    lines: list[str] = []
    for name in (*FAULTS, "any@3"):
        driver = Driver(find(f"hostile:{name}"))
        record = Recorder(driver)
        record.lines = lines
        record.note(f"--- {name}")
        driver.set_rings()
        driver.write(Reg.INTR_MASK, 0)
        driver.post(Opcode.SET_FEATURE, struct.pack("<IQBBBxII", 0, 0, 0, 26, 0, 0, 0x9F))
        driver.write(Reg.AENQ_HEAD_DB, 4)
        for turn in range(4):
            driver.now += 1
            driver.run()
            record.note(f"turn {turn}")
        for index, (words, direction) in enumerate(((2, DIRECTION_TX), (4, DIRECTION_RX))):
            ring = driver.alloc(4096)
            body = struct.pack("<BBHIQ", 32, words, 16, 1, ring)
            driver.post(Opcode.CREATE_CQ, body)
            body = struct.pack("<BxBBHHQ", direction << 5, 1, 1, index, 16, ring + 2048)
            driver.post(Opcode.CREATE_SQ, body)
            driver.run()
            record.note(f"queues of {words} words")
            driver.unmask()
            record.note("unmasked")
        driver.write(Reg.MMIO_RESP_LO, driver.alloc(64))
        driver.write(Reg.MMIO_REG_READ, 1)
        record.note("a readless read")
        driver.write(Reg.DEV_CTL, 1 | 13 << 28)
        driver.device.read(Reg.DEV_STS)
        driver.write(Reg.DEV_CTL, 0)
        record.note(f"reset: {driver.device.features.mac.hex()}")
    compare(HERE / "hostile.txt", "\n".join(lines) + "\n")
