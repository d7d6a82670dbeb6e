"""The admin queue, and creating and destroying queues."""

from __future__ import annotations

import struct

import pytest

from nitro.ena.constants import DIRECTION_RX, DIRECTION_TX, AdminStatus, Opcode, Reg, StatsType
from tests.unit.ena.driver import BASE, RAM, Driver, ipv4_frame


@pytest.fixture
def driver() -> Driver:
    made = Driver()
    made.start()
    return made


def test_completions_echo_the_id_and_wrap_with_the_phase(driver: Driver):
    for _ in range(40):
        sent = driver.aq_tail % driver.admin_depth
        answer = driver.command(Opcode.GET_STATS, bytes(60))
        assert (answer.id, answer.status) == (sent, 0)


def test_two_commands_in_one_doorbell(driver: Driver):
    driver.post(Opcode.GET_STATS)
    driver.post(Opcode.GET_STATS)
    driver.run()
    assert driver.completion() is not None
    assert driver.completion() is not None


def test_a_full_ring_in_one_doorbell(driver: Driver):
    for _ in range(driver.admin_depth):
        driver.post(Opcode.GET_STATS)
    driver.run()
    answers = [driver.completion() for _ in range(driver.admin_depth)]
    assert [answer.status for answer in answers if answer] == [0] * driver.admin_depth


def test_completion_raises_vector_0_unless_masked(driver: Driver):
    driver.raised.clear()
    driver.write(Reg.INTR_MASK, 1)
    driver.command(Opcode.GET_STATS)
    assert driver.raised == []
    driver.write(Reg.INTR_MASK, 0)
    assert driver.raised == [0]


def test_unknown_opcode(driver: Driver):
    assert driver.command(5).status == AdminStatus.BAD_OPCODE


def test_stale_phase_stops_the_command(driver: Driver):
    driver.post(Opcode.GET_STATS, phase=0)
    driver.run()
    assert driver.completion() is None
    assert "admin-phase" in driver.broken


def test_reserved_flags_break_a_rule(driver: Driver):
    driver.command(Opcode.GET_STATS, flags=0x80)
    assert "admin-reserved" in driver.broken


def test_tail_further_than_the_ring_breaks_a_rule(driver: Driver):
    driver.write(Reg.AQ_DB, driver.aq_tail + driver.admin_depth + 1)
    driver.run()
    assert "admin-tail" in driver.broken
    assert driver.completion() is None


def test_ring_outside_memory(driver: Driver):
    driver.write(Reg.AQ_BASE_LO, BASE + RAM)
    driver.write(Reg.AQ_CAPS, 8 | 64 << 16)
    driver.write(Reg.AQ_DB, 1)
    driver.run()
    assert "dma-address" in driver.broken


def test_basic_statistics_count_packets(driver: Driver):
    ring = driver.tx_queue()
    driver.send(ring, bytes(60))
    body = struct.pack("<12xBB", StatsType.BASIC, 1)
    values = struct.unpack("<7Q", driver.command(Opcode.GET_STATS, body).payload)
    assert values == (60, 1, 0, 0, 0, 0, 0)
    driver.reset()
    driver.start()
    assert struct.unpack("<7Q", driver.command(Opcode.GET_STATS, body).payload) == (0,) * 7


def test_allowances_are_there_if_the_capability_says_so(driver: Driver):
    driver.device.counters.packets_exceeded = 9
    body = struct.pack("<12xBB", StatsType.ENI, 1)
    values = struct.unpack_from("<5Q", driver.command(Opcode.GET_STATS, body).payload)
    assert values == (0, 0, 9, 0, 0)
    minimal = Driver("minimal")
    minimal.start()
    assert minimal.command(Opcode.GET_STATS, body).status == AdminStatus.UNSUPPORTED


def test_customer_metrics_arrive_in_the_control_buffer():
    driver = Driver("c6in")
    driver.start()
    driver.device.counters.packets_exceeded = 9
    body = struct.pack("<IQBBxxHHQ", 64, driver.control, StatsType.CUSTOMER, 1, 0, 0xFFFF, 0b100101)
    answer = driver.command(Opcode.GET_STATS, body)
    assert struct.unpack_from("<Q", answer.payload) == (0b100101,)
    assert struct.unpack("<3Q", driver.peek(driver.control, 24)) == (0, 9, 1_000_000)
    probe = struct.pack("<12xBB", StatsType.CUSTOMER, 1)
    answer = driver.command(Opcode.GET_STATS, probe)
    assert struct.unpack_from("<Q", answer.payload) == (0x3F,)


def test_queues_are_created_and_destroyed_in_order(driver: Driver):
    ring = driver.tx_queue()
    destroy_cq = struct.pack("<H", ring.cq)
    assert driver.command(Opcode.DESTROY_CQ, destroy_cq).status == AdminStatus.BUSY
    assert "cq-in-use" in driver.broken
    destroy_sq = struct.pack("<HB", ring.sq, DIRECTION_TX << 5)
    assert driver.command(Opcode.DESTROY_SQ, destroy_sq).status == 0
    assert driver.command(Opcode.DESTROY_CQ, destroy_cq).status == 0
    assert driver.command(Opcode.DESTROY_CQ, destroy_cq).status == AdminStatus.ILLEGAL
    assert driver.command(Opcode.DESTROY_SQ, destroy_sq).status == AdminStatus.ILLEGAL
    assert {"cq-unknown", "sq-unknown"} <= driver.broken


