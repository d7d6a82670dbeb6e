"""MSI-X vectors: which are masked, what they still have to say, and when.

Vector 0 serves the admin queue and events and is masked by INTR_MASK alone. A vector of queue
pairs masks itself when it fires; the driver unmasks it through the register that CREATE_CQ
returned, with new delays. A completion posted meanwhile is told at the unmasking: an interrupt
too many is harmless (the card does not know how far the driver has read), a lost one is not.
"""

from __future__ import annotations

from collections.abc import Callable

UNMASK_BIT = 1 << 30
KEEP_DELAYS_BIT = 1 << 31
_DELAY_MASK = 0x7FFF
NEVER = float("inf")


class Vector:
    """One vector of queue pairs. Times are in seconds of the caller's clock.

    It is in the list `waiting` while it has something to say.
    """

    __slots__ = ("_waiting", "due", "fired", "masked", "number", "rx_delay", "tx_delay")

    def __init__(self, number: int, waiting: list[Vector]) -> None:
        self.number, self._waiting = number, waiting
        self.masked = True
        self.due = NEVER
        self.rx_delay = self.tx_delay = 0.0
        self.fired = 0

    def post_rx(self, now: float) -> None:
        """A receive completion is in memory."""
        self._post(now + self.rx_delay)

    def post_tx(self, now: float) -> None:
        """A transmit completion is in memory."""
        self._post(now + self.tx_delay)

    def _post(self, due: float) -> None:
        if due < self.due:
            if self.due == NEVER:
                self._waiting.append(self)
            self.due = due

    def rearm(self, value: int, resolution: float, lag: float = 0.0) -> None:
        """The driver wrote `value` to the unmask register; delays count in `resolution`.

        They are counted to the guest, which an interrupt reaches `lag` after it is raised.
        """
        if not value & KEEP_DELAYS_BIT:
            self.rx_delay = max(0.0, (value & _DELAY_MASK) * resolution - lag)
            self.tx_delay = max(0.0, (value >> 15 & _DELAY_MASK) * resolution - lag)
        self.masked = not value & UNMASK_BIT


class Vectors:
    """All vectors of a card. `raise_vector(n)` is how an interrupt leaves the model."""

    def __init__(self, count: int, raise_vector: Callable[[int], None]) -> None:
        self._waiting: list[Vector] = []
        self.io = [Vector(n, self._waiting) for n in range(1, count)]
        self.management_masked = True
        self._management_waits = False
        self._raise = raise_vector

    def reset(self) -> None:
        self._waiting.clear()
        self.io = [Vector(v.number, self._waiting) for v in self.io]
        self.management_masked = True
        self._management_waits = False

    def get(self, number: int) -> Vector | None:
        """The I/O vector of that number, None if the card has none."""
        return self.io[number - 1] if 1 <= number <= len(self.io) else None

    def post_management(self) -> None:
        """An admin completion or an event is in memory."""
        if self.management_masked:
            self._management_waits = True
        else:
            self._raise(0)

    def mask_management(self, masked: bool) -> None:
        self.management_masked = masked
        if not masked and self._management_waits:
            self._management_waits = False
            self._raise(0)

    def flush(self, now: float) -> float:
        """Fire what is due and unmasked; return when to come back (`NEVER`: not needed)."""
        next_due = NEVER
        for vector in self._waiting.copy():
            if vector.masked:
                continue
            if vector.due <= now:
                self._waiting.remove(vector)
                vector.due = NEVER
                vector.masked = True
                vector.fired += 1
                self._raise(vector.number)
            elif vector.due < next_due:
                next_due = vector.due
        return next_due
