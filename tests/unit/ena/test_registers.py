"""Registers, readless reads, the two-phase reset."""

from __future__ import annotations

import struct
from itertools import permutations

import pytest

from nitro.ena.constants import RESET_REASONS, Feature, Reg
from nitro.ena.registers import MAX_ADMIN_DEPTH
from tests.unit.ena.driver import BASE, RAM, Driver


def readless(driver: Driver, offset: int, request: int = 1) -> tuple[int, int, int]:
    address = driver.alloc(8)
    driver.poke(address, struct.pack("<HHI", 0xDEAD, 0, 0))
    driver.write(Reg.MMIO_RESP_LO, address)
    driver.write(Reg.MMIO_RESP_HI, 0)
    driver.write(Reg.MMIO_REG_READ, offset << 16 | request)
    return struct.unpack("<HHI", driver.peek(address, 8))


def test_versions_and_capabilities_are_those_that_drivers_accept():
    driver = Driver()
    assert driver.device.read(Reg.VERSION) == 0x000A
    assert driver.device.read(Reg.CONTROLLER_VERSION) & 0xFFFFFF >= 1
    caps = driver.device.read(Reg.CAPS)
    assert caps >> 1 & 0x1F, "a reset timeout of zero makes drivers refuse"
    assert 32 <= caps >> 8 & 0xFF <= 48
    assert driver.device.read(Reg.DEV_STS) & 1


def test_readless_read_answers_in_memory():
    assert readless(Driver(), Reg.VERSION, request=77) == (77, Reg.VERSION, 0x000A)


def test_readless_read_of_an_unknown_register_gives_all_ones():
    assert readless(Driver(), 0x0F00)[2] == 0xFFFFFFFF


@pytest.mark.extended
def test_readless_reads_give_what_registers_give_and_nothing_between_them():
    for offset in range(Reg.RSS_IND_ENTRY_UPDATE + 5):
        driver = Driver()
        known = offset % 4 == 0 and offset <= Reg.RSS_IND_ENTRY_UPDATE
        value = driver.device.read(offset) if known else 0xFFFFFFFF
        assert readless(driver, offset) == (1, offset, value), hex(offset)


def test_readless_read_without_an_address_is_dropped():
    driver = Driver()
    before = bytes(driver.ram)
    driver.write(Reg.MMIO_REG_READ, 1)
    assert bytes(driver.ram) == before


def test_readless_read_to_an_address_outside_memory_breaks_a_rule():
    driver = Driver()
    driver.write(Reg.MMIO_RESP_LO, BASE + RAM - 4)
    driver.write(Reg.MMIO_REG_READ, 1)
    assert "dma-address" in driver.broken


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_registers_of_a_ring_are_written_in_any_order(order: tuple[int, ...]):
    driver = Driver()
    for low, caps, address in (
        (Reg.AQ_BASE_LO, Reg.AQ_CAPS, driver.aq),
        (Reg.ACQ_BASE_LO, Reg.ACQ_CAPS, driver.acq),
        (Reg.AENQ_BASE_LO, Reg.AENQ_CAPS, driver.aenq),
    ):
        depth = 4 if low == Reg.AENQ_BASE_LO else driver.admin_depth
        writes = [(low, address & 0xFFFFFFFF), (low + 4, address >> 32), (caps, depth | 64 << 16)]
        for one in order:
            driver.write(*writes[one])
    assert driver.get_feature(Feature.DEVICE_ATTRIBUTES).status == 0
    driver.set_feature(Feature.AENQ, struct.pack("<II", 0, 1))
    driver.write(Reg.AENQ_HEAD_DB, 4)
    driver.run()
    assert driver.event() is not None


def test_reset_has_two_phases_and_forgets_addresses():
    driver = Driver()
    driver.start()
    driver.tx_queue()
    driver.reset(reason=3)
    assert not driver.device.queues.tx
    assert not driver.device.admin.ready
    assert "missing TX completions" in driver.reports[-1]
    driver.write(Reg.AQ_DB, 1)
    assert "admin-queue-absent" in driver.broken


def test_reset_ended_before_it_was_seen_breaks_a_rule():
    driver = Driver()
    driver.write(Reg.DEV_CTL, 1)
    driver.write(Reg.DEV_CTL, 0)
    assert "reset-one-phase" in driver.broken


