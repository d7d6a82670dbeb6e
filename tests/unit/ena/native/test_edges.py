"""What random traffic hardly ever meets, on a card of the model alone and one with the C loop."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nitro.ena.native.loop import Loop
from nitro.ena.offload import HEADER, ones_sum
from nitro.ena.profiles import PROFILES, with_all_offloads
from tests.unit.ena.driver import BASE, Driver, Ring, ipv4_frame, meta_descriptor
from tests.unit.ena.native.state import assert_same, with_loop
from tests.unit.ena.offloads import IPV4_TCP, L3_CSUM, post

L4_CSUM = 1 << 14


def both(loop: Loop, act: Callable[[Driver, Ring, Ring], None]) -> None:
    """Do the same to both cards, which have every offload, and look."""
    drivers = []
    for chosen in (None, loop):
        with with_loop(chosen):
            driver = Driver(with_all_offloads(PROFILES["c5"]), strict=False)
        driver.start()
        act(driver, driver.tx_queue(), driver.rx_queue(fill=0))
        driver.run()
        drivers.append(driver)
    assert drivers[1].device.counters.tx_packets + drivers[1].device.counters.rx_packets
    assert_same(*drivers)


@pytest.mark.parametrize("told", [0, 19, 20, 21, 40, 39, 1000])
def test_lengths_that_ip_tells(loop: Loop, told: int) -> None:
    frame = bytearray(ipv4_frame())
    frame[16:18] = told.to_bytes(2, "big")

    def act(driver: Driver, tx: Ring, rx: Ring) -> None:
        post(driver, tx, bytes(frame), IPV4_TCP | L3_CSUM | L4_CSUM, meta_descriptor(20))

    both(loop, act)


@pytest.mark.parametrize("size", [2048, 33, 41, 51])
def test_a_sum_of_zero_is_sent_in_its_other_form(loop: Loop, size: int) -> None:
    """In a buffer of its own, and where the border of two buffers parts frame or field."""
    frame = ipv4_frame(b"odd", protocol=17)

    def act(driver: Driver, tx: Ring, rx: Ring) -> None:
        rest = 65535 - ones_sum(frame[34:40] + b"\0\0" + frame[42:])
        for partial in (0, rest, rest + 1):
            driver.fill(rx, 2, size=size)
            given = frame[:40] + partial.to_bytes(2, "big") + frame[42:]
            driver.port.deliver(given, HEADER.pack(1, 0, 0, 0, 34, 6))
            driver.run()

    both(loop, act)


PLACES = [(34, 2), (34, 0xFFFF), (100, 6), (101, 6), (101, 16), (0xFFFF, 0xFFFF)]


@pytest.mark.parametrize("place", PLACES)
def test_a_checksum_field_at_the_end_of_the_frame_and_beyond(
    loop: Loop, place: tuple[int, int]
) -> None:
    frame = ipv4_frame(bytes(54))  # 108 bytes

    def act(driver: Driver, tx: Ring, rx: Ring) -> None:
        driver.fill(rx, 8)
        for header in (bytes(10), HEADER.pack(1, 0, 0, 0, *place)) * 2:
            driver.port.deliver(frame, header)
            driver.run()

    both(loop, act)


@pytest.mark.parametrize("which", ["tx", "rx"])
def test_completions_whose_memory_went_and_came_back(loop: Loop, which: str) -> None:
    """The card gave the queue up; that the memory is there again does not change it."""

    def act(driver: Driver, tx: Ring, rx: Ring) -> None:
        def traffic() -> None:
            driver.port.deliver(ipv4_frame())
            driver.send(tx, ipv4_frame())

        driver.fill(rx, 8)
        traffic()
        traffic()
        address = (tx if which == "tx" else rx).cq_address
        driver.memory.unmap(address, 0x1000)
        driver.run()
        driver.memory.map(address, memoryview(driver.ram)[address - BASE :][:0x1000])
        traffic()
        traffic()

    both(loop, act)
