"""Checksums of received frames, right and wrong."""

from __future__ import annotations

import struct

import pytest

from nitro.ena.headers import STATUS_L4_CHECKED, Classifier
from nitro.ena.offload import (
    DATA_VALID,
    Buffer,
    checksum,
    finish_checksum,
    pseudo_sum,
    set_ipv4_checksum,
)
from nitro.ena.rss import Rss
from nitro.ena.verify import STATUS_L3_ERROR, STATUS_L4_ERROR, verdict
from tests.unit.ena.driver import MAC, PEER, Driver, ipv4_frame

ERRORS = STATUS_L3_ERROR | STATUS_L4_ERROR
OFFSET = {6: 16, 17: 6}


def good4(protocol: int = 6, payload: bytes = b"odd") -> bytearray:
    """A frame over IPv4 with the sums it should have."""
    frame = bytearray(ipv4_frame(payload, protocol=protocol))
    set_ipv4_checksum(frame, 14, 34)
    return finished(frame, 34, frame[26:34], protocol)


def good6(protocol: int = 6) -> bytearray:
    l4 = ipv4_frame(b"six", protocol=protocol)[34:]
    addresses = bytes(range(32))
    header = struct.pack(">IHBB", 6 << 28, len(l4), protocol, 64) + addresses
    frame = bytearray(MAC + PEER + b"\x86\xdd" + header + l4)
    return finished(frame, 54, addresses, protocol)


def finished(frame: bytearray, l4: int, addresses: Buffer, protocol: int) -> bytearray:
    at = l4 + OFFSET[protocol]
    frame[at : at + 2] = pseudo_sum(addresses, protocol, len(frame) - l4).to_bytes(2, "big")
    finish_checksum(frame, l4, OFFSET[protocol])
    return frame


def judged(frame: bytes | bytearray) -> int:
    flow = Classifier(Rss()).classify(bytes(frame[:128]))
    assert flow.status & STATUS_L4_CHECKED
    return verdict(flow.status, frame)


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


def test_udp_without_a_sum_is_not_checked():
    frame = good4(17)
    frame[40:42] = bytes(2)
    assert judged(frame) & (ERRORS | STATUS_L4_CHECKED) == 0


def test_the_card_checks_what_the_port_does_not_vouch_for():
    driver = Driver()
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
