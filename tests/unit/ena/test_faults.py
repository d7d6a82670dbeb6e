"""Cards that misbehave on purpose: each fault, what a driver sees of it, and that it ends."""

from __future__ import annotations

import struct

import pytest

from nitro.ena.constants import DIRECTION_TX, AdminStatus, Event, Feature, Opcode, Reg
from nitro.ena.faults import FAULTS, Faults
from nitro.ena.profiles import find
from nitro.errors import InputError
from tests.unit.ena.driver import Driver, ipv4_frame

FRAME = ipv4_frame()


@pytest.fixture
def driver() -> Driver:
    made = Driver()
    made.start()
    return made


def hostile(names: str) -> Driver:
    made = Driver(find(f"hostile:{names}"))
    made.start()
    return made


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_happens_to_a_driver_that_is_reset_and_has_traffic(name: str):
    driver = Driver()
    driver.device.faults.once(name)
    driver.reset()
    driver.set_rings()
    driver.write(Reg.INTR_MASK, 0)
    driver.write(Reg.MMIO_RESP_LO, driver.alloc(64))
    driver.write(Reg.MMIO_REG_READ, 1)
    driver.post(Opcode.GET_STATS)
    driver.run()
    driver.reset()  # a command may have been lost
    driver.set_rings()
    if name == "create-fails":
        driver.create_cq(2, 16, driver.alloc(256))
    ring = driver.tx_queue()
    driver.rx_queue()
    driver.unmask()
    driver.send(ring, FRAME)
    driver.port.deliver(FRAME)
    driver.now += 1
    driver.run()
    assert driver.device.faults.happened == {name: 1}


def test_unknown_fault():
    with pytest.raises(InputError, match="no fault named"):
        find("hostile:no-such")
    with pytest.raises(InputError, match="seed"):
        find("hostile:any@x")


def test_a_seed_repeats_itself():
    def draw() -> list[bool]:
        faults = Faults(("out-of-order",), seed=5)
        return [faults.triggers("out-of-order") for _ in range(50)]

    assert draw() == draw()
    assert len(set(draw())) == 2


def test_keep_alive_stops():
    driver = hostile("keep-alive-stops")
    driver.event()
    driver.now += 5
    driver.run()
    assert driver.event() is None


def test_readless_lost(driver: Driver):
    driver.device.faults.set("readless-lost", True)
    address = driver.alloc(8)
    driver.write(Reg.MMIO_RESP_LO, address)
    for request in range(500):
        driver.poke(address, b"\xad\xde")
        driver.write(Reg.MMIO_REG_READ, request)
        if driver.peek(address, 2) == b"\xad\xde":
            return
    raise AssertionError("never lost")


def test_stats_timeout():
    driver = hostile("stats-timeout")
    driver.post(Opcode.GET_STATS)
    driver.run()
    assert driver.completion() is None


def test_a_hostile_card_is_named_with_its_faults_and_its_seed():
    named = "hostile:depth-smaller,mac-changes@17"
    card = find(named)
    assert (card.name, card.fault_seed) == (named, 17)
    assert card.faults == ("depth-smaller", "mac-changes")
    every = find("hostile:any")
    assert (every.faults, every.fault_seed) == (tuple(FAULTS), 0)


def test_depth_smaller():
    driver = hostile("depth-smaller")
    answer = driver.create_cq(2, 64, driver.alloc(4096))
    assert struct.unpack_from("<HH", answer.payload)[1] == 32


def test_mac_changes_after_a_reset():
    driver = hostile("mac-changes")
    macs = set()
    for _ in range(4):
        payload = driver.get_feature(Feature.DEVICE_ATTRIBUTES).payload
        macs.add(payload[24:30])
        driver.reset()
        driver.start()
    assert len(macs) > 1


def test_rss_default_astray_drops_unicast():
    driver = hostile("rss-default-astray")
    ring = driver.rx_queue()
    driver.port.deliver(FRAME)
    driver.run()
    assert driver.received(ring) == []
    assert driver.device.counters.rx_drops == 1


def test_out_of_order_completions_lose_none():
    driver = hostile("out-of-order")
    ring = driver.queue(DIRECTION_TX, 64)
    for n in range(40):
        driver.send(ring, FRAME, req_id=n)
    found = driver.tx_completions(ring)
    assert found != sorted(found)
    assert len(found) >= 39
    assert len(set(found)) == len(found)


def test_first_interrupt_lost():
    driver = hostile("first-interrupt-lost")
    ring = driver.queue(DIRECTION_TX)
    driver.raised.clear()
    driver.unmask()
    driver.send(ring, FRAME)
    assert driver.raised == []
    driver.unmask()
    driver.send(ring, FRAME)
    assert driver.raised == [1]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", [name for name, (_, odds) in FAULTS.items() if odds >= 0.02])
