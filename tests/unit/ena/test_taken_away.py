"""What a driver or its client takes away is no longer touched, whatever the queues were doing.

Each way to take something away meets each state of the queues, under traffic in both directions.
The rule: no byte changes that was not handed to the card and is not still the card's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from nitro.ena.constants import Opcode, Reg
from tests.unit.ena.driver import BASE, Driver, Ring, data_descriptor, ipv4_frame

FRAME = ipv4_frame()
# Guest memory in regions of their own, so that each can be unmapped alone.
REGIONS = {
    "admin": (0x0, 0x8000),
    "rx ring": (0x8000, 0x1000),
    "rx completions": (0x9000, 0x1000),
    "rx buffers": (0xA000, 0x10000),
    "tx ring": (0x1A000, 0x1000),
    "tx completions": (0x1B000, 0x1000),
    "tx data": (0x1C000, 0x24000),
}


class Guest:
    """A driver with one queue of each direction, and the means to take its memory away."""

    def __init__(self, profile: str = "c5") -> None:
        self.driver = driver = Driver(profile)
        driver.memory.clear()
        ram = memoryview(driver.ram)
        for start, size in REGIONS.values():
            driver.memory.map(BASE + start, ram[start : start + size])
        driver.start()
        self.rx = self._queue(2, "rx", vector=1)
        self.tx = self._queue(1, "tx", vector=1)
        self._place("rx buffers")
        driver.fill(self.rx, 8)
        self._place("tx data")

    def _place(self, region: str) -> None:
        self.driver._next = BASE + REGIONS[region][0]

    def _queue(self, direction: int, name: str, *, vector: int) -> Ring:
        driver, words = self.driver, 2 if direction == 1 else 4
        self._place(f"{name} completions")
        ring = Ring(depth=16, words=words, cq_address=driver.alloc(16 * words * 4))
        self._place(f"{name} ring")
        ring.address = driver.alloc(256)
        answer = driver.create_cq(words, 16, ring.cq_address, vector=vector)
        ring.cq, _, _, _, ring.unmask = struct.unpack_from("<HHIII", answer.payload)
        answer = driver.create_sq(direction, ring.cq, 16, ring.address)
        assert answer.status == 0
        ring.sq, ring.doorbell, _, _ = struct.unpack_from("<HxxIII", answer.payload)
        return ring

    def unmap(self, *names: str) -> None:
        for name in names:
            start, size = REGIONS[name]
            self.driver.memory.unmap(BASE + start, size)

    def content(self, *names: str) -> list[bytes]:
        places = [REGIONS[name] for name in names]
        return [bytes(self.driver.ram[start : start + size]) for start, size in places]

    def traffic(self) -> None:
        """Frames for the guest, doorbells of queues there may be, events, time."""
        driver = self.driver
        for port in range(6):
            driver.port.deliver(ipv4_frame(ports=(port, 80)))
        driver.port.full = False
        driver.write(self.tx.doorbell, self.tx.tail & 0xFFFF)
        for link in (False, True):
            driver.device.notices.set_link(link)
        for _ in range(4):
            driver.now += 1
            driver.run()
            driver.device.receive()


# States of the queues.


def idle(guest: Guest) -> None:
    """Buffers posted, nothing received yet."""


def received(guest: Guest) -> None:
    guest.driver.port.deliver(FRAME)
    guest.driver.run()
    assert guest.driver.received(guest.rx)


def used_up(guest: Guest) -> None:
    for _ in range(12):
        guest.driver.port.deliver(FRAME)
    guest.driver.run()
    guest.driver.run()


def stopped(guest: Guest) -> None:
    received(guest)
    guest.driver.write(guest.rx.doorbell, guest.rx.tail + 1)  # a descriptor with a stale phase
    guest.driver.run()
    assert "rx-phase" in guest.driver.broken


def sending_held_back(guest: Guest) -> None:
    received(guest)
    guest.driver.port.full = True
    guest.driver.send(guest.tx, FRAME, req_id=1)
    guest.driver.send(guest.tx, FRAME, req_id=2)


def rung(guest: Guest) -> None:
    """The doorbells were rung, and the card has not looked yet."""
    received(guest)
    address = guest.driver.alloc(len(FRAME))
    guest.driver.poke(address, FRAME)
    guest.driver.descriptor(guest.tx, data_descriptor(address, len(FRAME), 3))
    guest.driver.ring(guest.tx)


def link_down(guest: Guest) -> None:
    received(guest)
    guest.driver.device.notices.set_link(False)


STATES = (idle, received, used_up, stopped, sending_held_back, rung, link_down)

# Ways to take something away, each with the regions that may no longer change.


def unmap_everything(guest: Guest) -> None:
    guest.driver.memory.clear()


def unmap_region(name: str) -> Callable[[Guest], None]:
    return lambda guest: guest.unmap(name)


def unmap_part_of_the_buffers(guest: Guest) -> None:
    guest.driver.memory.unmap(guest.rx.buffers[0], 0x8000)


def destroy(guest: Guest, direction: int, ring: Ring) -> None:
    body = struct.pack("<HBx", ring.sq, direction << 5)
    assert guest.driver.command(Opcode.DESTROY_SQ, body).status == 0
    assert guest.driver.command(Opcode.DESTROY_CQ, struct.pack("<H", ring.cq)).status == 0


def destroy_receiving(guest: Guest) -> None:
    destroy(guest, 2, guest.rx)


def destroy_sending(guest: Guest) -> None:
    destroy(guest, 1, guest.tx)


def reset(guest: Guest) -> None:
    guest.driver.reset()


def reset_of_the_function(guest: Guest) -> None:
    guest.driver.device.power_on()


def disconnect(guest: Guest) -> None:
    guest.driver.memory.clear()
    guest.driver.device.set_bus_master(False)
    guest.driver.device.power_on()


def bus_mastering(guest: Guest) -> None:
    guest.driver.device.set_bus_master(False)


RX = ("rx ring", "rx completions", "rx buffers")
TX = ("tx ring", "tx completions", "tx data")
TAKEN: tuple[tuple[Callable[[Guest], None], tuple[str, ...]], ...] = (
    (unmap_everything, tuple(REGIONS)),
    *((unmap_region(name), (name,)) for name in REGIONS),
    (destroy_receiving, RX),
    (destroy_sending, TX),
    (reset, tuple(REGIONS)),
    (reset_of_the_function, tuple(REGIONS)),
    (disconnect, tuple(REGIONS)),
    (bus_mastering, tuple(REGIONS)),
)
NAMES = ["unmap-all", *(f"unmap-{name}" for name in REGIONS)]
NAMES += ["destroy-rx", "destroy-tx", "reset", "function-reset", "disconnect", "bus-mastering"]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize(("take", "gone"), TAKEN, ids=NAMES)
def test_what_was_taken_away_is_not_written(
    take: Callable[[Guest], None], gone: tuple[str, ...], state: Callable[[Guest], None]
) -> None:
    guest = Guest()
    state(guest)
    take(guest)
    before = guest.content(*gone)
    guest.traffic()
    assert guest.content(*gone) == before


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_part_of_a_mapping_that_was_taken_away_is_not_written(
    state: Callable[[Guest], None],
) -> None:
    guest = Guest()
    state(guest)
    unmap_part_of_the_buffers(guest)
    start = guest.rx.buffers[0] - BASE
    before = bytes(guest.driver.ram[start : start + 0x8000])
    guest.traffic()
    assert guest.driver.ram[start : start + 0x8000] == before


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_only_what_was_handed_over_is_written(state: Callable[[Guest], None]) -> None:
    guest = Guest()
    state(guest)
    before = others_memory(guest)
    guest.traffic()
    assert others_memory(guest) == before


def others_memory(guest: Guest) -> bytes:
    """The guest's memory with zeros where it was handed to the card."""
    driver, content = guest.driver, bytearray(guest.driver.ram)
    for address, size in (
        (driver.aenq, 256),
        (guest.rx.cq_address, 256),
        (guest.tx.cq_address, 128),
        *((address, 2048) for address in guest.rx.buffers.values()),
    ):
        content[address - BASE : address - BASE + size] = bytes(size)
    return bytes(content)


