"""GET_FEATURE and SET_FEATURE: what is offered, what is refused."""

from __future__ import annotations

import struct
import zlib

import pytest

from nitro.ena import rss
from nitro.ena.constants import AdminStatus, Feature, Reg
from nitro.ena.profiles import PROFILES
from tests.unit.ena.driver import BASE, MAC, RAM, Driver, ipv4_frame

LINUX_INSISTS_ON = (Feature.MAX_QUEUES_EXT, Feature.OFFLOADS, Feature.AENQ)


@pytest.fixture
def driver() -> Driver:
    made = Driver(rss_function=True)
    made.start()
    return made


@pytest.mark.parametrize("profile", PROFILES)
def test_every_card_has_what_linux_insists_on(profile: str):
    driver = Driver(profile)
    driver.start()
    answer = driver.get_feature(Feature.DEVICE_ATTRIBUTES)
    _, _, supported, _, width, _, mac, _, mtu = struct.unpack_from("<6I6sHI", answer.payload)
    assert mac == MAC
    assert width == 48
    assert mtu >= 1500
    for feature in LINUX_INSISTS_ON:
        assert supported >> feature & 1
        assert driver.get_feature(feature).status == 0
    queues = driver.get_feature(Feature.MAX_QUEUES_EXT).payload
    version, *numbers = struct.unpack_from("<B3x9IHH", queues)
    assert version == 1
    assert all(depth >= 256 for depth in numbers[4:8])


def test_queues_for_drivers_that_know_only_the_older_form():
    driver = Driver(queues=4, rx_depth=512)
    driver.start()
    fields = struct.unpack_from("<7IHH", driver.get_feature(Feature.MAX_QUEUES).payload)
    assert fields == (4, 512, 4, 512, 0, 0, 128, 19, 18)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_feature_whose_bit_is_clear_is_unsupported(profile: str):
    driver = Driver(profile)
    driver.start()
    answer = driver.get_feature(Feature.DEVICE_ATTRIBUTES)
    supported = struct.unpack_from("<6I", answer.payload)[2]
    for feature in range(1, 32):
        if not supported >> feature & 1:
            assert driver.get_feature(feature).status == AdminStatus.UNSUPPORTED
            assert driver.set_feature(feature, b"").status == AdminStatus.UNSUPPORTED
    assert "feature-not-offered" in driver.broken


@pytest.mark.parametrize("mtu", [128, 1500, 9001, 9216])
def test_mtu(driver: Driver, mtu: int):
    assert driver.set_feature(Feature.MTU, struct.pack("<I", mtu)).status == 0
    assert driver.device.features.mtu == mtu


@pytest.mark.parametrize("mtu", [0, 127, 9217, 1 << 31])
def test_mtu_out_of_range(driver: Driver, mtu: int):
    assert driver.set_feature(Feature.MTU, struct.pack("<I", mtu)).status == AdminStatus.ILLEGAL
    assert "feature-value" in driver.broken


def test_event_groups_outside_the_offer(driver: Driver):
    payload = struct.pack("<II", 0, 1 << 20)
    assert driver.set_feature(Feature.AENQ, payload).status == AdminStatus.ILLEGAL


def test_host_info_outside_memory(driver: Driver):
    payload = struct.pack("<QQI", BASE + RAM - 100, 0, 0)
    answer = driver.set_feature(Feature.HOST_ATTRIBUTES, payload)
    assert answer.status == AdminStatus.ILLEGAL
    assert "dma-address" in driver.broken


def test_link_and_moderation(driver: Driver):
    speed, _, flags = struct.unpack_from("<III", driver.get_feature(Feature.LINK).payload)
    assert speed == 10_000
    assert flags == 2
    assert driver.get_feature(Feature.MODERATION).payload[0] == 1


def test_hints():
    driver = Driver("c6in")
    driver.start()
    timeouts = struct.unpack_from("<8H", driver.get_feature(Feature.HINTS).payload)
    assert timeouts[:2] == (200, 6000)


def test_hash_key_travels_reversed(driver: Driver):
    driver.get_feature(Feature.RSS_FUNCTION, buffer=48)
    assert driver.peek(driver.control + 8, 40) == rss.DEFAULT_KEY[::-1]
    key = bytes(range(40))
    driver.poke(driver.control, struct.pack("<II40s", 10, 0, key[::-1]))
    payload = struct.pack("<III", 0, 1 << rss.TOEPLITZ, 0)
    assert driver.set_feature(Feature.RSS_FUNCTION, payload, buffer=48).status == 0
    driver.get_feature(Feature.RSS_FUNCTION, buffer=48)
    assert driver.peek(driver.control + 8, 40) == key[::-1]


def test_hash_function_that_is_not_offered(driver: Driver):
    payload = struct.pack("<III", 0, 1 << 5, 0)
    assert driver.set_feature(Feature.RSS_FUNCTION, payload).status == AdminStatus.ILLEGAL