def test_a_named_fault_happens_before_long_whatever_the_seed(name: str, seed: int):
    faults = Faults((name,), seed)
    limit = 5 if name in ("fatal-error", "link-flap", "hints-update", "reset-request") else 20
    happened = [faults.triggers(name) for _ in range(limit)]
    assert any(happened)
    assert faults.happened[name] == sum(happened)


def test_an_admin_interrupt_is_lost_only_where_there_would_be_one(driver: Driver):
    driver.write(Reg.INTR_MASK, 1)
    driver.device.faults.once("admin-interrupt-lost")
    driver.command(Opcode.GET_STATS)
    assert not driver.device.faults.happened


def test_a_fault_happens_once_for_certain_when_asked_to():
    faults = Faults()
    faults.once("tx-id-invalid")
    assert [faults.triggers("tx-id-invalid") for _ in range(3)] == [True, False, False]
    with pytest.raises(KeyError):
        faults.once("no-such")


def test_a_fault_turned_off_or_on_is_no_longer_one_that_happens_once():
    faults = Faults(seed=1)
    faults.once("tx-id-invalid")
    faults.set("tx-id-invalid", False)
    assert not faults.triggers("tx-id-invalid")
    faults.once("create-fails")
    faults.set("create-fails", True)
    faults.triggers("create-fails")
    assert "create-fails" in faults.active, "it stays on until it is turned off"


def test_admin_interrupt_lost(driver: Driver):
    driver.device.faults.once("admin-interrupt-lost")
    driver.raised.clear()
    assert driver.command(Opcode.GET_STATS).status == 0
    assert driver.raised == []
    driver.command(Opcode.GET_STATS)
    assert driver.raised == [0]


def test_admin_timeout(driver: Driver):
    driver.device.faults.once("admin-timeout")
    driver.post(Opcode.GET_STATS)
    driver.run()
    assert driver.completion() is None


def test_create_fails(driver: Driver):
    driver.device.faults.once("create-fails")
    assert driver.create_cq(2, 16, driver.alloc(256)).status == AdminStatus.NO_RESOURCES
    assert driver.create_cq(2, 16, driver.alloc(256)).status == 0


def test_interrupt_lost(driver: Driver):
    ring = driver.tx_queue()
    driver.unmask()
    driver.raised.clear()
    driver.device.faults.once("interrupt-lost")
    driver.send(ring, FRAME)
    assert driver.raised == []
    driver.unmask()
    driver.send(ring, FRAME)
    assert driver.raised == [1]


def test_tx_completions_that_are_wrong():
    driver = hostile("tx-id-invalid,tx-id-duplicate")
    ring = driver.tx_queue()
    driver.device.faults.once("tx-id-invalid")
    driver.device.faults.once("tx-id-duplicate")
    driver.send(ring, FRAME, req_id=3)
    assert driver.tx_completions(ring) == [3, 3, 0x8003]


def rx_ids(driver: Driver, fault: str) -> list[int]:
    """The request ids of three frames' completions, `fault` having happened to the first."""
    driver.device.faults.once(fault)
    ring = driver.rx_queue()
    for _ in range(3):
        driver.port.deliver(FRAME)
    driver.run()
    entries = [driver.peek(ring.cq_address + n * 16, 16) for n in range(4)]
    return [int.from_bytes(entry[6:8], "little") for entry in entries if entry[3] & 1]


def test_rx_completions_that_are_wrong():
    assert rx_ids(hostile("rx-id-invalid"), "rx-id-invalid") == [0x8000, 1, 2]
    assert rx_ids(hostile("rx-id-duplicate"), "rx-id-duplicate") == [0, 0, 1, 2]


def test_rx_buffers_in_another_order(driver: Driver):
    assert rx_ids(driver, "rx-out-of-order") == [14, 13, 12]
    assert not driver.broken


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("fatal-error", (Event.FATAL_ERROR, 0, bytes(48))),
        ("reset-request", (Event.RESET_REQUEST, 0, bytes(48))),
        ("link-flap", (Event.LINK_CHANGE, 0, bytes(48))),
    ],
)
def test_events_of_a_hostile_card(fault: str, expected: tuple[int, int, bytes]):
    driver = Driver()
    driver.start(groups=0xFF & ~(1 << Event.KEEP_ALIVE | 1 << 5 | 1 << 6))
    driver.event()
    driver.device.faults.once(fault)
    driver.now += 1
    driver.run()
    assert driver.event() == expected


def test_hints_that_change(driver: Driver):
    driver.event()
    driver.device.faults.once("hints-update")
    driver.now += 1
    driver.run()
    driver.event()  # the keep-alive
    group, syndrome, data = driver.event() or (None, None, b"")
    assert (group, syndrome) == (Event.NOTIFICATION, 2)
    assert data != driver.device.features.hints().ljust(48, b"\0")


def test_rx_many_buffers():
    driver = hostile("rx-many-buffers")
    ring = driver.rx_queue()
    frame = ipv4_frame(bytes(1400))
    driver.port.deliver(frame)
    driver.run()
    assert [data for _, data, _ in driver.received(ring)] == [frame]
    assert ring.head == 6
