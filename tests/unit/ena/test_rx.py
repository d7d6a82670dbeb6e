"""Receive: buffers, completions, checksums, segments that are too long, queues by hash."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.ena.constants import DIRECTION_RX, Feature
from nitro.ena.offload import NEEDS_CSUM, Offload, checksum, pseudo_sum
from nitro.ena.profiles import PROFILES, with_all_offloads
from tests.unit.ena.driver import Driver, Ring, ipv4_frame

FRAME = ipv4_frame()
L4_CHECKED = 1 << 16


@pytest.fixture
def driver() -> Driver:
    made = Driver(with_all_offloads(PROFILES["c5"]))
    made.start()
    return made


def segment(payload: bytes) -> tuple[bytes, bytes]:
    """A TCP segment as a tap hands it over, and its header."""
    frame = bytearray(ipv4_frame(payload))
    seed = pseudo_sum(frame[26:34], 6, len(frame) - 34)
    frame[50:52] = seed.to_bytes(2, "big")
    return bytes(frame), Offload(NEEDS_CSUM, 1, 54, 1000, 34, 16).pack()


def test_a_frame_arrives(driver: Driver):
    ring = driver.rx_queue()
    driver.port.deliver(FRAME)
    driver.run()
    ((status, data, value),) = driver.received(ring)
    assert data == FRAME
    assert status & 0x1F == 8
    assert status >> 8 & 0x1F == 12
    assert status & L4_CHECKED
    assert value != 0


def test_memory_may_lie_above_what_32_bits_name():
    high = Driver(base=0x12_0001_0000)
    high.start()
    receiving, sending = high.rx_queue(), high.tx_queue()
    high.send(sending, FRAME, req_id=3)
    assert [frame for _, frame in high.port.sent] == [FRAME]
    assert high.tx_completions(sending) == [3]
    high.port.deliver(FRAME)
    high.run()
    assert [data for _, data, _ in high.received(receiving)] == [FRAME]
    assert not high.broken


def test_what_came_before_the_queue_was_there_is_thrown_away(driver: Driver):
    driver.port.deliver(FRAME)
    ring = driver.rx_queue()
    driver.run()
    assert driver.received(ring) == []
    assert not driver.port.waiting


def test_a_frame_over_buffers_of_different_length(driver: Driver):
    ring = driver.rx_queue(fill=0)
    for size in (100, 300, 64, 2048):
        driver.fill(ring, 1, size=size)
    frame = ipv4_frame(bytes(range(256)) * 4)
    driver.port.deliver(frame)
    driver.run()
    assert [data for _, data, _ in driver.received(ring)] == [frame]


@pytest.mark.extended(fast=1)
@given(
    buffers=st.lists(st.integers(1, 700), min_size=1, max_size=12),
    lengths=st.lists(st.integers(14, 5000), min_size=1, max_size=12),
)
def test_frames_of_any_lengths_over_buffers_of_any_lengths(
    buffers: list[int], lengths: list[int]
) -> None:
    """Each frame that the buffers hold arrives whole and in order, whatever came before it; one
    that they do not hold is dropped and takes none."""
    driver = Driver()
    driver.start()
    ring = driver.rx_queue(depth=32, fill=0)
    posted: list[int] = []
    for number, length in enumerate(lengths):
        for size in buffers[: 31 - len(posted)]:
            driver.fill(ring, 1, size=size)
            posted.append(size)
        frame = bytes((number + n) % 251 for n in range(length))
        driver.port.deliver(frame)
        driver.run()
        used = next((n for n in range(19) if sum(posted[:n]) >= length), None)
        fits = used is not None and sum(posted[:used]) >= length
        assert [data for _, data, _ in driver.received(ring)] == ([frame] if fits else [])
        if fits:
            del posted[:used]


def test_many_trips_round_the_ring(driver: Driver):
    ring = driver.rx_queue(depth=4)
    for n in range(600):  # past the point where used buffers are forgotten
        frame = FRAME + n.to_bytes(2, "big")
        driver.port.deliver(frame)
        driver.run()
        assert [data for _, data, _ in driver.received(ring)] == [frame]
        driver.fill(ring, 1)


def test_frames_wait_at_the_port_while_there_are_no_buffers(driver: Driver):
    ring = driver.rx_queue(fill=1)
    for _ in range(3):
        driver.port.deliver(FRAME)
    driver.run()
    assert len(driver.received(ring)) == 1
    driver.run()
    assert not driver.device.wants_frames
    driver.fill(ring, 2)
    driver.run()
    assert len(driver.received(ring)) == 2
    assert not driver.port.waiting


def completes_the_sum(driver: Driver, ring: Ring) -> None:
    frame = bytearray(FRAME)
    frame[50:52] = pseudo_sum(frame[26:34], 6, len(frame) - 34).to_bytes(2, "big")
    driver.port.deliver(bytes(frame), Offload(NEEDS_CSUM, 0, 0, 0, 34, 16).pack())
    driver.run()
    ((_, data, _),) = driver.received(ring)
    assert tcp_checksum_is_right(data)


def test_partial_checksums_are_completed(driver: Driver):
    ring = driver.rx_queue()
    completes_the_sum(driver, ring)


def test_partial_checksums_are_completed_over_several_buffers(driver: Driver):
    ring = driver.rx_queue(fill=0)
    driver.fill(ring, 3, size=51)
    driver.fill(ring, 1)
    completes_the_sum(driver, ring)


def test_a_whole_segment_passes_if_it_fits(driver: Driver):
    ring = driver.rx_queue(depth=32)
    frame, header = segment(bytes(range(250)) * 100)
    driver.port.deliver(frame, header)
    driver.run()
    ((status, data, _),) = driver.received(ring)
    assert data == frame
    assert status & L4_CHECKED


def test_a_segment_longer_than_the_buffers_is_cut(driver: Driver):
    ring = driver.rx_queue(depth=128)
    payload = bytes(range(250)) * 240
    frame, header = segment(payload)
    driver.port.deliver(frame, header)
    driver.run()
    frames = [data for _, data, _ in driver.received(ring)]
    assert len(frames) > 1
    assert b"".join(data[54:] for data in frames) == payload
    at = 1
    for data in frames:
        assert int.from_bytes(data[38:42], "big") == at
        assert int.from_bytes(data[16:18], "big") == len(data) - 14
        assert checksum(data[14:34]) == 0
        at += len(data) - 54
    assert all((len(data) - 54) % 1000 == 0 for data in frames[:-1])
    assert [data[47] & 0x08 for data in frames[:-1]] == [0] * (len(frames) - 1)
    assert frames[-1][47] & 0x08


def test_a_frame_longer_than_the_buffers_is_dropped(driver: Driver):
    ring = driver.rx_queue(fill=0)
    driver.fill(ring, 2, size=64)
    driver.port.deliver(bytes(200))
    driver.run()
    assert driver.received(ring) == []
    assert driver.device.counters.rx_overruns == 1


def test_the_guest_is_told_of_the_first_frame_while_the_rest_is_read(driver: Driver):
    driver.rx_queue()
    driver.unmask()
    told: list[int] = []
    driver.port.asked = lambda: told.append(driver.raised.count(1))
    driver.port.deliver(FRAME)
    driver.port.deliver(FRAME)
    driver.run()
    assert told[:2] == [0, 1]


@pytest.mark.parametrize("profile", ["c5", "gen8"])
@pytest.mark.parametrize(
    ("rule", "tail", "control"),
    [("doorbell-tail", 129, 0x1C), ("rx-phase", 40, 0x1C), ("dma-address", 40, 0x1D)],
)
def test_a_queue_that_broke_one_rule_stops_and_is_charged_with_no_other(
    profile: str, rule: str, tail: int, control: int
):
    driver = Driver(profile)
    driver.start()
    ring = driver.queue(DIRECTION_RX, depth=128)
    for slot in range(tail):  # of no address, and with or without the right phase
        entry = struct.pack("<HBBHHQ", 2048, 0, control, slot, 0, 0)
        driver.poke(ring.address + slot % 128 * 16, entry)
    driver.write(ring.doorbell, tail)
    assert driver.device.rules.broken == {rule: 1}
    driver.fill(ring, 100)  # as it should have been: too late
    driver.port.deliver(FRAME)
    driver.run()
    assert driver.device.rules.broken == {rule: 1}
    assert driver.received(ring) == []


@pytest.mark.parametrize("before", [0, 1, 15])
def test_a_ring_may_be_filled_to_the_last_slot_and_no_further(driver: Driver, before: int):
    ring = driver.rx_queue(fill=before)
    driver.fill(ring, 16 - before)
    assert driver.broken == set()
    driver.fill(ring, 1)
    assert driver.broken == {"doorbell-tail"}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("profile", PROFILES)
def test_no_card_hands_over_merged_segments_of_its_own_accord(profile: str, strict: bool):
    driver = Driver(profile, strict=strict)
    driver.start()
    driver.rx_queue()
    assert driver.port.accepts["segments"] is False


def test_merged_segments_only_with_all_offloads_and_for_linux():
    """OSv's own driver says 1, too, and names no kernel."""
    systems = ((1, b"#1 SMP", True), (1, b"", False), (3, b"", False), (5, b"23", False))
    for os_type, kernel, expected in systems:
        driver = Driver(with_all_offloads(PROFILES["c5"]))
        driver.start(host_info=False)
        driver.set_host_info(os_type=os_type, kernel=kernel)
        driver.rx_queue()
        assert driver.port.accepts == {"checksums": True, "segments": expected}


