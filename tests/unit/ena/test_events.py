"""Events, interrupts, moderation: what the card does of its own accord."""

from __future__ import annotations

import struct

import pytest

from nitro.ena.constants import Event, Feature, Reg
from nitro.ena.control import execute
from tests.unit.ena.driver import Driver, ipv4_frame

FRAME = ipv4_frame()


@pytest.fixture
def driver() -> Driver:
    made = Driver()
    made.start()
    return made


# Events.


def test_the_link_is_told_once_events_are_on(driver: Driver):
    assert driver.event() == (Event.LINK_CHANGE, 0, (1).to_bytes(48, "little"))
    assert driver.event() is None


def test_a_queue_of_events_that_is_not_there_breaks_a_rule_and_gets_no_more(driver: Driver):
    driver.event()
    driver.memory.unmap(driver.aenq, 4096)
    driver.now += 1
    driver.run()
    assert driver.broken == {"dma-address"}
    assert any("event queue" in line for line in driver.reports)
    driver.memory.map(driver.aenq, memoryview(bytearray(4096)))
    driver.now += 1
    driver.run()
    assert driver.event() is None


def test_link_changes(driver: Driver):
    driver.event()
    driver.device.notices.set_link(False)
    assert driver.event() == (Event.LINK_CHANGE, 0, bytes(48))
    driver.device.notices.set_link(True)
    assert driver.event() == (Event.LINK_CHANGE, 0, (1).to_bytes(48, "little"))


def test_keep_alive_once_a_second_with_drops(driver: Driver):
    driver.event()
    driver.device.counters.rx_drops = 7
    driver.now += 1
    driver.run()
    group, _, data = driver.event() or (None, None, b"")
    assert group == Event.KEEP_ALIVE
    assert struct.unpack_from("<3Q", data) == (7, 0, 0)
    driver.run()
    assert driver.event() is None


def test_the_first_keep_alive_is_a_second_after_the_reset(driver: Driver):
    driver.now += 10
    driver.reset()
    driver.start()
    driver.event()  # of the link
    driver.now += 0.9
    driver.run()
    assert driver.event() is None
    driver.now += 0.2
    driver.run()
    assert (driver.event() or [None])[0] == Event.KEEP_ALIVE


def test_nothing_of_every_second_happens_at_once_after_a_reset():
    driver = Driver()
    driver.reset()
    driver.device.faults.once("link-flap")
    driver.device.tick()
    assert driver.device.notices.link_up
    driver.now += 1
    driver.device.tick()
    assert not driver.device.notices.link_up


def test_no_events_of_groups_that_are_off():
    driver = Driver()
    driver.start(groups=0)
    driver.now += 1
    driver.run()
    assert driver.event() is None


def test_events_that_waited_for_credit_are_told_by_an_interrupt(driver: Driver):
    while driver.event():
        pass
    for n in range(6):
        driver.device.notices.send(Event.NOTIFICATION, n)
    assert [driver.event() is not None for _ in range(4)] == [True] * 4
    told = driver.raised.count(0)
    driver.run()
    assert driver.raised.count(0) == told + 1
    assert driver.event() == (Event.NOTIFICATION, 4, bytes(48))


def test_events_wait_for_credit(driver: Driver):
    for n in range(6):
        driver.device.notices.send(Event.NOTIFICATION, n)
    assert driver.device.events.produced == 4
    driver.event()
    driver.device.tick()
    assert driver.device.events.produced == 5


def test_too_much_credit_breaks_a_rule(driver: Driver):
    driver.write(Reg.AENQ_HEAD_DB, 100)
    assert "aenq-credit" in driver.broken


def test_an_event_raises_vector_0(driver: Driver):
    driver.raised.clear()
    driver.device.notices.set_link(False)
    assert driver.raised == [0]


# Interrupts.


