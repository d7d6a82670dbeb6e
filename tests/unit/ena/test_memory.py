"""Guest memory: bounds, overlaps, taking it away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.ena.memory import DmaError, Memory

LOW, HIGH = bytearray(0x1000), bytearray(0x2000)


def two_regions() -> Memory:
    memory = Memory()
    memory.map(0x1000, memoryview(LOW))
    memory.map(0x8000, memoryview(HIGH))
    return memory


def test_views_are_the_memory_itself():
    memory = two_regions()
    memory.view(0x8010, 4)[:] = b"ping"
    assert HIGH[0x10:0x14] == b"ping"


@given(st.integers(0, 1 << 48), st.integers(1, 1 << 20))
def test_a_view_is_inside_one_region_or_an_error(address: int, length: int):
    memory = two_regions()
    inside = (address >= 0x1000 and address + length <= 0x2000) or (
        address >= 0x8000 and address + length <= 0xA000
    )
    if inside:
        assert len(memory.view(address, length)) == length
    else:
        with pytest.raises(DmaError):
            memory.view(address, length)


def test_edges():
    memory = two_regions()
    assert len(memory.view(0x1000, 0x1000)) == 0x1000
    for address, length in ((0xFFF, 2), (0x1FFF, 2), (0x7FFF, 1), (0xA000, 1)):
        with pytest.raises(DmaError):
            memory.view(address, length)


def test_overlaps_are_refused():
    memory = two_regions()
    for base in (0x1000, 0x1800, 0x801, 0x9000):
        with pytest.raises(ValueError, match="mapped already"):
            memory.map(base, memoryview(bytearray(0x1000)))


def test_unmapped_memory_is_gone_and_the_generation_tells():
    memory = two_regions()
    memory.view(0x8000, 4)
    before = memory.generation
    memory.unmap(0x8000, 0x2000)
    assert memory.generation == before + 1
    with pytest.raises(DmaError):
        memory.view(0x8000, 4)
    memory.unmap(0x8000, 0x2000)
    assert memory.generation == before + 1


def test_read_only_regions_are_not_for_dma():
    memory = Memory()
    memory.map(0, memoryview(bytearray(64)), writable=False)
    with pytest.raises(DmaError):
        memory.view(0, 4)
