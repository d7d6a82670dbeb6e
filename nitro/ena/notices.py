"""What the card tells the driver by events: the link, keep-alives, and what faults add to them."""

from __future__ import annotations

import random
from collections.abc import Callable

from nitro.ena.aenq import NOTIFY_HINTS, EventQueue
from nitro.ena.constants import Event
from nitro.ena.context import Context
from nitro.ena.payloads import KEEP_ALIVE, LINK_CHANGE
from nitro.ena.vectors import NEVER, Vectors

KEEP_ALIVE_PERIOD = 1.0


class Notices:
    """The sender of events. `clock` gives seconds; `hints(ms)` is the hints structure with that
    watchdog timeout."""

    def __init__(
        self,
        context: Context,
        events: EventQueue,
        vectors: Vectors,
        clock: Callable[[], float],
        hints: Callable[[int], bytes],
    ) -> None:
        self._faults, self._counters = context.faults, context.counters
        self._events, self._vectors = events, vectors
        self._clock, self._hints = clock, hints
        self._random = random.Random(context.profile.fault_seed)
        self._next_keep_alive = NEVER
        self.link_up = True

    def reset(self) -> None:
        """The next keep-alive is a period away."""
        self._next_keep_alive = self._clock() + KEEP_ALIVE_PERIOD

    def tick(self, now: float, *, tell_link: bool) -> float:
        """Send what is due, and the link's state if asked to; return when more will be due."""
        if now >= self._next_keep_alive:
            self._next_keep_alive = now + KEEP_ALIVE_PERIOD
            self._every_second()
        told = tell_link and self._post_link()
        if self._events.flush(now) or told:
            self._vectors.post_management()
        return self._next_keep_alive

    def set_link(self, up: bool) -> None:
        """The link comes up or goes down."""
        self.link_up = up
        if self._post_link():
            self._vectors.post_management()

    def send(self, event: Event, syndrome: int = 0, data: bytes = b"") -> bool:
        """Post an event; False if the driver did not enable its group."""
        if self._events.post(event, syndrome, data, self._clock()):
            self._vectors.post_management()
        return self._events.enabled(event)

    def _every_second(self) -> None:
        if not self._faults.triggers("keep-alive-stops"):
            self.send(Event.KEEP_ALIVE, 0, self._counters.pack(KEEP_ALIVE))
        if self._faults.triggers("fatal-error"):
            self.send(Event.FATAL_ERROR)
        if self._faults.triggers("hints-update"):
            hints = self._hints(self._random.randrange(3000, 20_000))
            self.send(Event.NOTIFICATION, NOTIFY_HINTS, hints)
        if self._faults.triggers("reset-request"):
            self.send(Event.RESET_REQUEST)
        if self._faults.triggers("link-flap"):
            self.set_link(not self.link_up)

    def _post_link(self) -> bool:
        data = LINK_CHANGE.pack(flags=int(self.link_up))
        return self._events.post(Event.LINK_CHANGE, 0, data, self._clock())