def test_what_was_asked_for_without_bus_mastering_is_done_when_it_is_back() -> None:
    guest = Guest()
    rung(guest)
    bus_mastering(guest)
    guest.driver.device.run()
    guest.driver.device.tick()
    assert guest.driver.port.sent == []
    before = guest.content("admin")
    guest.driver.device.set_bus_master(True)
    guest.driver.device.run()
    assert [frame for _, frame in guest.driver.port.sent] == [FRAME]
    guest.driver.now += 2
    guest.driver.device.tick()
    assert guest.content("admin") != before


@pytest.mark.parametrize("data", ["tx ring", "tx data"])
def test_a_packet_held_back_is_not_sent_from_memory_that_is_gone(data: str) -> None:
    guest = Guest()
    sending_held_back(guest)
    guest.unmap(data)
    guest.traffic()
    assert guest.driver.port.sent == []
    assert "dma-address" in guest.driver.broken


def test_a_packet_held_back_is_sent_once_from_memory_that_came_back_elsewhere() -> None:
    guest = Guest()
    sending_held_back(guest)
    start, size = REGIONS["tx data"]
    guest.unmap("tx data")
    copy = bytearray(guest.driver.ram[start : start + size])
    guest.driver.ram[start : start + size] = bytes(size)
    guest.driver.memory.map(BASE + start, memoryview(copy))
    guest.traffic()
    assert [frame for _, frame in guest.driver.port.sent] == [FRAME, FRAME]
    assert guest.driver.tx_completions(guest.tx) == [1, 2]