def test_hash_input(driver: Driver):
    driver.get_feature(Feature.RSS_INPUT, buffer=256)
    selected = struct.unpack("<32H", driver.peek(driver.control + 64, 64))[::2]
    assert selected[rss.TCP4] == rss.L3 | rss.L4
    fields = [0] * 32
    fields[2 * rss.TCP4] = rss.L3
    driver.poke(driver.control + 64, struct.pack("<32H", *fields))
    assert driver.set_feature(Feature.RSS_INPUT, bytes(4), buffer=256).status == 0
    fields[2 * rss.TCP4] = 0x40
    driver.poke(driver.control + 64, struct.pack("<32H", *fields))
    answer = driver.set_feature(Feature.RSS_INPUT, bytes(4), buffer=256)
    assert answer.status == AdminStatus.ILLEGAL


def test_table_of_a_size_that_is_not_offered(driver: Driver):
    payload = struct.pack("<HHHBxIHH", 0, 0, 9, 0, 0xFFFFFFFF, 0, 0)
    answer = driver.set_feature(Feature.RSS_TABLE, payload, buffer=2048)
    assert answer.status == AdminStatus.ILLEGAL


def test_control_buffer_too_short(driver: Driver):
    payload = struct.pack("<HHHBxIHH", 0, 0, 7, 0, 0xFFFFFFFF, 0, 0)
    answer = driver.set_feature(Feature.RSS_TABLE, payload, buffer=100)
    assert answer.status == AdminStatus.ILLEGAL


def table_of(driver: Driver) -> list[int]:
    """What GET says of the indirection table."""
    answer = driver.get_feature(Feature.RSS_TABLE, buffer=512).payload
    smallest, largest, now, single, index = struct.unpack_from("<HHHBxI", answer)
    assert (smallest, largest, single, index) == (1, 7, 1, 0xFFFFFFFF)
    words = struct.unpack("<256H", driver.peek(driver.control, 512))
    return list(words[: 2 << now : 2])


def test_the_table_reads_back_as_written(driver: Driver):
    rings = [driver.rx_queue(vector=1 + n) for n in range(3)]
    entries = [rings[n % 3].sq for n in range(64)]
    driver.poke(driver.control, b"".join(struct.pack("<HH", entry, 0) for entry in entries))
    whole = struct.pack("<HHHBxIHH", 0, 0, 6, 0, 0xFFFFFFFF, 0, 0)
    assert driver.set_feature(Feature.RSS_TABLE, whole, buffer=256).status == 0
    assert table_of(driver) == entries
    one = struct.pack("<HHHBxIHH", 0, 0, 0, 0, 5, rings[1].sq, 0)
    assert driver.set_feature(Feature.RSS_TABLE, one).status == 0
    driver.write(Reg.RSS_IND_ENTRY_UPDATE, 9 | rings[2].sq << 16)
    entries[5], entries[9] = rings[1].sq, rings[2].sq
    assert table_of(driver) == entries
    assert not driver.broken
    beyond = struct.pack("<HHHBxIHH", 0, 0, 0, 0, 64, 0, 0)
    assert driver.set_feature(Feature.RSS_TABLE, beyond).status == AdminStatus.ILLEGAL
    driver.write(Reg.RSS_IND_ENTRY_UPDATE, 64)
    assert "rss-table-entry" in driver.broken


def test_the_function_is_chosen_with_its_initial_value(driver: Driver):
    payload = struct.pack("<III", 0, 1 << rss.CRC32, 7)
    assert driver.set_feature(Feature.RSS_FUNCTION, payload).status == 0
    answer = driver.get_feature(Feature.RSS_FUNCTION).payload
    assert struct.unpack_from("<III", answer) == (0b110, 1 << rss.CRC32, 7)
    ring = driver.rx_queue()
    driver.port.deliver(ipv4_frame())
    driver.run()
    flow = bytes((10, 0, 0, 1, 10, 0, 0, 2)) + struct.pack(">HH", 1000, 2000)
    assert driver.received(ring)[0][2] == zlib.crc32(flow, 7)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_card_offers_the_indirection_table(profile: str):
    driver = Driver(profile)
    assert driver.device.features.supported >> Feature.RSS_TABLE & 1


def test_a_hostile_card_may_lack_the_table_until_the_next_reset():
    driver = Driver()
    driver.device.faults.once("rss-table-missing")
    driver.reset()
    driver.set_rings()
    assert driver.get_feature(Feature.RSS_TABLE, buffer=512).status == AdminStatus.UNSUPPORTED
    assert not driver.device.features.supported >> Feature.RSS_TABLE & 1
    driver.reset()
    driver.set_rings()
    assert driver.get_feature(Feature.RSS_TABLE, buffer=512).status == 0


def test_a_card_of_the_5th_generation_has_a_hash_that_cannot_be_changed():
    driver = Driver("c5")
    driver.start()
    assert not driver.device.features.supported & (1 << Feature.RSS_FUNCTION)
    ring = driver.rx_queue()
    driver.port.deliver(ipv4_frame())
    driver.run()
    value = driver.received(ring)[0][2]
    assert value == rss.Rss(fixed=True).hash(
        rss.TCP4, bytes((10, 0, 0, 1, 10, 0, 0, 2)), struct.pack(">HH", 1000, 2000)
    )
    assert value >> 16 == value & 0xFFFF
