"""LLQ: transmit descriptors and packet headers that the driver writes into BAR 2.

Here are the layouts on offer and what a driver chose; `tx.py` reads the entries. Only inline
headers exist here, behind one, two, four or eight descriptors.
"""

from __future__ import annotations

from dataclasses import dataclass

LOCATION_INLINE = 1
ENTRY_128, ENTRY_192, ENTRY_256 = 1, 2, 4
ENTRY_BYTES = {ENTRY_128: 128, ENTRY_192: 192, ENTRY_256: 256}
STRIDE_SINGLE, STRIDE_MULTIPLE = 1, 2
BEFORE_HEADER = (1, 2, 4, 8)
ACCEL_NO_META_CACHING = 1
ACCEL_BURST_LIMIT = 2
NO_LIMIT = 0xFFFF


@dataclass(frozen=True, slots=True)
class Layout:
    """What was negotiated. `burst` counts entries between two doorbells."""

    entry_size: int = 128
    descriptors_before_header: int = 2
    stride: int = STRIDE_MULTIPLE
    no_meta_caching: bool = False
    burst: int = NO_LIMIT

    @property
    def header_offset(self) -> int:
        return 16 * self.descriptors_before_header

    @property
    def header_room(self) -> int:
        return self.entry_size - self.header_offset

    @property
    def descriptors_per_entry(self) -> int:
        """Of the entries after a packet's first."""
        return 1 if self.stride == STRIDE_SINGLE else self.entry_size // 16


def bar2_size(queues: int, depth: int, wide: bool, wide_depth: int) -> int:
    """Room for a ring for each queue, rounded up to a power of two as a BAR must be."""
    ring = ring_size(depth, wide, wide_depth)
    return 1 << (queues * ring - 1).bit_length()


def ring_size(depth: int, wide: bool, wide_depth: int) -> int:
    """Bytes of BAR 2 set aside for one queue."""
    return max(depth * 128, wide_depth * 256 if wide else 0)