def test_a_vector_is_masked_until_the_driver_unmasks_it(driver: Driver):
    ring = driver.rx_queue()
    driver.raised.clear()
    driver.port.deliver(FRAME)
    driver.run()
    assert driver.raised == []
    driver.unmask()
    assert driver.raised == [1]
    driver.port.deliver(FRAME)
    driver.run()
    assert driver.raised == [1]
    driver.unmask()
    assert driver.raised == [1, 1]
    assert len(driver.received(ring)) == 2
    assert driver.device.counters.unmasks == 2
    assert driver.device.counters.interrupts >= 2, "those of the admin queue count, too"


def test_no_interrupt_without_a_completion(driver: Driver):
    driver.rx_queue()
    driver.raised.clear()
    driver.unmask()
    assert driver.raised == []


def test_tx_and_rx_share_a_vector(driver: Driver):
    tx = driver.tx_queue()
    driver.rx_queue()
    driver.unmask()
    driver.raised.clear()
    driver.send(tx, FRAME)
    assert driver.raised == [1]
    driver.port.deliver(FRAME)
    driver.run()
    assert driver.raised == [1]


def test_moderation_delays_the_interrupt(driver: Driver):
    tx = driver.tx_queue()
    driver.unmask(tx_delay=64)
    driver.raised.clear()
    driver.send(tx, FRAME)
    assert driver.raised == []
    assert driver.device.tick() == pytest.approx(driver.now + 64e-6)
    driver.now += 65e-6
    driver.run()
    assert driver.raised == [1]


@pytest.mark.parametrize("receiving", [False, True])
@pytest.mark.parametrize(("delay", "due"), [(64, 44e-6), (20, 0.0), (5, 0.0)])
def test_a_slow_way_to_the_guest_counts_as_delay(delay: int, due: float, receiving: bool):
    driver = Driver(interrupt_lag=20e-6)
    driver.start()
    tx = driver.tx_queue()
    driver.rx_queue()
    driver.unmask(tx_delay=0 if receiving else delay, rx_delay=delay if receiving else 0)
    driver.raised.clear()
    if receiving:
        driver.port.deliver(FRAME)
        driver.run()
    else:
        driver.send(tx, FRAME)
    assert driver.raised == ([] if due else [1])
    driver.now += due + 1e-6
    driver.run()
    assert driver.raised == [1]


def test_receiving_is_not_held_up_by_moderated_sending(driver: Driver):
    tx = driver.tx_queue()
    driver.rx_queue()
    driver.unmask(tx_delay=64, rx_delay=0)
    driver.raised.clear()
    driver.send(tx, FRAME)
    driver.port.deliver(FRAME)
    driver.run()
    assert driver.raised == [1]


# Commands to a running card.


def test_control(driver: Driver):
    driver.event()
    assert execute(driver.device, "link down") == "ok\n"
    assert driver.event() == (Event.LINK_CHANGE, 0, bytes(48))
    assert execute(driver.device, "fault keep-alive-stops on") == "ok\n"
    assert driver.device.faults.active == {"keep-alive-stops"}
    assert execute(driver.device, "fault keep-alive-stops off") == "ok\n"
    assert execute(driver.device, "fault fatal-error once") == "ok\n"
    assert driver.device.faults.triggers("fatal-error")
    assert execute(driver.device, "faults") == "fatal-error 1\nok\n"
    assert execute(driver.device, "fault nothing on").startswith("error")
    assert execute(driver.device, "dance").startswith("error")
    driver.write(0x48, 0)
    assert execute(driver.device, "rules") == "unknown-register 1\nok\n"
    assert "tx_packets 0\n" in execute(driver.device, "counters")
    assert execute(driver.device, "hints") == "ok\n"
    assert driver.event() == (
        Event.NOTIFICATION,
        2,
        driver.device.features.hints().ljust(48, b"\0"),
    )


@pytest.mark.parametrize("command", ["reset", "hints"])
def test_control_says_that_the_driver_did_not_ask_for_an_event(command: str):
    driver = Driver()
    assert execute(driver.device, command).startswith("error: the driver did not enable")
    driver.start(groups=1 << Event.LINK_CHANGE)
    assert execute(driver.device, command).startswith("error: the driver did not enable")
    driver.set_feature(Feature.AENQ, struct.pack("<II", 0, 0x99))
    assert execute(driver.device, command) == "ok\n"