def test_frames_that_are_not_ip_have_no_hash(driver: Driver):
    ring = driver.rx_queue()
    driver.port.deliver(bytes(12) + b"\x08\x06" + bytes(28))
    driver.run()
    ((status, _, value),) = driver.received(ring)
    assert value == 0
    assert not status & L4_CHECKED


# Several queues.


def set_table(driver: Driver, entries: list[int]) -> int:
    data = b"".join(struct.pack("<HH", entry, 0) for entry in entries)
    driver.poke(driver.control, data)
    payload = struct.pack("<HHHBxIHH", 0, 0, 7, 0, 0xFFFFFFFF, 0, 0)
    return driver.set_feature(Feature.RSS_TABLE, payload, buffer=512).status


def test_the_table_spreads_flows_over_queues(driver: Driver):
    rings = [driver.rx_queue(depth=128, vector=1 + n) for n in range(4)]
    assert set_table(driver, [rings[n % 4].sq for n in range(128)]) == 0
    for port in range(100):
        driver.port.deliver(ipv4_frame(ports=(port, 80)))
    while driver.port.pending:
        driver.run()
    counts = []
    for ring in rings:
        frames = driver.received(ring)
        counts.append(len(frames))
        for _, _, value in frames:
            assert rings[(value & 127) % 4] is ring
    assert sum(counts) == 100
    assert min(counts) > 5
    counters = driver.device.counters
    assert (counters.rx_packets, counters.rx_overruns, counters.rx_drops) == (100, 0, 0)


