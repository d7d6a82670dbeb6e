"""Guest memory as the card's DMA engine sees it: bounded views, nothing copied.

It does not know where the memory comes from: a `bytearray` in tests, a mapping of the guest's
memory file under vfio-user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nitro.ena.state import REGIONS, MemoryState, address_of

ADDRESS_BITS = 48


class DmaError(Exception):
    """A DMA address that is not guest memory. The card answers it; it never leaves the model."""

    def __init__(self, address: int, length: int) -> None:
        super().__init__(f"{length} bytes at {address:#x} are not guest memory")
        self.address, self.length = address, length


@dataclass(frozen=True, slots=True)
class Region:
    """`size` bytes of guest memory from guest address `base` on."""

    base: int
    size: int
    data: memoryview
    writable: bool

    def overlaps(self, base: int, end: int) -> bool:
        return self.base < end and base < self.base + self.size

    def without(self, base: int, end: int) -> Iterator[Region]:
        """What is left of the region when the addresses from `base` to `end` go."""
        last = self.base + self.size
        for start, stop in ((self.base, min(base, last)), (max(end, self.base), last)):
            if start < stop:
                data = self.data[start - self.base : stop - self.base]
                yield Region(start, stop - start, data, self.writable)


_NOWHERE = Region(0, 0, memoryview(b""), writable=False)


class Memory:
    """The mapped regions. `generation` changes when one goes, so that rings look again; `state` has
    those that `view` finds, or the first of them, for the C loop."""

    def __init__(self) -> None:
        self._regions: list[Region] = []
        self._last = _NOWHERE
        self.generation = 0
        self.state = MemoryState()

    def map(self, base: int, data: memoryview, *, writable: bool = True) -> None:
        """Add a region. Raises ValueError if it overlaps one that is there."""
        end = base + len(data)
        if any(region.overlaps(base, end) for region in self._regions):
            raise ValueError(f"a region at {base:#x} is mapped already")
        self._regions.append(Region(base, len(data), data, writable))
        self._tabulate()

    def unmap(self, base: int, size: int) -> None:
        """Remove the range from the mappings; a region that sticks out of it keeps the rest.

        Ranges that were never mapped are ignored.
        """
        end = base + size
        if any(region.overlaps(base, end) for region in self._regions):
            self._regions = [part for r in self._regions for part in r.without(base, end)]
            self._last = _NOWHERE
            self.generation += 1
            self._tabulate()

    def clear(self) -> None:
        self._regions.clear()
        self._last = _NOWHERE
        self.generation += 1
        self._tabulate()

    def view(self, address: int, length: int) -> memoryview:
        """`length` writable bytes at `address`, inside one region. Raises DmaError."""
        region = self._last
        start = address - region.base
        if start < 0 or start + length > region.size:
            region = self._find(address, length)
            start = address - region.base
        return region.data[start : start + length]

    def _find(self, address: int, length: int) -> Region:
        for region in self._regions:
            inside = region.base <= address and address + length <= region.base + region.size
            if inside and region.writable:
                self._last = region
                return region
        raise DmaError(address, length)

    def _tabulate(self) -> None:
        state = self.state
        state.count = 0
        for region in self._regions:
            if region.writable and region.size and not region.data.readonly:
                if state.count == REGIONS:
                    return
                place = state.region[state.count]
                place.base, place.size = region.base, region.size
                place.data = address_of(region.data)
                state.count += 1
