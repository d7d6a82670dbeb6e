"""A limit to what reading foreign bytes may cost."""

from __future__ import annotations

import io
import time
from typing import IO


class Budget:
    """So many bytes and seconds for all streams that `limit` wraps, together."""

    def __init__(self, size: int, seconds: float) -> None:
        self._size, self._left = size, size
        self._deadline = time.monotonic() + seconds
        self._seconds = seconds

    def limit(self, stream: IO[bytes]) -> IO[bytes]:
        """`stream`, whose reads raise ValueError when the budget is used up."""
        return io.BufferedReader(_Limited(self, stream))

    def spend(self, count: int) -> None:
        """Raises ValueError when that is more than is left."""
        self._left -= count
        if self._left < 0:
            raise ValueError(f"it unpacks to more than {self._size} bytes")
        if time.monotonic() > self._deadline:
            raise ValueError(f"reading it takes longer than {self._seconds:g} s")


class _Limited(io.RawIOBase):
    def __init__(self, budget: Budget, stream: IO[bytes]) -> None:
        self._budget, self._stream = budget, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        block = self._stream.read(len(buffer))
        self._budget.spend(len(block))
        buffer[: len(block)] = block
        return len(block)