def test_a_flow_stays_in_its_queue(driver: Driver):
    rings = [driver.rx_queue(depth=64, vector=1 + n) for n in range(4)]
    set_table(driver, [rings[n % 4].sq for n in range(128)])
    for n in range(20):
        driver.port.deliver(ipv4_frame(bytes([n])))
    while driver.port.pending:
        driver.run()
    assert sorted(len(driver.received(ring)) for ring in rings) == [0, 0, 0, 20]


def test_a_table_that_changes_counts_for_the_next_frame(driver: Driver):
    rings = [driver.rx_queue(vector=1 + n) for n in range(2)]

    def received() -> list[int]:
        driver.port.deliver(FRAME)
        driver.run()
        return [len(driver.received(ring)) for ring in rings]

    set_table(driver, [rings[0].sq] * 128)
    assert received() == [1, 0]
    set_table(driver, [rings[1].sq] * 128)
    assert received() == [0, 1]


def test_a_table_entry_of_no_queue_drops(driver: Driver):
    ring = driver.rx_queue()
    set_table(driver, [5] * 128)
    driver.port.deliver(FRAME)
    driver.run()
    assert driver.received(ring) == []
    assert driver.device.counters.rx_drops == 1
    assert "rss-table-entry" in driver.broken


def test_8th_generation_drops_until_the_table_is_programmed():
    driver = Driver("gen8")
    driver.start()
    rings = [driver.rx_queue(depth=64, vector=1 + n) for n in range(2)]
    driver.port.deliver(FRAME)
    driver.run()
    assert driver.device.counters.rx_drops == 1
    set_table(driver, [rings[n % 2].sq for n in range(128)])
    driver.port.deliver(FRAME)
    driver.run()
    assert sum(len(driver.received(ring)) for ring in rings) == 1


def test_8th_generation_takes_buffers_from_the_region_of_the_hash():
    driver = Driver("gen8")
    driver.start()
    ring = driver.rx_queue(depth=64, fill=8)
    assert "rx-ring-sparse" in driver.broken
    for port in range(40):
        driver.port.deliver(ipv4_frame(ports=(port, 80)))
        driver.run()
    drops = driver.device.counters.rx_drops
    assert drops > 0
    assert len(driver.received(ring)) + drops + len(driver.port.waiting) == 40


def test_a_burst_may_outrun_a_driver_that_fills_its_ring_before_it_waits_again():
    driver = Driver("gen8")
    driver.start()
    ring = driver.rx_queue(depth=64)
    for port in range(48):
        driver.port.deliver(ipv4_frame(ports=(port, 80)))
        driver.run()
    driver.fill(ring, 8)  # a part, while it works through the burst
    assert not driver.broken
    for _ in range(2):  # the host may have kept it from its doorbell
        driver.unmask()
        assert not driver.broken
    driver.unmask()  # and that was all
    assert "rx-ring-sparse" in driver.broken


def test_a_driver_that_fills_its_ring_in_time_is_not_blamed_for_a_stall():
    driver = Driver("gen8")
    driver.start()
    ring = driver.rx_queue(depth=64)
    for _ in range(10):
        for port in range(40):
            driver.port.deliver(ipv4_frame(ports=(port, 80)))
            driver.run()
        driver.fill(ring, 1)  # the rest is held up
        driver.unmask()
        driver.fill(ring, len(driver.received(ring)) - 1)
        driver.unmask()
    assert not driver.broken


def tcp_checksum_is_right(frame: bytes) -> bool:
    pseudo = frame[26:34] + struct.pack(">HH", 6, len(frame) - 34)
    return checksum(pseudo + frame[34:]) == 0
