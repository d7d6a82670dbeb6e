"""Offloads that do not fit: what the card makes of headers that contradict the descriptors."""

from __future__ import annotations

import pytest

from nitro.ena.constants import TxOffload
from nitro.ena.offload import pseudo_sum, wire_frames
from tests.unit.ena.driver import (
    Driver,
    data_descriptor,
    meta_descriptor,
)
from tests.unit.ena.frames import OFFSET, good4, good6, judged
from tests.unit.ena.offloads import (
    CSUM_PARTIAL,
    ERRORS,
    FRAME,
    IPV4_TCP,
    L3_CSUM,
    TSO,
    post,
    with_offloads,
)


@pytest.fixture
def driver() -> Driver:
    return with_offloads()


@pytest.mark.parametrize(
    ("w1", "meta"),
    [
        (IPV4_TCP | TSO, meta_descriptor(20, l4_words=5, mss=0)),
        (IPV4_TCP | TSO, meta_descriptor(20, l4_words=4, mss=1000)),
        (IPV4_TCP | TSO, meta_descriptor(200, l4_words=5, mss=1000)),
        (8 | 13 << 8 | TSO, meta_descriptor(20, l4_words=5, mss=1000)),
        (0 | 12 << 8 | CSUM_PARTIAL, meta_descriptor(20)),
        (8 | 5 << 8 | CSUM_PARTIAL, meta_descriptor(20)),
        (IPV4_TCP | CSUM_PARTIAL, meta_descriptor(4)),
    ],
)
def test_offloads_that_do_not_fit_the_packet(
    driver: Driver, w1: int, meta: tuple[int, int, int, int]
):
    ring = driver.tx_queue()
    post(driver, ring, FRAME, w1, meta)
    assert "tx-offload" in driver.broken
    assert driver.port.sent == []
    assert driver.tx_completions(ring) == [0]


FRAGMENT = bytes((*FRAME[:20], 0x20, 0, *FRAME[22:]))
LATER_FRAGMENT = bytes((*FRAME[:20], 0, 5, *FRAME[22:]))
ESP = bytes((*FRAME[:23], 50, *FRAME[24:]))
IPV4_UDP, IPV6_TCP = 8 | 13 << 8, 11 | 12 << 8
FULL = 1 << 14


@pytest.mark.parametrize(
    ("frame", "w1", "l3_length"),
    [
        (ESP, IPV4_UDP | CSUM_PARTIAL, 20),
        (ESP, IPV4_TCP | TSO, 20),
        (FRAME, IPV4_UDP | CSUM_PARTIAL, 20),
        (FRAME, IPV4_UDP | FULL, 20),
        (FRAGMENT, IPV4_TCP | CSUM_PARTIAL, 20),
        (LATER_FRAGMENT, IPV4_TCP | FULL, 20),
        (FRAGMENT, IPV4_TCP | TSO, 20),
        (FRAME, IPV4_TCP | CSUM_PARTIAL, 24),
        (FRAME, IPV6_TCP | CSUM_PARTIAL, 40),
        (bytes(good6()), IPV4_TCP | CSUM_PARTIAL, 40),
        (bytes(good6()), IPV6_TCP | L3_CSUM, 40),
        (bytes(good6()), IPV6_TCP | CSUM_PARTIAL | L3_CSUM, 40),
        (bytes(good6()), 11 | 13 << 8 | CSUM_PARTIAL, 40),
    ],
)
def test_offloads_that_the_headers_contradict_are_dropped(
    driver: Driver, frame: bytes, w1: int, l3_length: int
):
    ring = driver.tx_queue()
    post(driver, ring, frame, w1, meta_descriptor(l3_length, l4_words=5, mss=1000))
    assert driver.broken == {"tx-offload-mismatch"}
    assert driver.port.sent == []
    assert driver.device.counters.tx_drops == 1
    assert driver.tx_completions(ring) == [0]


@pytest.mark.parametrize("l3_csum", [0, L3_CSUM])
def test_a_fragment_may_have_its_header_summed(driver: Driver, l3_csum: int):
    post(driver, driver.tx_queue(), FRAGMENT, 8 | l3_csum, meta_descriptor(20))
    assert not driver.broken
    assert len(driver.port.sent) == 1


