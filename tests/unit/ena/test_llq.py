"""LLQ: negotiation, entries in BAR 2, its limits."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest

from nitro.ena.constants import DIRECTION_TX, PLACEMENT_DEVICE, AdminStatus, Feature
from nitro.ena.offload import PLAIN
from tests.unit.ena.driver import BASE, Driver, Ring, data_descriptor, ipv4_frame, meta_descriptor

FRAME = ipv4_frame(bytes(range(200)))
FIELDS = "<2I8HBBHHHI"


def negotiate(
    driver: Driver, *, size: int = 1, before: int = 2, stride: int = 2, flags: int = 3
) -> int:
    payload = bytearray(36)
    for at, value in ((10, 1), (14, size), (18, before), (22, stride), (28, flags)):
        struct.pack_into("<H", payload, at, value)
    return driver.set_feature(Feature.LLQ, bytes(payload)).status


@pytest.fixture
def driver() -> Driver:
    made = Driver()
    made.start()
    return made


def push(
    driver: Driver,
    ring: Ring,
    frame: bytes,
    header: int,
    *,
    entry_size: int = 128,
    before: int = 2,
    stride: int = 2,
    meta: bool = True,
    pieces: int = 1,
) -> None:
    """Write one packet: `header` bytes inline, the rest in `pieces` buffers."""
    assert ring.llq is not None
    rest = frame[header:]
    size = -(-len(rest) // pieces) if rest else 0
    descriptors = [meta_descriptor(20)] if meta else []
    for n in range(pieces):
        piece = rest[n * size : (n + 1) * size]
        address = driver.alloc(len(piece)) if piece else 0
        if piece:
            driver.poke(address, piece)
        first = n == 0
        descriptors.append(
            data_descriptor(
                address,
                len(piece),
                first=first and not meta,
                last=n == pieces - 1,
                header=header if first else 0,
            )
        )
    chunks = [descriptors[:before]]
    per_entry = entry_size // 16 if stride == 2 else 1
    for at in range(before, len(descriptors), per_entry):
        chunks.append(descriptors[at : at + per_entry])
    for number, chunk in enumerate(chunks):
        entry = bytearray(entry_size)
        phase = 1 ^ (ring.tail // ring.depth & 1)
        for at, words in enumerate(chunk):
            struct.pack_into("<4I", entry, at * 16, words[0] | phase << 24, *words[1:])
        if number == 0:
            entry[16 * before : 16 * before + header] = frame[:header]
        start = ring.llq + ring.tail % ring.depth * entry_size
        driver.bar2[start : start + entry_size] = entry[:entry_size]
        ring.tail += 1
    driver.ring(ring)
    driver.run()


def test_what_is_offered_is_readable(driver: Driver):
    fields = struct.unpack_from(FIELDS, driver.get_feature(Feature.LLQ).payload)
    number, depth, location, _, sizes, _, before, _, stride = fields[:9]
    assert (number, depth) == (8, 1024)
    assert location & 1
    assert sizes & 1
    assert before & 2
    assert stride & 2


def test_inline_header_and_data(driver: Driver):
    assert negotiate(driver) == 0
    ring = driver.tx_queue(llq=True)
    push(driver, ring, FRAME, 96)
    assert driver.port.sent == [(PLAIN, FRAME)]
    assert driver.tx_completions(ring) == [0]


def test_whole_packet_inline(driver: Driver):
    negotiate(driver)
    ring = driver.tx_queue(llq=True)
    push(driver, ring, FRAME[:60], 60)
    assert driver.port.sent == [(PLAIN, FRAME[:60])]


@pytest.mark.parametrize(("before", "stride"), [(1, 2), (4, 2), (2, 1), (4, 1)])
def test_packets_over_several_entries(driver: Driver, before: int, stride: int):
    negotiate(driver, before=before, stride=stride)
    ring = driver.tx_queue(depth=64, llq=True)
    for _ in range(20):
        push(driver, ring, FRAME * 8, 48, before=before, stride=stride, pieces=12)
    assert driver.port.sent == [(PLAIN, FRAME * 8)] * 20
    assert len(driver.tx_completions(ring)) == 20


@pytest.mark.parametrize(("before", "header"), [(2, 224), (8, 128)])
def test_wide_entries(before: int, header: int):
    driver = Driver("c6in")
    driver.start()
    assert negotiate(driver, size=4, before=before) == 0
    ring = driver.tx_queue(llq=True)
    push(driver, ring, FRAME, header, entry_size=256, before=before)
    assert driver.port.sent == [(PLAIN, FRAME)]


def test_wide_entries_halve_the_depth():
    driver = Driver("c6in")
    driver.start()
    negotiate(driver, size=4)
    cq = driver.create_cq(2, 1024, BASE).payload
    answer = driver.create_sq(DIRECTION_TX, cq[0], 1024, 0, PLACEMENT_DEVICE)
    assert answer.status == AdminStatus.ILLEGAL


def test_queues_have_memory_of_their_own(driver: Driver):
    negotiate(driver)
    rings = [driver.tx_queue(llq=True) for _ in range(8)]
    offsets = sorted(ring.llq for ring in rings if ring.llq is not None)
    assert all(b - a >= 1024 * 128 for a, b in pairwise(offsets))
    assert offsets[-1] + 1024 * 128 <= len(driver.bar2)


@pytest.mark.parametrize(
    "wrong", [{"size": 4}, {"size": 0}, {"before": 3}, {"before": 8}, {"stride": 3}]
)
def test_values_outside_the_offer_are_refused(driver: Driver, wrong: dict[str, int]):
    assert negotiate(driver, **wrong) == AdminStatus.ILLEGAL
    assert "feature-value" in driver.broken


def test_queue_before_negotiation(driver: Driver):
    cq = driver.create_cq(2, 16, BASE).payload
    assert driver.create_sq(DIRECTION_TX, cq[0], 16, 0, PLACEMENT_DEVICE).status
    assert "sq-placement" in driver.broken


def test_ring_address_breaks_a_rule(driver: Driver):
    negotiate(driver)
    cq = driver.create_cq(2, 16, BASE).payload
    assert driver.create_sq(DIRECTION_TX, cq[0], 16, BASE, PLACEMENT_DEVICE).status == 0
    assert "sq-llq-address" in driver.broken


def test_header_longer_than_its_room(driver: Driver):
    negotiate(driver)
    ring = driver.tx_queue(llq=True)
    push(driver, ring, FRAME, 97)
    assert "tx-header-length" in driver.broken
    assert driver.port.sent == []
    assert driver.tx_completions(ring) == [0]


def test_card_without_llq():
    driver = Driver("t4g")
    driver.start()
    assert driver.get_feature(Feature.LLQ).status == AdminStatus.UNSUPPORTED
    assert not driver.bar2


def test_8th_generation_wants_llq_and_meta_descriptors():
    driver = Driver("gen8")
    driver.start()
    cq = driver.create_cq(2, 16, BASE).payload
    assert driver.create_sq(DIRECTION_TX, cq[0], 16, BASE, 1).status == AdminStatus.ILLEGAL
    driver.command(4, struct.pack("<H", cq[0]))
    negotiate(driver)
    ring = driver.tx_queue(llq=True)
    push(driver, ring, FRAME, 60, meta=False)
    assert "tx-meta-missing" in driver.broken
    push(driver, ring, FRAME, 60)
    assert driver.port.sent == [(PLAIN, FRAME)]


@pytest.mark.parametrize(("size", "limit"), [(1, 32), (4, 16)])
def test_burst_limit(size: int, limit: int):
    driver = Driver("gen8")  # 4096 bytes
    driver.start()
    negotiate(driver, size=size)
    ring = driver.tx_queue(depth=128, llq=True)
    driver.write(ring.doorbell, limit)
    assert "llq-burst" not in driver.broken
    driver.write(ring.doorbell, 2 * limit + 1)
    assert "llq-burst" in driver.broken


@pytest.mark.parametrize("flags", [0, 1])
def test_meta_descriptors_may_be_left_out_unless_caching_was_turned_off(flags: int):
    driver = Driver(meta_caching=False)
    driver.start()
    negotiate(driver, flags=flags)
    ring = driver.tx_queue(llq=True)
    push(driver, ring, FRAME, 60, meta=False)
    assert ("tx-meta-missing" in driver.broken) == bool(flags)
    assert len(driver.port.sent) == 1 - flags
