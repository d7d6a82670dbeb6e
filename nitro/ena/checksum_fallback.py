"""Notices a guest that checks TCP sums itself, and so drops whole segments with unfinished ones.

The card cannot be told that a guest turned its RX checksum offload off. But the guest's peer
then sends again what it had sent as a whole segment: the same flow, the same first sequence
number. A few of those in a short time, and the card asks its port for finished frames until the
queues are made anew. A wrong guess costs speed, never data.
"""

from __future__ import annotations

_ENOUGH = 3
_WITHIN = 5.0  # seconds
_REMEMBERED = 4096


class ChecksumFallback:
    """Remembers where whole segments began."""

    def __init__(self) -> None:
        self._whole: set[tuple[int, int]] = set()
        self._count = 0
        self._since = 0.0
        self._decided = False

    @property
    def watches(self) -> bool:
        """Whether a segment that is not whole could be one that was whole before."""
        return bool(self._whole) and not self._decided

    def seen(self, flow: int, sequence: int, now: float, *, whole: bool) -> bool:
        """A segment of `flow` passed. True once, when the guest turns out to check sums itself."""
        if self._decided:
            return False
        place = (flow, sequence)
        if place not in self._whole:
            if whole:
                if len(self._whole) >= _REMEMBERED:
                    self._whole.clear()
                self._whole.add(place)
            return False
        if now - self._since > _WITHIN:
            self._since, self._count = now, 0
        self._count += 1
        self._decided = self._count >= _ENOUGH
        return self._decided
