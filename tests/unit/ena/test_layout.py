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
# Bytes that the interface gives to each structure.
SIZES = {
    payloads.FEATURE: 20,
    payloads.CREATE_CQ: 18,
    payloads.CREATE_SQ: 18,
    payloads.CREATE_CQ_ANSWER: 16,
    payloads.CREATE_SQ_ANSWER: 16,
    payloads.DEVICE_ATTRIBUTES: 36,
    payloads.MAX_QUEUES: 32,
    payloads.MAX_QUEUES_EXT: 44,
    payloads.HINTS: 32,
    payloads.LLQ: 36,
    payloads.RSS_KEY: 48,
    payloads.HOST_INFO: 196,
    payloads.BASIC_STATS: 56,
    payloads.ENI_STATS: 40,
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


@pytest.mark.parametrize(("layout", "size"), SIZES.items())
def test_sizes_are_those_of_the_interface(layout: Layout, size: int) -> None:
    assert layout.size == size


def test_every_feature_has_a_layout() -> None:
    assert set(payloads.FEATURES) == set(Feature)
