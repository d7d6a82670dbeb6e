"""The driver's core when something goes wrong: resets, the watchdog, cards with faults."""

from __future__ import annotations

import ctypes
import struct

import pytest

from nitro.ena.constants import Event
from tests.driver.frames import plain, tcp4
from tests.driver.steps import Make, ready, talks

pytestmark = pytest.mark.driver


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