def test_a_normal_reset_with_queues_breaks_a_rule():
    driver = Driver()
    driver.start()
    driver.tx_queue()
    driver.reset(reason=0)
    assert "reset-with-queues" in driver.broken


def test_queues_that_an_earlier_driver_left_break_no_rule_of_the_next():
    driver = Driver()
    driver.start()
    driver.tx_queue()
    driver.write(Reg.MMIO_RESP_LO, driver.alloc(64))  # what a driver that attaches does first
    driver.reset(reason=0)
    assert not driver.broken
    driver.write(Reg.MMIO_RESP_LO, driver.alloc(64))
    driver.start()
    driver.tx_queue()
    driver.reset(reason=0)
    assert driver.broken == {"reset-with-queues"}


def test_reset_reason_above_15_needs_the_capability():
    driver = Driver()
    driver.reset(reason=18)
    assert "reset-reason-extended" in driver.broken
    newer = Driver("gen8")
    newer.reset(reason=18)
    assert "reset-reason-extended" not in newer.broken


def test_a_reset_reason_behind_the_last_known_is_reported_by_number():
    driver = Driver("gen8")
    driver.reset(reason=len(RESET_REASONS) - 1)
    driver.reset(reason=len(RESET_REASONS))
    assert driver.reports == [
        "the driver resets the card: missing first interrupt",
        "the driver resets the card: unknown (21)",
    ]


@pytest.mark.parametrize("missing", [Reg.AQ_CAPS, Reg.ACQ_CAPS])
def test_one_admin_ring_of_two_carries_out_nothing(missing: Reg):
    driver = Driver()
    driver.set_rings()
    driver.write(missing, 0)
    before = bytes(driver.ram)
    driver.write(Reg.AQ_DB, 1)
    driver.run()
    assert "admin-queue-absent" in driver.broken
    assert bytes(driver.ram) == before


def test_admin_rings_of_the_greatest_depth_are_taken():
    driver = Driver()
    driver.set_rings()
    driver.write(Reg.AQ_CAPS, MAX_ADMIN_DEPTH | 64 << 16)
    assert driver.device.admin.sq_depth == MAX_ADMIN_DEPTH
    assert not driver.broken
    driver.write(Reg.AQ_CAPS, 2 * MAX_ADMIN_DEPTH | 64 << 16)
    assert "ring-depth" in driver.broken


def test_a_driver_starts_again_after_a_reset():
    driver = Driver()
    for _ in range(3):
        driver.start()
        driver.rx_queue()
        driver.reset()
    driver.start()
    assert driver.get_feature(Feature.DEVICE_ATTRIBUTES).status == 0


@pytest.mark.parametrize(
    ("depth", "size", "base", "rule"),
    [
        (8, 32, BASE, "ring-entry-size"),
        (6, 64, BASE, "ring-depth"),
        (0x8000, 64, BASE, "ring-depth"),
        (8, 64, BASE + 4, "ring-alignment"),
        (8, 64, 1 << 50, "dma-address-width"),
    ],
)
def test_bad_admin_rings_are_refused(depth: int, size: int, base: int, rule: str):
    driver = Driver()
    driver.write(Reg.AQ_BASE_LO, base & 0xFFFFFFFF)
    driver.write(Reg.AQ_BASE_HI, base >> 32)
    driver.write(Reg.AQ_CAPS, depth | size << 16)
    assert driver.broken == {rule}
    assert not driver.device.admin.ready


def test_writes_to_no_register_break_a_rule():
    driver = Driver()
    driver.write(0x48, 1)
    driver.write(0x1C04, 1)
    assert driver.device.rules.broken["unknown-register"] == 2


def test_dma_without_bus_mastering_breaks_a_rule():
    driver = Driver()
    driver.device.set_bus_master(False)
    driver.set_rings()
    driver.write(Reg.INTR_MASK, 0)
    assert not driver.broken, "nothing of this asks for DMA"
    driver.write(Reg.AQ_DB, 1)
    driver.write(Reg.AENQ_HEAD_DB, 4)
    driver.write(Reg.MMIO_REG_READ, 1)
    assert driver.device.rules.broken == {"bus-master-off": 3}
