"""Transmit: descriptors to frames, offloads, and what a driver can get wrong."""

from __future__ import annotations

import struct

import pytest

from nitro.ena.constants import DIRECTION_TX, TxOffload
from nitro.ena.offload import PLAIN, Offload, checksum, pseudo_sum, wire_frames
from tests.unit.ena.driver import (
    BASE,
    RAM,
    Driver,
    data_descriptor,
    ipv4_frame,
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


def test_a_frame_goes_out_and_is_completed(driver: Driver):
    ring = driver.tx_queue()
    driver.send(ring, FRAME, req_id=5)
    assert driver.port.sent == [(PLAIN, FRAME)]
    assert driver.tx_completions(ring) == [5]


def test_req_ids_are_echoed_though_larger_than_the_ring(driver: Driver):
    ring = driver.tx_queue()
    driver.send(ring, FRAME, req_id=0xFC04)
    assert driver.tx_completions(ring) == [0xFC04]


def test_a_frame_in_many_descriptors(driver: Driver):
    ring = driver.tx_queue(depth=32)
    frame = bytes(range(256)) * 30
    driver.send(ring, frame, pieces=17)
    assert driver.port.sent == [(PLAIN, frame)]
    assert driver.tx_completions(ring) == [0]


def test_many_trips_round_the_ring(driver: Driver):
    ring = driver.tx_queue(depth=4)
    for n in range(50):
        driver.send(ring, FRAME, req_id=n)
        assert driver.tx_completions(ring) == [n]
    assert len(driver.port.sent) == 50


def test_a_full_port_holds_frames_back_and_loses_none(driver: Driver):
    ring = driver.tx_queue()
    driver.port.full = True
    for n in range(3):
        driver.send(ring, FRAME, req_id=n)
    assert driver.device.blocked
    assert driver.tx_completions(ring) == []
    driver.port.full = False
    driver.run()
    assert not driver.device.blocked
    assert len(driver.port.sent) == 3
    assert driver.tx_completions(ring) == [0, 1, 2]


def test_partial_checksum_is_left_to_the_port(driver: Driver):
    ring = driver.tx_queue()
    post(driver, ring, FRAME, IPV4_TCP | CSUM_PARTIAL, meta_descriptor(20))
    header, frame = driver.port.sent[0]
    assert Offload.parse(header) == Offload(flags=1, csum_start=34, csum_offset=16)
    assert frame == FRAME


def test_full_checksum_is_seeded_by_the_card(driver: Driver):
    ring = driver.tx_queue()
    post(driver, ring, FRAME, IPV4_TCP | 1 << 14, meta_descriptor(20))
    (wire,) = wire_frames(driver.port.sent[0][0], bytearray(driver.port.sent[0][1]))
    assert tcp_checksum_is_right(bytes(wire))


@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize("protocol", [6, 17])
@pytest.mark.parametrize("ipv6", [False, True])
def test_checksums_of_every_kind(driver: Driver, ipv6: bool, protocol: int, partial: bool):
    frame = good6(protocol) if ipv6 else good4(protocol)
    l4 = 54 if ipv6 else 34
    at = l4 + OFFSET[protocol]
    addresses = frame[22:54] if ipv6 else frame[26:34]
    seed = pseudo_sum(addresses, protocol, len(frame) - l4) if partial else 0
    sent = frame[:at] + seed.to_bytes(2, "big") + frame[at + 2 :]
    w1 = (11 if ipv6 else 8) | {6: 12, 17: 13}[protocol] << 8 | 1 << 14 | partial << 17
    post(driver, driver.tx_queue(), bytes(sent), w1, meta_descriptor(l4 - 14))
    (wire,) = wire_frames(driver.port.sent[0][0], bytearray(driver.port.sent[0][1]))
    assert wire == frame


@pytest.mark.parametrize("ecn", [False, True])
@pytest.mark.parametrize("ipv6", [False, True])
def test_segmentation_of_every_kind(driver: Driver, ipv6: bool, ecn: bool):
    payload = bytes(range(250)) * 20
    frame = good6(payload=payload) if ipv6 else good4(payload=payload)
    l4 = 54 if ipv6 else 34
    frame[l4 + 13] |= 0x80 * ecn  # CWR
    w1 = (11 | TSO & ~L3_CSUM if ipv6 else 8 | TSO) | 12 << 8
    meta = meta_descriptor(l4 - 14, l4_words=5, mss=1000)
    post(driver, driver.tx_queue(), bytes(frame), w1, meta)
    header, sent = driver.port.sent[0]
    assert bool(header[1] & 0x80) == ecn
    wire = list(wire_frames(header, bytearray(sent)))
    assert all(not judged(piece) & ERRORS for piece in wire)
    assert b"".join(piece[l4 + 20 :] for piece in wire) == payload
    addresses = slice(22, 54) if ipv6 else slice(26, 34)
    for kept in (slice(0, 14), addresses, slice(l4, l4 + 4)):
        assert {bytes(piece[kept]) for piece in wire} == {bytes(frame[kept])}
    assert [piece[l4 + 13] & 0x80 for piece in wire] == [0x80 * ecn, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("offered", "w1", "refused"),
    [
        (TxOffload.L4_V4_PARTIAL, IPV4_TCP | CSUM_PARTIAL, False),
        (TxOffload.L4_V4_FULL, IPV4_TCP | CSUM_PARTIAL, True),
        (TxOffload.L4_V4_FULL, IPV4_TCP | 1 << 14, False),
        (TxOffload.L4_V4_PARTIAL, IPV4_TCP | 1 << 14, False),
        (TxOffload.L4_V6_FULL, IPV4_TCP | 1 << 14, True),
        (TxOffload.L4_V6_PARTIAL, IPV4_TCP | CSUM_PARTIAL, True),
        (TxOffload.L3_CSUM, 8 | 1 << 13, False),
        (TxOffload.L4_V4_PARTIAL, 8 | 1 << 13, True),
    ],
)
def test_each_offload_must_have_been_offered(offered: TxOffload, w1: int, refused: bool):
    driver = Driver(tx_offloads=offered)
    driver.start()
    post(driver, driver.tx_queue(), FRAME, w1, meta_descriptor(20))
    assert ("tx-offload" in driver.broken) == refused


def test_ipv4_header_checksum(driver: Driver):
    ring = driver.tx_queue()
    post(driver, ring, FRAME, 8 | 1 << 13, meta_descriptor(20))
    _, frame = driver.port.sent[0]
    assert checksum(frame[14:34]) == 0


def test_segmentation_is_described_to_the_port(driver: Driver):
    ring = driver.tx_queue()
    frame = ipv4_frame(bytes(range(250)) * 100)
    post(driver, ring, frame, IPV4_TCP | TSO, meta_descriptor(20, l4_words=5, mss=1000))
    header, sent = driver.port.sent[0]
    assert Offload.parse(header) == Offload(1, 1, 54, 1000, 34, 16)
    wire = list(wire_frames(header, bytearray(sent)))
    assert len(wire) == 25
    assert all(tcp_checksum_is_right(bytes(f)) and checksum(f[14:34]) == 0 for f in wire)
    assert b"".join(bytes(f[54:]) for f in wire) == frame[54:]
    sequences = [int.from_bytes(f[38:42], "big") for f in wire]
    assert sequences == [1 + 1000 * n for n in range(25)]
    assert [f[47] for f in wire] == [0x10] * 24 + [0x18]


def test_a_meta_descriptor_is_remembered_where_caching_is_allowed(driver: Driver):
    ring = driver.tx_queue()
    post(driver, ring, FRAME, IPV4_TCP | CSUM_PARTIAL, meta_descriptor(20))
    address = driver.alloc(len(FRAME))
    driver.poke(address, FRAME)
    driver.descriptor(ring, data_descriptor(address, len(FRAME), w1=IPV4_TCP | CSUM_PARTIAL))
    driver.ring(ring)
    driver.run()
    assert [header[0] for header, _ in driver.port.sent] == [1, 1]


# What a driver gets wrong.


def test_stale_phase_stops_the_queue(driver: Driver):
    ring = driver.tx_queue()
    driver.descriptor(ring, data_descriptor(BASE, 64), phase=0)
    driver.ring(ring)
    driver.run()
    assert "tx-phase" in driver.broken
    driver.send(ring, FRAME)
    assert driver.port.sent == []


def test_packet_without_first(driver: Driver):
    ring = driver.tx_queue()
    driver.descriptor(ring, data_descriptor(BASE, 64, first=False))
    driver.ring(ring)
    driver.run()
    assert "tx-first-last" in driver.broken


def test_packet_without_last(driver: Driver):
    ring = driver.tx_queue()
    driver.descriptor(ring, data_descriptor(BASE, 64, last=False))
    driver.ring(ring)
    driver.run()
    assert "tx-first-last" in driver.broken
    assert driver.port.sent == []


def test_first_inside_a_packet(driver: Driver):
    ring = driver.tx_queue()
    driver.descriptor(ring, data_descriptor(BASE, 64, last=False))
    driver.descriptor(ring, data_descriptor(BASE, 64))
    driver.ring(ring)
    driver.run()
    assert "tx-first-last" in driver.broken


def test_tail_further_than_the_ring(driver: Driver):
    ring = driver.tx_queue()
    driver.write(ring.doorbell, 17)
    driver.run()
    assert "doorbell-tail" in driver.broken
    assert driver.port.sent == []


@pytest.mark.parametrize("address", [0, BASE + RAM - 10, BASE - 64, (1 << 48) - 64])
def test_buffer_outside_memory_costs_the_packet_only(driver: Driver, address: int):
    ring = driver.tx_queue()
    driver.descriptor(ring, data_descriptor(address, 64, 1))
    driver.ring(ring)
    driver.run()
    assert "dma-address" in driver.broken
    assert driver.tx_completions(ring) == [1]
    assert driver.device.counters.tx_drops == 1
    driver.send(ring, FRAME, req_id=2)
    assert driver.port.sent == [(PLAIN, FRAME)]


def test_too_many_descriptors(driver: Driver):
    ring = driver.tx_queue(depth=64)
    driver.send(ring, bytes(2000), pieces=20)
    assert "tx-too-many-descriptors" in driver.broken
    assert driver.tx_completions(ring) == [0]
    assert driver.port.sent == []


@pytest.mark.parametrize("length", [13, 20_000])
def test_packets_that_are_too_short_or_too_long(driver: Driver, length: int):
    ring = driver.tx_queue()
    driver.send(ring, bytes(length))
    assert "tx-length" in driver.broken
    assert driver.port.sent == []


@pytest.mark.parametrize("length", [14, 9216 + 18])
def test_the_shortest_and_the_longest_packet_go_out(driver: Driver, length: int):
    assert (driver.profile.max_mtu, driver.broken) == (9216, set())
    driver.send(driver.tx_queue(), bytes(length))
    driver.send(driver.tx_queue(), bytes(14 if length > 14 else 9216 + 19))
    assert len(driver.port.sent[0][1]) == length
    assert ("tx-length" in driver.broken) == (length == 14)


@pytest.mark.parametrize("over", [0, 1])
def test_the_longest_segment_is_all_that_an_ip_length_can_say(driver: Driver, over: int):
    frame = bytes(good4()).ljust(65_535 + 18 + over, b"\0")
    ring = driver.tx_queue(depth=32)
    driver.descriptor(ring, meta_descriptor(20, l4_words=5, mss=1000))
    for at in range(0, len(frame), 16_000):
        piece = frame[at : at + 16_000]
        address = driver.alloc(len(piece))
        driver.poke(address, piece)
        last, w1 = at + 16_000 >= len(frame), IPV4_TCP | TSO if at == 0 else 0
        words = data_descriptor(address, len(piece), first=False, last=last, w1=w1)
        driver.descriptor(ring, words)
    driver.ring(ring)
    driver.run()
    assert driver.broken == ({"tx-length"} if over else set())
    assert len(driver.port.sent) == 1 - over


def test_reserved_bits(driver: Driver):
    ring = driver.tx_queue()
    w0, *rest = data_descriptor(driver.alloc(64), 64)
    driver.descriptor(ring, (w0 | 1 << 22, rest[0], rest[1], rest[2]))
    driver.ring(ring)
    driver.run()
    assert "tx-reserved" in driver.broken


def test_doorbell_of_no_queue(driver: Driver):
    driver.write(0x1000 + 4 * 3, 1)
    driver.write(0x1400 + 4 * 3, 1)
    assert driver.device.rules.broken["doorbell-unknown"] == 2


def test_link_down_loses_frames(driver: Driver):
    ring = driver.tx_queue()
    driver.device.notices.set_link(False)
    driver.send(ring, FRAME)
    assert driver.port.sent == []
    assert driver.tx_completions(ring) == [0]


def test_unmapped_ring_stops_the_queue(driver: Driver):
    ring = driver.tx_queue()
    driver.memory.unmap(BASE, RAM)
    driver.write(ring.doorbell, 1)
    driver.device.run()
    assert "dma-address" in driver.broken
    assert driver.device.queues.tx[ring.sq].stopped


def test_destroyed_queue_no_longer_runs(driver: Driver):
    ring = driver.tx_queue()
    driver.command(2, struct.pack("<HB", ring.sq, DIRECTION_TX << 5))
    driver.send(ring, FRAME)
    assert "doorbell-unknown" in driver.broken
    assert driver.port.sent == []


def tcp_checksum_is_right(frame: bytes) -> bool:
    pseudo = frame[26:34] + struct.pack(">HH", 6, len(frame) - 34)
    return checksum(pseudo + frame[34:]) == 0
