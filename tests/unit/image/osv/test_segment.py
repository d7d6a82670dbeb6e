"""What a kernel's headers say, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.image.osv.segment import Segment
from tests.unit.image.osv.kernel import BASE, BSS, PVH, START32, build

KERNEL = build()


def test_the_headers_are_read() -> None:
    segment = Segment.parse(KERNEL + b"sections and symbols")
    assert segment.data == KERNEL
    assert segment.end == BASE + len(KERNEL) + BSS
    assert (segment.bios_entry, segment.pvh_entry) == (START32, PVH)
    assert segment.symbols == {}


def test_sections_are_left_out() -> None:
    bare = Segment.parse(KERNEL).without_sections()
    assert int.from_bytes(bare[40:48], "little") == 0
    assert Segment.parse(bare).without_sections() == bare


@pytest.mark.parametrize(
    ("place", "data", "what"),
    [
        (0, b"MZ", "not a 64-bit ELF file"),
        (18, b"\xb7", "another processor"),
        (32, b"\xff\xff\xff", "outside the file"),
        (120, b"\0", "0 segments to load"),
        (64, b"\1", "2 segments to load"),
        (128, b"\1", "not the whole start"),
        (155, b"\xff", "not the whole start"),
        (139, b"\0", "where no OSv kernel is"),
    ],
)
def test_foreign_headers(place: int, data: bytes, what: str) -> None:
    kernel = bytearray(KERNEL)
    kernel[place : place + len(data)] = data
    with pytest.raises(ValueError, match=what):
        Segment.parse(bytes(kernel))


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=6))
def test_damaged_headers_are_read_or_refused(damage: list[tuple[int, int]]) -> None:
    kernel = bytearray(KERNEL)
    for place, value in damage:
        kernel[place] = value
    with suppress(ValueError):
        segment = Segment.parse(bytes(kernel))
        assert segment.pvh_entry is None or segment.pvh_entry >= 0
        assert segment.symbols == {}