@pytest.mark.parametrize("w1", [IPV4_TCP | TSO, IPV4_TCP | CSUM_PARTIAL, IPV4_TCP | FULL])
@pytest.mark.parametrize("first", [14, 34, 50])
def test_headers_beyond_the_first_descriptor_are_dropped(driver: Driver, w1: int, first: int):
    ring = driver.tx_queue()
    address = driver.alloc(len(FRAME))
    driver.poke(address, FRAME)
    driver.descriptor(ring, meta_descriptor(20, l4_words=5, mss=1000))
    driver.descriptor(ring, data_descriptor(address, first, first=False, last=False, w1=w1))
    driver.descriptor(ring, data_descriptor(address + first, len(FRAME) - first, first=False))
    driver.ring(ring)
    driver.run()
    assert driver.broken == {"tx-headers"}
    assert driver.port.sent == []


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("protocol", [6, 17])
def test_the_full_checksum_covers_what_ip_says_and_no_padding(
    driver: Driver, ipv6: bool, protocol: int
):
    whole = good6(protocol, b"x") if ipv6 else good4(protocol, b"x")
    blank = bytearray(whole)
    at = (54 if ipv6 else 34) + OFFSET[protocol]
    blank[at : at + 2] = b"\0\0"
    w1 = (11 if ipv6 else 8) | (12 if protocol == 6 else 13) << 8 | FULL
    padded = bytes(blank).ljust(90, b"\0")
    post(driver, driver.tx_queue(), padded, w1, meta_descriptor(40 if ipv6 else 20))
    ((header, sent),) = driver.port.sent
    (wire,) = wire_frames(header, bytearray(sent))
    assert wire == bytes(whole).ljust(90, b"\0")


@pytest.mark.parametrize(("l3_csum", "correct"), [(0, False), (L3_CSUM, True)])
def test_the_sum_of_ip_is_written_only_where_it_is_asked_for(
    driver: Driver, l3_csum: int, correct: bool
):
    frame = good4(6, b"x")
    asked = frame[:24] + b"\xbe\xef" + frame[26:]
    post(driver, driver.tx_queue(), bytes(asked), IPV4_TCP | FULL | l3_csum, meta_descriptor(20))
    ((header, sent),) = driver.port.sent
    (wire,) = wire_frames(header, bytearray(sent))
    assert wire == bytes(frame if correct else asked)


@pytest.mark.parametrize("seeded", [True, False])
@pytest.mark.parametrize("protocol", [6, 17])
def test_a_card_with_partial_sums_alone_does_what_freebsd_and_dpdk_ask(protocol: int, seeded: bool):
    """They leave the partial bit clear, and have put the pseudo header's sum there or not."""
    driver = Driver("c5")
    driver.start()
    assert driver.profile.tx_offloads == TxOffload.L4_V4_PARTIAL
    frame = good4(protocol)
    asked, at = bytearray(frame), 34 + OFFSET[protocol]
    seed = pseudo_sum(frame[26:34], protocol, len(frame) - 34) if seeded else 0
    asked[at : at + 2] = seed.to_bytes(2, "big")
    w1 = 8 | (12 if protocol == 6 else 13) << 8 | FULL
    post(driver, driver.tx_queue(), bytes(asked), w1, meta_descriptor(20))
    ((header, sent),) = driver.port.sent
    assert list(wire_frames(header, bytearray(sent))) == [frame]
    assert not driver.broken


def test_segmentation_without_a_transport_protocol_is_of_tcp(driver: Driver):
    frame = good4(payload=bytes(3000))
    meta = meta_descriptor(20, l4_words=5, mss=1000)
    post(driver, driver.tx_queue(), bytes(frame), 8 | 1 << 7, meta)
    ((header, sent),) = driver.port.sent
    wire = list(wire_frames(header, bytearray(sent)))
    assert len(wire) == 3
    assert not any(judged(piece) & ERRORS for piece in wire)


def test_offload_that_was_not_offered():
    driver = Driver("minimal")
    driver.start()
    ring = driver.tx_queue()
    post(driver, ring, FRAME, IPV4_TCP | CSUM_PARTIAL, meta_descriptor(20))
    assert "tx-offload" in driver.broken
