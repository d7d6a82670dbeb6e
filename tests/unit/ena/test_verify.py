"""Checksums of received frames, right and wrong."""

from __future__ import annotations

import pytest

from nitro.ena.headers import STATUS_L4_CHECKED
from nitro.ena.offload import DATA_VALID, checksum
from nitro.ena.profiles import ALL_RX_OFFLOADS
from nitro.ena.verify import STATUS_L3_ERROR, STATUS_L4_ERROR
from tests.unit.ena.driver import Driver
from tests.unit.ena.frames import good4, good6, judged

ERRORS = STATUS_L3_ERROR | STATUS_L4_ERROR


FRAMES = [good4(), good4(17), good4(6, b""), good6(), good6(17)]


@pytest.mark.parametrize("frame", FRAMES)
def test_right_sums(frame: bytearray):
    assert judged(frame) & ERRORS == 0
    assert judged(frame) & STATUS_L4_CHECKED
    padded = frame + bytes(10)  # as short frames are on a cable
    assert judged(padded) & ERRORS == 0
    tagged = frame[:12] + b"\x81\x00\x00\x05" + frame[12:]
    assert judged(tagged) & ERRORS == 0


@pytest.mark.parametrize("frame", FRAMES)
def test_any_changed_byte_is_seen(frame: bytearray):
    for at in range(34 if frame[12] == 8 else 54, len(frame)):
        changed = bytearray(frame)
        changed[at] ^= 0x10
        assert judged(changed) & STATUS_L4_ERROR, at


def test_a_wrong_ip_header():
    frame = good4()
    frame[22] ^= 1  # time to live
    assert judged(frame) & ERRORS == STATUS_L3_ERROR


def test_lengths_that_lie():
    frame = good4()
    frame[16:18] = (2000).to_bytes(2, "big")
    assert judged(frame) & STATUS_L4_ERROR
    frame[16:18] = bytes(2)
    assert judged(frame) & STATUS_L4_ERROR


def test_a_packet_that_ends_with_its_ip_header_is_wrong_whatever_its_sum():
    frame = good4()
    frame[16:18] = (20).to_bytes(2, "big")
    rest = 0xFFFF - sum(pseudo_words(frame[26:32])) - 6
    frame[32:34] = rest.to_bytes(2, "big")  # the sum of nothing but addresses and protocol is 0
    assert judged(frame) & STATUS_L4_ERROR


def pseudo_words(addresses: bytes | bytearray) -> list[int]:
    return [int.from_bytes(addresses[at : at + 2], "big") for at in range(0, len(addresses), 2)]


def test_udp_without_a_sum_is_not_checked():
    frame = good4(17)
    frame[40:42] = bytes(2)
    assert judged(frame) & (ERRORS | STATUS_L4_CHECKED) == 0


def test_the_card_checks_what_the_port_does_not_vouch_for():
    driver = Driver(rx_offloads=ALL_RX_OFFLOADS)
    driver.start()
    ring = driver.rx_queue(fill=0)
    for size in (2048, 2048, 50, 50, 50, 2048):
        driver.fill(ring, 1, size=size)
    wrong = good4()
    wrong[-1] ^= 1
    assert checksum(wrong[14:34]) == 0
    driver.port.deliver(bytes(wrong))
    driver.port.deliver(bytes(wrong), bytes((DATA_VALID,)) + bytes(9))
    driver.port.deliver(bytes(good4(payload=bytes(60))))
    driver.run()
    verdicts = [status & (ERRORS | STATUS_L4_CHECKED) for status, _, _ in driver.received(ring)]
    assert verdicts == [STATUS_L4_ERROR | STATUS_L4_CHECKED, STATUS_L4_CHECKED, STATUS_L4_CHECKED]