def test_frames_go_on_into_the_queue_that_is_left() -> None:
    guest = Guest()
    driver = guest.driver
    received(guest)
    driver._next = BASE + REGIONS["tx data"][0]
    other = driver.rx_queue(vector=2)
    guest.unmap("rx buffers")
    entries = struct.pack("<HH", other.sq, 0) * 128
    driver.poke(driver.control, entries)
    payload = struct.pack("<HHHBxIHH", 0, 0, 7, 0, 0xFFFFFFFF, 0, 0)
    assert driver.set_feature(12, payload, buffer=512).status == 0
    driver.port.deliver(FRAME)
    driver.run()
    assert [data for _, data, _ in driver.received(other)] == [FRAME]


def test_no_frame_reaches_a_queue_that_was_destroyed() -> None:
    guest = Guest()
    received(guest)
    destroy_receiving(guest)
    guest.driver.port.deliver(FRAME)
    guest.driver.run()
    assert not guest.driver.device.wants_frames
    assert guest.driver.received(guest.rx) == []


def test_another_queue_held_back_still_waits_for_the_port_when_one_is_destroyed() -> None:
    guest = Guest()
    sending_held_back(guest)
    destroy_receiving(guest)
    assert guest.driver.device.blocked


def test_a_queue_that_stops_while_held_back_waits_for_the_port_no_more() -> None:
    guest = Guest()
    sending_held_back(guest)
    guest.driver.write(guest.tx.doorbell, guest.tx.tail + 100 & 0xFFFF)
    guest.driver.run()
    assert "doorbell-tail" in guest.driver.broken
    assert not guest.driver.device.blocked


def test_the_readless_answer_goes_nowhere_after_a_reset() -> None:
    guest = Guest()
    driver = guest.driver
    answer = driver.alloc(64)
    driver.write(Reg.MMIO_RESP_LO, answer)
    driver.reset()
    driver.write(Reg.MMIO_REG_READ, 1)
    assert driver.peek(answer, 8) == bytes(8)
