"""The driver's core on the Python card, in one process, under every profile."""

from __future__ import annotations

import ctypes
import struct
from dataclasses import replace

import pytest

from nitro.ena.profiles import PROFILES, with_all_offloads
from tests.driver.card import CSUM4, MAC, TSO4
from tests.driver.frames import plain, tcp4, tcp_is_right
from tests.driver.steps import Make, ready, talks

pytestmark = pytest.mark.driver
TCP = {"l3_offset": 14, "l3_bytes": 20, "l4_bytes": 20}


def test_attaches_to_every_profile_and_talks(card: Make, profile: str) -> None:
    driver = ready(card(profile))
    talks(driver, rounds=100)
    offered = PROFILES[profile]
    assert driver.value("max_mtu") == 9216
    assert driver.value("llq") == offered.llq
    assert driver.resets_wanted == 0
    assert not driver.logs


def test_reads_the_mac_address_of_the_card(card: Make) -> None:
    driver = ready(card())
    mac = ctypes.create_string_buffer(6)
    driver.mac(mac)
    assert mac.raw == MAC


@pytest.mark.parametrize("segment", [200, 1500, 4096])
def test_jumbo_frames_pass_in_many_segments(card: Make, profile: str, segment: int) -> None:
    driver = ready(card(profile), buffer=2048)
    assert driver.set_mtu(9001) == 0
    frame = plain(min(9015, 17 * segment))
    for n in range(300):
        assert driver.transmit(frame, segment=segment) == 0
        assert driver.flush() == 1
        assert driver.cable.sent.pop()[1] == frame
        driver.deliver(tcp4(bytes(8900), to_card=True, port=n + 1))
        _, received, info = driver.receive_anywhere(driver.value("pairs"))
        assert received == tcp4(bytes(8900), to_card=True, port=n + 1)
        assert info.fragments == 5
        for pair in range(driver.value("pairs")):
            driver.fill(pair)
    assert not driver.device.rules.broken, driver.reports


def test_a_full_ring_says_so_and_recovers(card: Make, profile: str) -> None:
    driver = ready(card(profile))
    sent = 0
    while driver.transmit(plain(60)) == 0:
        sent += 1
    assert 100 < sent < 256
    assert driver.flush() == sent
    talks(driver)


def test_wide_entries_push_224_bytes(card: Make) -> None:
    driver = ready(card("c6in"), llq_entry=256)
    assert driver.value("push_bytes") == 224
    talks(driver)


def test_llq_can_be_left_off(card: Make) -> None:
    driver = ready(card("c5"), no_llq=1)
    assert driver.value("llq") == 0
    talks(driver)


def test_a_card_whose_bursts_are_too_short_gets_host_placement(card: Make) -> None:
    driver = ready(card(replace(PROFILES["c5"], max_burst_bytes=128)))
    assert driver.value("llq") == 0
    assert "bursts too short" in driver.logs[0]
    driver.logs.clear()
    talks(driver)


def test_bursts_end_in_a_doorbell(card: Make) -> None:
    driver = ready(card(replace(PROFILES["c5"], max_burst_bytes=1024)))
    assert driver.value("llq") == 1
    for _ in range(60):
        assert driver.transmit(plain(60)) == 0
    assert driver.value("tx0.doorbells") >= 60 // 8 - 1
    assert driver.flush() == 60
    assert not driver.device.rules.broken, driver.reports


def test_meta_descriptors_are_sent_when_headers_change(card: Make) -> None:
    """In host memory the card remembers; the second packet of the same shape needs none."""
    driver = ready(card(with_all_offloads(PROFILES["t4g"])))
    for _ in range(5):
        assert driver.transmit(tcp4(b"x", seeded=True), offloads=CSUM4, **TCP) == 0
        assert driver.flush() == 1
    assert driver.value("tx0.meta_descs") == 1
    assert driver.transmit(tcp4(b"x" * 500, seeded=True), offloads=TSO4, mss=100, **TCP) == 0
    assert driver.flush() == 1
    assert driver.value("tx0.meta_descs") == 2
    assert not driver.device.rules.broken, driver.reports


def test_offloads_that_the_card_lacks_are_refused(card: Make) -> None:
    plain, fleet = ready(card("minimal")), ready(card("c5"))
    packet = tcp4(b"payload", seeded=True)
    assert plain.transmit(packet, offloads=CSUM4, **TCP) < 0
    assert fleet.transmit(packet, offloads=CSUM4, **TCP) == 0
    assert fleet.transmit(packet, offloads=TSO4, mss=1000, **TCP) < 0


def test_checksums_and_segmentation_are_handed_on(card: Make, profile: str) -> None:
    driver = ready(card(with_all_offloads(PROFILES[profile])))
    packet = tcp4(b"payload" * 300, seeded=True)
    assert driver.transmit(packet, offloads=TSO4, mss=1000, **TCP) == 0
    assert driver.flush() == 1
    header, frame = driver.cable.sent[-1]
    flags, kind, _, size, start, offset = struct.unpack_from("<BBHHHH", header)
    assert (flags & 1, kind & 0x7F, size, start, offset) == (1, 1, 1000, 34, 16)
    assert frame[54:] == packet[54:]
    assert driver.transmit(packet[:54] + b"short", offloads=CSUM4, **TCP) == 0
    assert driver.flush() == 1
    assert driver.cable.sent[-1][0][0] & 1
    assert not driver.device.rules.broken, driver.reports


def test_received_checksums_are_reported(card: Make) -> None:
    driver = ready(card(with_all_offloads(PROFILES["c5"])))
    good = tcp4(b"hello", to_card=True)
    assert tcp_is_right(good)
    driver.deliver(good)
    _, frame, info = driver.receive_anywhere(2)
    assert frame == good
    assert (info.checksum_good, info.hash_is_l4) == (1, 1)
    driver.deliver(plain(100))
    _, _, info = driver.receive_anywhere(2)
    assert (info.checksum_good, info.hash_is_l4) == (0, 0)


def test_flows_spread_over_the_queues(card: Make) -> None:
    driver = ready(card(), pairs=4)
    seen = set()
    for port in range(64):
        driver.deliver(tcp4(b"x", to_card=True, port=1000 + port))
        seen.add(driver.receive_anywhere(4)[0])
    assert seen == {0, 1, 2, 3}


def test_a_table_of_ones_own_directs_flows_and_survives_a_reset(card: Make) -> None:
    driver = ready(card(), pairs=4)
    size = driver.value("table_size")
    assert driver.set_table((ctypes.c_uint16 * size)(*[2] * size)) == 0
    for _ in range(2):
        for port in range(16):
            driver.deliver(tcp4(b"x", to_card=True, port=1000 + port))
            assert driver.receive_anywhere(4)[0] == 2
        assert driver.recover() == 0


def test_one_queue_gets_everything_even_from_an_astray_table(card: Make) -> None:
    """The power-up table of such a card points to queues that do not exist."""
    driver = ready(card("hostile:rss-default-astray"), pairs=1)
    for port in range(16):
        driver.deliver(tcp4(b"x", to_card=True, port=1000 + port))
        driver.receive_anywhere(1)


def test_the_mtu_is_checked_and_restored(card: Make) -> None:
    driver = ready(card())
    assert driver.set_mtu(9217) < 0
    assert driver.set_mtu(127) < 0
    assert driver.set_mtu(128) == 0
    assert driver.set_mtu(9216) == 0
    assert driver.recover() == 0
    assert driver.value("mtu") == 9216
    talks(driver)