@pytest.mark.parametrize(
    ("words", "depth", "address", "vector", "rule"),
    [
        (3, 16, BASE, 1, "cq-entry-size"),
        (2, 15, BASE, 1, "ring-depth"),
        (2, 0, BASE, 1, "ring-depth"),
        (2, 2048, BASE, 1, "ring-depth"),
        (2, 16, BASE, 9, "cq-vector"),
        (2, 16, BASE, 0, "cq-vector"),
        (2, 16, BASE + 4, 1, "ring-alignment"),
        (2, 16, BASE + RAM - 8, 1, "dma-address"),
    ],
)
def test_bad_completion_queues(
    driver: Driver, words: int, depth: int, address: int, vector: int, rule: str
):
    answer = driver.create_cq(words, depth, address, vector=vector)
    assert answer.status == AdminStatus.ILLEGAL
    assert rule in driver.broken
    assert not driver.device.queues.completion


@pytest.mark.parametrize(
    ("direction", "cq", "depth", "address", "placement", "rule"),
    [
        (3, 0, 16, BASE, 1, "sq-direction"),
        (DIRECTION_TX, 7, 16, BASE, 1, "cq-unknown"),
        (DIRECTION_RX, 0, 16, BASE, 1, "sq-cq-shared"),
        (DIRECTION_TX, 0, 12, BASE, 1, "ring-depth"),
        (DIRECTION_TX, 0, 16, BASE + 8, 1, "ring-alignment"),
        (DIRECTION_TX, 0, 16, BASE + RAM - 16, 1, "dma-address"),
        (DIRECTION_TX, 0, 16, 0, 3, "sq-placement"),
        (DIRECTION_TX, 0, 16, BASE, 2, "sq-placement"),
        (DIRECTION_TX, 0, 16, BASE, 1 | 2 << 4, "sq-completion-policy"),
        (DIRECTION_TX, 0, 16, BASE, 1 | 3 << 4, "sq-completion-policy"),
    ],
)
def test_bad_submission_queues(
    driver: Driver,
    direction: int,
    cq: int,
    depth: int,
    address: int,
    placement: int,
    rule: str,
):
    assert driver.create_cq(2, 16, BASE).status == 0
    answer = driver.create_sq(direction, cq, depth, address, placement)
    assert answer.status == AdminStatus.ILLEGAL
    assert rule in driver.broken
    assert not driver.device.queues.tx


def test_a_completion_queue_serves_one_submission_queue(driver: Driver):
    ring = driver.tx_queue()
    answer = driver.create_sq(DIRECTION_TX, ring.cq, 16, driver.alloc(256))
    assert answer.status == AdminStatus.ILLEGAL
    assert "sq-cq-shared" in driver.broken


def test_receive_rings_may_be_as_deep_as_amazons_guides_say(driver: Driver):
    ring = driver.rx_queue(16384, fill=0)
    assert ring.depth == 16384
    assert driver.create_cq(4, 32768, BASE).status == AdminStatus.ILLEGAL
    assert driver.create_cq(2, 1024, BASE).status == 0


def test_a_ring_that_may_lie_in_pieces_breaks_a_rule(driver: Driver):
    assert driver.create_cq(2, 16, BASE).status == 0
    body = struct.pack("<BxBBHHQ", DIRECTION_TX << 5, 1, 0, 0, 16, driver.alloc(256))
    assert driver.command(Opcode.CREATE_SQ, body).status == 0
    assert "sq-contiguous" in driver.broken


def test_no_more_queues_than_the_card_has():
    driver = Driver(queues=2)
    driver.start()
    for _ in range(2):
        driver.tx_queue()
    for expected in (0, 0, AdminStatus.NO_RESOURCES):
        assert driver.create_cq(2, 16, driver.alloc(128)).status == expected


def test_polled_queue_has_no_unmask_register(driver: Driver):
    answer = driver.create_cq(2, 16, BASE, vector=0xFFFFFFFF, interrupts=False)
    assert answer.status == 0
    assert struct.unpack_from("<HHIII", answer.payload)[4] == 0


def test_vector_of_all_ones_means_polling_though_the_interrupt_bit_is_set(driver: Driver):
    ring = driver.tx_queue(vector=0xFFFFFFFF)
    assert ring.unmask == 0
    driver.raised.clear()
    driver.unmask()
    driver.send(ring, ipv4_frame())
    driver.now += 1
    assert driver.tx_completions(ring) == [0]
    assert 1 not in driver.raised
    assert not driver.broken


def test_firmware_that_insists_on_host_info():
    driver = Driver("strict-firmware")
    driver.start(host_info=False)
    assert driver.create_cq(2, 16, BASE).status == AdminStatus.UNKNOWN
    assert "host-info-absent" in driver.broken
    driver.set_host_info(version=1)
    assert driver.create_cq(2, 16, BASE).status == AdminStatus.UNKNOWN
    assert "host-info-version" in driver.broken
    driver.set_host_info(version=2)
    assert driver.create_cq(2, 16, BASE).status == 0


def test_firmware_that_insists_on_an_event_queue():
    driver = Driver("graviton")
    driver.set_rings(aenq=False)
    assert driver.command(Opcode.GET_STATS).status == AdminStatus.UNKNOWN
    assert "aenq-absent" in driver.broken
    driver.reset()
    driver.set_rings()
    assert driver.command(Opcode.GET_STATS).status == 0
