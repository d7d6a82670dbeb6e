"""Notices a guest that checks TCP sums itself, and so drops whole segments with unfinished ones.

The card cannot be told that a guest turned its RX checksum offload off. But the guest's peer
then sends again, as a single segment, what it had sent as a whole one: the same flow, the same
first sequence number. A few of those in a short time, and the card asks its port for finished
frames until the queues are made anew. A wrong guess costs speed, never data.
"""

from __future__ import annotations

_ENOUGH = 3
_WITHIN = 2.0  # seconds
_FLOWS = 1024


class Doubt:
    """Remembers where the last whole segment of each flow began."""

    def __init__(self) -> None:
        self._whole: dict[int, int] = {}
        self._count = 0
        self._since = 0.0
        self._decided = False

    def seen(self, flow: int, sequence: int, now: float, *, whole: bool) -> bool:
        """A segment of `flow` passed. True once, when the guest turns out to be a doubter."""
        if whole:
            if len(self._whole) >= _FLOWS:
                self._whole.clear()
            self._whole[flow] = sequence
            return False
        if self._decided or self._whole.get(flow) != sequence:
            return False
        del self._whole[flow]
        if now - self._since > _WITHIN:
            self._since, self._count = now, 0
        self._count += 1
        self._decided = self._count >= _ENOUGH
        return self._decided
