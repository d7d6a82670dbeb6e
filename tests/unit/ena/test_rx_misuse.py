"""Receive: what a driver can get wrong with its buffers."""

from __future__ import annotations

import struct

import pytest

from nitro.ena.profiles import PROFILES, with_all_offloads
from tests.unit.ena.driver import BASE, RAM, Driver, ipv4_frame

FRAME = ipv4_frame()


@pytest.fixture
def driver() -> Driver:
    made = Driver(with_all_offloads(PROFILES["c5"]))
    made.start()
    return made


def post(driver: Driver, control: int, address: int, length: int = 2048) -> None:
    ring = driver.rx_queue(fill=0)
    entry = struct.pack("<HBBHHQ", length, 0, control, 0, 0, address)
    driver.poke(ring.address, entry)
    driver.write(ring.doorbell, 1)
    driver.port.deliver(FRAME)
    driver.run()
    assert driver.received(ring) == []


def test_stale_phase(driver: Driver):
    post(driver, 0x1C, BASE)
    assert "rx-phase" in driver.broken


@pytest.mark.parametrize("address", [0, BASE + RAM - 100, (1 << 48) - 1])
def test_buffer_outside_memory(driver: Driver, address: int):
    post(driver, 0x1D, address)
    assert "dma-address" in driver.broken


def test_tail_further_than_the_ring(driver: Driver):
    ring = driver.rx_queue(fill=0)
    driver.write(ring.doorbell, 17)
    assert "doorbell-tail" in driver.broken
    driver.port.deliver(FRAME)
    driver.run()
    assert driver.received(ring) == []


@pytest.mark.parametrize(
    ("control", "rules"),
    [
        (0x1C, set()),
        (0xC, set()),  # whether it asks for an interrupt is its own affair
        (0x18, {"rx-first-last"}),
        (0x14, {"rx-first-last"}),
        (0x1C | 1 << 1, {"rx-reserved"}),
        (0x1C | 1 << 6, {"rx-reserved"}),
        (0x1C | 1 << 7, {"rx-reserved"}),
        (0xC0 | 0x10, {"rx-first-last", "rx-reserved"}),
    ],
)
def test_descriptor_bits(driver: Driver, control: int, rules: set[str]):
    ring = driver.rx_queue(fill=0)
    driver.fill(ring, 1, control=control)
    driver.port.deliver(FRAME)
    driver.run()
    assert driver.broken & {"rx-first-last", "rx-reserved", "rx-phase"} == rules
    assert [data for _, data, _ in driver.received(ring)] == [FRAME]
