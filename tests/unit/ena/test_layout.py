"""Layouts: what is written is read again, and the sizes are the interface's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.ena import payloads
from nitro.ena.constants import Feature
from nitro.ena.layout import Field, Layout, padding

SAMPLE = Layout(
    Field("small", "B", "small"),
    padding(1),
    Field("depth", "H", "entries"),
    Field("address", "A", "at", hex),
    Field("hidden", "H"),
)
# Where the interface has each field: its offset, and its size in bytes ("a": 6, an address).
# Source: the structures of ena_admin_defs.h in the public driver.
COMMAND = "command_id 0 2, opcode 2 1, flags 3 1"
CONTROL = f"{COMMAND}, control_length 4 4, control_address 8 6"
PLACES = {
    "CONTROL_BUFFER": (CONTROL, 16),
    "CREATE_CQ": (
        f"{COMMAND}, interrupt_flags 4 1, entry_words 5 1, depth 6 2, vector 8 4, address 12 6",
        18,
    ),
    "CREATE_CQ_ANSWER": (
        "index 0 2, depth 2 2, numa_offset 4 4, head_offset 8 4, unmask_offset 12 4",
        16,
    ),
    "CREATE_SQ": (
        f"{COMMAND}, direction_bits 4 1, placement_bits 6 1, contiguous_flags 7 1, cq_index 8 2, "
        "depth 10 2, address 12 6",
        18,
    ),
    "CREATE_SQ_ANSWER": (
        "index 0 2, doorbell_offset 4 4, llq_offset 8 4, header_ring_offset 12 4",
        16,
    ),
    "DESTROY_CQ": (f"{COMMAND}, index 4 2", 6),
    "DESTROY_SQ": (f"{COMMAND}, index 4 2, direction_bits 6 1", 7),
    "FEATURE": (f"{CONTROL}, select_flags 16 1, feature 17 1, version 18 1", 20),
    "GET_STATS": (
        f"{CONTROL}, type 16 1, scope 17 1, queue 20 2, device 22 2, metrics 24 8",
        32,
    ),
    "DEVICE_ATTRIBUTES": (
        "implementation 0 4, version 4 4, features 8 4, capabilities 12 4, physical_bits 16 4, "
        "virtual_bits 20 4, mac 24 6, flow_rules 30 2, max_mtu 32 4",
        36,
    ),
    "MAX_QUEUES": (
        "sqs 0 4, sq_depth 4 4, cqs 8 4, cq_depth 12 4, llqs 16 4, llq_depth 20 4, "
        "max_header 24 4, tx_descriptors 28 2, rx_descriptors 30 2",
        32,
    ),
    "MAX_QUEUES_EXT": (
        "version 0 1, tx_sqs 4 4, tx_cqs 8 4, rx_sqs 12 4, rx_cqs 16 4, tx_depth 20 4, "
        "tx_cq_depth 24 4, rx_depth 28 4, rx_cq_depth 32 4, max_header 36 4, tx_descriptors 40 2, "
        "rx_descriptors 42 2",
        44,
    ),
    "HINTS": (
        "mmio_read_ms 0 2, watchdog_ms 2 2, tx_completion_ms 4 2, missed_tx 6 2, admin_ms 8 2, "
        "netdev_watchdog_ms 10 2, tx_buffers 12 2, rx_buffers 14 2",
        32,
    ),
    "LLQ": (
        "queues 0 4, depth 4 4, locations 8 2, location 10 2, entry_sizes 12 2, entry_size 14 2, "
        "before_header_choices 16 2, before_header 18 2, strides 20 2, stride 22 2, version 24 1, "
        "recommended_entry_size 25 1, wide_depth 26 2, accel_flags 28 2, burst_bytes 30 2",
        36,
    ),
    "RSS_FUNCTION": ("offered 0 4, selected 4 4, initial 8 4", 12),
    "OFFLOADS": ("tx 0 4, rx 4 4, rx_enabled 8 4", 12),
    "RSS_TABLE": (
        "min_log_size 0 2, max_log_size 2 2, log_size 4 2, single_entries 6 1, index 8 4, "
        "queue 12 2",
        16,
    ),
    "MTU": ("mtu 0 4", 4),
    "RSS_INPUT": ("sorts 0 2, sorted 2 2", 4),
    "MODERATION": ("resolution_us 0 2", 4),
    "AENQ": ("offered 0 4, enabled 4 4", 8),
    "LINK": ("speed_mbps 0 4, speeds 4 4, flags 8 4", 12),
    "HOST_ATTRIBUTES": ("info_address 0 6, debug_address 8 6, debug_size 16 4", 20),
    "RSS_KEY": ("words 0 4, key 8 40", 48),
    "HOST_INFO": (
        "os_type 0 4, distribution 4 128, distribution_number 132 4, kernel 136 32, "
        "kernel_number 168 4, driver_version 172 4, driver_features 192 4",
        196,
    ),
    "BASIC_STATS": (
        "tx_bytes 0 8, tx_packets 8 8, rx_bytes 16 8, rx_packets 24 8, rx_drops 32 8, "
        "tx_drops 40 8, rx_overruns 48 8",
        56,
    ),
    "ENI_STATS": (
        "bandwidth_in_exceeded 0 8, bandwidth_out_exceeded 8 8, packets_exceeded 16 8, "
        "conntrack_exceeded 24 8, linklocal_exceeded 32 8",
        40,
    ),
    "CUSTOMER_METRICS": ("metrics 0 8", 8),
    "LINK_CHANGE": ("flags 0 4", 4),
    "KEEP_ALIVE": ("rx_drops 0 8, tx_drops 8 8, rx_overruns 16 8", 24),
}


@given(
    small=st.integers(0, 255),
    depth=st.integers(0, 0xFFFF),
    address=st.integers(0, (1 << 48) - 1),
    offset=st.integers(0, 5),
)
def test_what_is_packed_is_unpacked(small: int, depth: int, address: int, offset: int) -> None:
    values = {"small": small, "depth": depth, "address": address, "hidden": 7}
    data = SAMPLE.pack(**values)
    assert len(data) == SAMPLE.size == 12
    assert SAMPLE.unpack(b"x" * offset + data, offset) == values


def test_fields_left_out_are_zero_and_others_are_refused() -> None:
    assert SAMPLE.pack() == bytes(12)
    with pytest.raises(KeyError, match="dept"):
        SAMPLE.pack(dept=3)


def test_a_structure_cut_short_is_read_as_if_zeros_followed() -> None:
    assert SAMPLE.unpack(b"\1\0\2") == {"small": 1, "depth": 2, "address": 0, "hidden": 0}


def test_labelled_fields_that_are_not_zero_are_put_into_words() -> None:
    assert SAMPLE.explain(SAMPLE.pack(small=3, address=0x1000, hidden=9)) == "small 3, at 0x1000"


@pytest.mark.parametrize("name", PLACES)
def test_each_field_lies_where_the_interface_has_it(name: str) -> None:
    layout, (table, size) = getattr(payloads, name), PLACES[name]
    found = []
    for field in layout.fields:
        written = layout.pack(**{field.name: LARGEST.get(field.format, _text(field.format))})
        place = len(written) - len(written.lstrip(b"\0"))
        found.append(f"{field.name} {place} {len(written.strip(bytes(1)))}")
    assert ", ".join(found) == table
    assert layout.size == size


LARGEST = {code: (1 << bits) - 1 for code, bits in zip("BHIQA", (8, 16, 32, 64, 48), strict=True)}


def _text(code: str) -> bytes:
    return b"\xff" * int(code.removesuffix("s") if code.endswith("s") else 0)


def test_no_layout_is_left_out() -> None:
    assert {name for name, value in vars(payloads).items() if isinstance(value, Layout)} == set(
        PLACES
    )


def test_every_feature_has_a_layout() -> None:
    assert set(payloads.FEATURES) == set(Feature)
