"""Completions, field by field."""

from __future__ import annotations

import struct

from tests.unit.ena.driver import Driver, ipv4_frame

FRAME = ipv4_frame()


def test_a_tx_completion_names_its_queue_and_how_far_it_was_read() -> None:
    driver = Driver()
    driver.start()
    driver.tx_queue()
    ring = driver.tx_queue()
    for number in range(3):
        driver.send(ring, FRAME, req_id=7 + number, pieces=2)
    found = [struct.unpack("<HBBHH", driver.peek(ring.cq_address + 8 * n, 8)) for n in range(4)]
    assert found[:3] == [(7 + n, 0, 1, ring.sq, 2 * n + 2) for n in range(3)]
    assert found[3] == (0, 0, 0, 0, 0)


def test_an_rx_completion_has_the_length_and_the_buffer() -> None:
    driver = Driver()
    driver.start()
    ring = driver.rx_queue()
    for _ in range(2):
        driver.port.deliver(FRAME)
        driver.run()
    found = [struct.unpack("<IHH", driver.peek(ring.cq_address + 16 * n, 8)) for n in range(3)]
    first_last_phase = 1 << 26 | 1 << 27 | 1 << 24
    for number, (status, length, req_id) in enumerate(found[:2]):
        assert status & first_last_phase == first_last_phase
        assert (length, req_id) == (len(FRAME), number)
    assert found[2] == (0, 0, 0)
