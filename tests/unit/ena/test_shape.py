"""A shaped card: packets beyond the type's rates wait, and are counted as allowances exceeded."""

from __future__ import annotations

import struct

import pytest

from nitro.ena.constants import Opcode, StatsType
from nitro.ena.shape import Shape, parse
from nitro.errors import InputError
from tests.unit.ena.driver import Driver, ipv4_frame

FRAME = ipv4_frame().ljust(1000, b"\0")
MBIT_8 = 8e6  # a frame of 1000 bytes takes 1 ms
BURST = 10  # frames that go at once: 10 ms of the rate


def shaped(**bounds) -> Driver:
    driver = Driver(shape=Shape(**bounds))
    driver.start()
    return driver


def allowances(driver: Driver) -> tuple[int, ...]:
    """bw in, bw out, pps, conntrack, linklocal, as the driver asks for them."""
    body = struct.pack("<IQBBxxHHQ", 0, 0, StatsType.ENI, 0, 0, 0xFFFF, 0)
    answer = driver.command(Opcode.GET_STATS, body)
    assert answer.status == 0
    return struct.unpack_from("<5Q", answer.payload)


def pass_time(driver: Driver, seconds: float) -> None:
    """Let the clock run, with the card awake whenever it asked to be."""
    end = driver.now + seconds
    while driver.now < end:
        driver.now = min(end, max(driver.device.tick(), driver.now + 1e-6))
        driver.run()


def test_frames_beyond_the_bandwidth_out_wait_and_are_counted():
    driver = shaped(bits_out=MBIT_8)
    ring = driver.tx_queue(depth=64)
    for _ in range(31):
        driver.send(ring, FRAME)
    assert len(driver.port.sent) == BURST + 1  # the last one on credit
    assert not driver.device.blocked  # the port has room: waiting for it would be for nothing
    pass_time(driver, 0.0105)
    assert len(driver.port.sent) == BURST + 11
    pass_time(driver, 0.1)
    assert len(driver.port.sent) == 31
    assert allowances(driver) == (0, 20, 0, 0, 0)
    assert len(driver.tx_completions(ring)) == 31


def test_frames_beyond_the_bandwidth_in_wait_at_the_port_and_are_counted():
    driver = shaped(bits_in=MBIT_8)
    driver.rx_queue(depth=64)
    for _ in range(30):
        driver.port.deliver(FRAME)
    driver.run()
    assert 30 - len(driver.port.waiting) == BURST + 1
    assert not driver.device.wants_frames  # the loop is not to ask until there is something to do
    pass_time(driver, 0.1)
    assert not driver.port.waiting
    assert allowances(driver) == (19, 0, 0, 0, 0)


def test_packets_of_both_directions_share_their_allowance():
    driver = shaped(packets=1000)
    tx = driver.tx_queue(depth=64)
    driver.rx_queue(depth=64)
    for _ in range(BURST):
        driver.send(tx, FRAME)
    driver.port.deliver(FRAME)
    driver.port.deliver(FRAME)
    driver.run()
    assert len(driver.port.waiting) == 1
    pass_time(driver, 0.1)
    assert allowances(driver) == (0, 0, 1, 0, 0)


def test_what_stays_within_the_rates_is_not_counted():
    driver = shaped(bits_in=MBIT_8, bits_out=MBIT_8, packets=1000)
    tx = driver.tx_queue(depth=64)
    driver.rx_queue(depth=64)
    for _ in range(30):
        driver.send(tx, FRAME)
        driver.port.deliver(FRAME)
        driver.run()
        pass_time(driver, 0.0021)
    assert len(driver.port.sent) == 30
    assert allowances(driver) == (0, 0, 0, 0, 0)


def test_a_frame_that_comes_after_a_pause_did_not_wait():
    driver = shaped(bits_in=MBIT_8)
    driver.rx_queue(depth=64)
    for _ in range(BURST + 1):
        driver.port.deliver(FRAME)
    driver.run()
    pass_time(driver, 0.05)
    driver.port.deliver(FRAME)
    driver.run()
    assert allowances(driver) == (0, 0, 0, 0, 0)


def test_an_uncounted_shape_is_slow_for_no_reason_that_a_counter_gives():
    driver = shaped(bits_out=MBIT_8, counted=False)
    ring = driver.tx_queue(depth=64)
    for _ in range(31):
        driver.send(ring, FRAME)
    assert len(driver.port.sent) == BURST + 1
    pass_time(driver, 0.1)
    assert len(driver.port.sent) == 31
    assert allowances(driver) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("in=500M", Shape(bits_in=500e6)),
        ("out=1.5G,packets=20K", Shape(bits_out=1.5e9, packets=20e3)),
        ("uncounted,in=900K,out=1", Shape(bits_in=900e3, bits_out=1, counted=False)),
    ],
)
def test_a_shape_is_written_as_rates(text, shape):
    assert parse(text) == shape


@pytest.mark.parametrize(
    "text",
    [
        *("", "in", "in=", "in=fast", "in=-5", "in=1e9", "in=0", "in=1,in=2", "up=5M"),
        *("uncounted", "in=5M,uncounted,uncounted", "in=inf", "in=5m", "in=5M,"),
    ],
)
def test_what_is_no_shape_is_refused(text):
    with pytest.raises(InputError):
        parse(text)
