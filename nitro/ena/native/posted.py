"""Posted writes to registers and LLQ memory, for the C loop."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import addressof, c_uint64

from nitro.ena.constants import BAR0_SIZE
from nitro.ena.native.loop import Loop
from nitro.ena.state import address_of

_MOST = 512


class PostedWrites:
    """Takes them from the bytes of a client; `llq` is the card's LLQ memory."""

    def __init__(self, loop: Loop, llq: memoryview) -> None:
        self._loop, self._llq = loop, llq
        self._place = address_of(llq) if llq else 0
        self._listed = c_uint64()
        self._list = (c_uint64 * _MOST)()
        self._entries = memoryview(self._list).cast("B").cast("I")

    def store(self, data: memoryview) -> int:
        """Store those to LLQ memory that `data` begins with, up to a message that is no posted
        write as it should be; returns their length and that of the writes to registers among
        them, which `registers` has."""
        done: int = self._loop.posted(
            address_of(data),
            len(data),
            self._place,
            len(self._llq) // 8,
            BAR0_SIZE,
            addressof(self._list),
            _MOST,
            addressof(self._listed),
        )
        return done

    def registers(self) -> Iterator[tuple[int, int]]:
        """Offset and value of each write to a register."""
        entries = self._entries
        for at in range(0, 2 * self._listed.value, 2):
            yield entries[at], entries[at + 1]
