"""The driver's core on the Python card, in one process, under every profile."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from nitro.ena.constants import Event
from nitro.ena.profiles import PROFILES, with_all_offloads
from tests.driver.card import CSUM4, MAC, TSO4, Card
from tests.driver.frames import plain, tcp4, tcp_is_right

pytestmark = pytest.mark.driver
Make = Callable[..., Card]
TCP = {"l3_offset": 14, "l3_bytes": 20, "l4_bytes": 20}


def ready(card: Card, pairs: int = 2, depth: int = 256, buffer: int = 4096, **options: int) -> Card:
    """Attached and up, with link; no rule broken on the way."""
    assert card.attach(**options) == 0, card.logs
    pairs = min(pairs, card.value("max_pairs"))
    assert card.up(pairs, depth, buffer) == 0, card.logs
    card.pass_seconds(1)
    assert card.links[-1:] == [True]
    assert not card.device.rules.broken, card.reports
    return card


def talks(card: Card, rounds: int = 3) -> None:
    """Frames of telling sizes go out and come in unchanged."""
    pairs = card.value("pairs")
    for n in range(rounds):
        for size in (60, 95, 96, 97, 225, 1514):
            frame = plain(size, n)
            assert card.transmit(frame, n % pairs) == 0, card.logs
            assert card.flush(n % pairs) == 1
            assert card.cable.sent.pop()[1] == frame
            card.deliver(tcp4(frame, to_card=True, port=5000 + n))
            _, received, _ = card.receive_anywhere(pairs)
            assert received == tcp4(frame, to_card=True, port=5000 + n)
        for pair in range(pairs):
            card.fill(pair)
    assert not card.device.rules.broken, card.reports


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


def test_reset_under_traffic_restores_everything(card: Make, profile: str) -> None:
    driver = ready(card(profile))
    for _ in range(5):
        for n in range(20):
            assert driver.transmit(plain(1514, n)) == 0
        driver.ring(0)
        driver.cable.arriving.extend((bytes(10), tcp4(bytes(n), to_card=True)) for n in range(9))
        driver.step()
        assert driver.recover() == 0, driver.logs
        talks(driver)
    assert driver.value("device.resets") == 5


def test_down_and_up_again(card: Make, profile: str) -> None:
    driver = ready(card(profile))
    talks(driver)
    allocated = driver.value("allocated")
    for pairs in (1, min(4, driver.value("max_pairs")), min(2, driver.value("max_pairs"))):
        driver.down()
        assert driver.up(pairs) == 0
        talks(driver)
        driver.fill(0)
    assert driver.value("allocated") <= allocated + (4096 << 8)
    assert not driver.device.rules.broken, driver.reports


def test_link_changes_arrive(card: Make) -> None:
    driver = ready(card())
    driver.device.notices.set_link(False)
    driver.step()
    driver.device.notices.set_link(True)
    driver.step()
    assert driver.links[-2:] == [False, True]


def test_a_stopped_keep_alive_leads_to_a_reset(card: Make) -> None:
    driver = ready(card())
    driver.pass_seconds(10)
    assert driver.resets_wanted == 0
    driver.device.faults.set("keep-alive-stops", True)
    driver.pass_seconds(8)
    assert driver.resets_wanted == 1
    driver.device.faults.set("keep-alive-stops", False)
    assert driver.recover() == 0
    assert "keep-alive" in driver.logs[-1]
    driver.pass_seconds(10)
    assert driver.resets_wanted == 1
    talks(driver)


def test_packets_that_never_complete_lead_to_a_reset(card: Make) -> None:
    driver = ready(card())
    assert driver.transmit(plain(60)) == 0  # and never rung
    driver.pass_seconds(7)
    assert driver.resets_wanted == 1
    assert driver.value("reset_reason") == 3
    assert driver.recover() == 0
    talks(driver)


def test_lost_interrupts_are_polled_for(card: Make) -> None:
    driver = ready(card())
    driver.deliver(tcp4(b"x", to_card=True))
    driver.pass_seconds(3)
    assert driver.polls_wanted
    assert driver.value("device.lost_interrupts") >= 1
    assert driver.resets_wanted == 0
    for _ in range(60):  # each time the poll finds a packet
        if driver.polls_wanted:
            driver.polls_wanted.clear()
            assert driver.receive_anywhere(2)
            driver.deliver(tcp4(b"x", to_card=True))
        driver.pass_seconds(1)
    assert driver.resets_wanted == 1
    assert driver.value("reset_reason") == 14


def test_completions_that_nobody_polls_are_not_the_cards_fault(card: Make) -> None:
    driver = ready(card())
    for _ in range(40):
        assert driver.transmit(plain(60)) == 0
    driver.ring(0)
    driver.step()
    driver.pass_seconds(7)
    assert driver.resets_wanted == 0
    assert 0 in driver.polls_wanted
    driver.pass_seconds(7)
    assert driver.resets_wanted == 1
    assert driver.value("reset_reason") == 15
    assert "does not poll" in driver.logs[-1]


def test_keep_alives_that_lie_in_the_ring_are_no_loss(card: Make) -> None:
    """Vector 0 is dead for two minutes; link changes are seen all the same."""
    driver = ready(card())
    driver.silent = True
    driver.pass_seconds(120)
    driver.device.notices.set_link(False)
    driver.pass_seconds(3)
    assert driver.links[-1] is False
    assert driver.resets_wanted == 0
    assert driver.value("device.keep_alives") > 100
    assert driver.logs == ["no interrupt comes for events; polling for them"]


def test_drop_counters_never_fall(card: Make) -> None:
    driver = ready(card())

    def keep_alive(*drops: int) -> list[int]:
        driver.device.notices.send(Event.KEEP_ALIVE, 0, struct.pack("<3Q", *drops))
        driver.step()
        names = ("device_rx_drops", "device_tx_drops", "device_rx_overruns")
        return [driver.value(f"device.{name}") for name in names]

    assert keep_alive(7, 5, 1) == [7, 5, 1]
    assert driver.recover() == 0
    assert keep_alive(0, 0, 0) == [7, 5, 1]
    assert keep_alive(2, 1, 9) == [9, 6, 10]


def test_an_admin_queue_without_interrupts_is_polled(card: Make) -> None:
    driver = ready(card())
    driver.silent = True
    driver.device.faults.set("admin-interrupt-lost", True)
    assert driver.set_mtu(2000) == 0
    assert driver.resets_wanted == 0


def test_an_unanswered_command_asks_for_one_reset_with_its_reason(card: Make) -> None:
    driver = ready(card())
    driver.device.faults.once("admin-timeout")
    driver.down()
    assert driver.resets_wanted == 1
    assert driver.value("reset_reason") == 2
    assert driver.recover() == 0


@pytest.mark.parametrize("group", [Event.FATAL_ERROR, Event.RESET_REQUEST])
def test_the_card_can_ask_for_a_reset(card: Make, group: Event) -> None:
    driver = ready(card())
    driver.device.notices.send(group)
    driver.step()
    assert driver.resets_wanted == 1
    assert driver.recover() == 0
    talks(driver)


def test_hints_change_the_watchdog(card: Make) -> None:
    driver = ready(card())
    hints = bytes(2) + (20000).to_bytes(2, "little") + bytes(12)
    driver.device.notices.send(Event.NOTIFICATION, 2, hints)
    driver.device.faults.set("keep-alive-stops", True)
    driver.pass_seconds(15)
    assert driver.resets_wanted == 0
    driver.pass_seconds(10)
    assert driver.resets_wanted == 1


def test_allowances_are_read(card: Make) -> None:
    driver = ready(card())
    five = (ctypes.c_uint64 * 5)()
    assert driver.allowances(five) == 0
    assert ready(card("minimal")).allowances(five) == -4


def test_a_changed_mac_address_ends_the_recovery(card: Make) -> None:
    driver = ready(card())
    driver.device.faults.set("mac-changes", True)
    assert driver.recover() < 0
    assert driver.value("device.failed_recoveries") == 1
    assert "giving it up" in driver.logs[-1]


def test_unanswered_readless_reads_fall_back_to_loads(card: Make) -> None:
    driver = card("hostile:readless-lost@3")
    for seed in range(20):
        assert driver.attach() == 0, (seed, driver.logs)
        driver.detach()


HOSTILE = [
    "admin-interrupt-lost",
    "admin-timeout",
    "stats-timeout",
    "first-interrupt-lost",
    "interrupt-lost",
    "out-of-order",
    "rx-out-of-order",
    "depth-smaller",
    "tx-id-invalid",
    "tx-id-duplicate",
    "rx-id-invalid",
    "rx-id-duplicate",
    "rx-many-buffers",
    "fatal-error",
    "link-flap",
    "hints-update",
    "reset-request",
    "create-fails",
]


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_card_is_survived(card: Make, fault: str) -> None:
    """Traffic, watchdog and recoveries for two minutes of the card's time: every call returns,
    and when the fault ends, the card works."""
    driver = card(f"hostile:{fault}@7")
    up = driver.attach() == 0 and driver.up() == 0
    for n in range(120):
        if driver.resets_wanted or not up:
            driver.resets_wanted = 0
            driver.detach() if not up else None
            up = (driver.recover() if up else driver.attach() or driver.up()) == 0
        if up:
            for i in range(20):
                driver.transmit(plain(60 + 40 * i, n), i % 2)
                driver.cable.arriving.append((bytes(10), tcp4(bytes(50 * i), to_card=True)))
            for pair in range(2):
                driver.flush(pair)
                while driver.receive(pair)[0] > 0:
                    pass
                driver.fill(pair)
                driver.unmask(pair, 0, 0)
        driver.pass_seconds(1)
    driver.device.faults.set(fault, False)
    driver.device.notices.set_link(True)
    driver.detach()
    driver.cable.arriving.clear()
    driver.cable.sent.clear()
    assert driver.attach() == 0, driver.logs
    assert driver.up() == 0
    driver.logs.clear()
    broken = dict(driver.device.rules.broken)
    for _ in range(3):
        driver.transmit(plain(100))
        assert driver.flush() == 1
        driver.deliver(plain(100))
        driver.receive_anywhere(2)
    assert dict(driver.device.rules.broken) == broken, driver.reports
