"""Waiting for descriptors: awake for a moment, then asleep.

To wake a process on another processor takes tens of microseconds, more than the card needs for a
packet, and the answer to a packet is often there sooner. So the card asks again and again for a
short while before it sleeps, unless somebody else needs the processor, or the waits of late were so
long that it would have asked in vain. After each question it offers the processor: the scheduler
takes it from nobody who has had it for so short a time, not even for a thread that the card has
just woken.
"""

from __future__ import annotations

import os
import select
import time

AWAKE = 200e-6  # at most
SHORTEST = 25e-6
# So long between two questions means that another process ran in between.
CROWDED = 100e-6
RESPITE = 10e-3

IN, OUT = select.EPOLLIN, select.EPOLLOUT


class Patience:
    """How long to ask before sleeping, 0 or from `SHORTEST` to `AWAKE`: learned from what waits
    took. All in seconds."""

    def __init__(self) -> None:
        self.seconds = AWAKE

    def learn(self, waited: float) -> None:
        """A wait took so long: more patience if asking met its end or could have, less if not."""
        if waited <= AWAKE:
            self.seconds = min(AWAKE, max(SHORTEST, 2 * self.seconds))
        else:
            self.seconds = self.seconds / 2 if self.seconds >= 2 * SHORTEST else 0.0


class Poller:
    """Which of the watched descriptors are ready, and for what. Times are in seconds."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._events: dict[int, int] = {}
        self._crowded_until = 0.0
        self._patience = Patience()

    def watch(self, descriptor: int, events: int) -> None:
        """Wait for `events` (`IN`, `OUT`, both or 0) of a descriptor from now on."""
        before = self._events.get(descriptor, 0)
        if before == events:
            return
        if not events:
            # Registered for nothing, it would still report the other end's leaving, for ever.
            self._epoll.unregister(descriptor)
            del self._events[descriptor]
            return
        if before:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
        self._events[descriptor] = events

    def forget(self, descriptor: int) -> None:
        """The descriptor was closed.

        Another process may have it open still, and epoll would go on reporting it.
        """
        if self._events.pop(descriptor, 0):
            self._epoll.close()
            self._epoll = select.epoll()
            for other, events in self._events.items():
                self._epoll.register(other, events)

    def wait(self, seconds: float) -> dict[int, int]:
        """Events of the descriptors that are ready; empty after `seconds`."""
        ready = self._look()
        if not ready and seconds > 0:
            begin = time.perf_counter()
            ready = self._wait(begin, begin + seconds)
            self._patience.learn(time.perf_counter() - begin)
        return ready

    def close(self) -> None:
        self._epoll.close()

    def _wait(self, begin: float, deadline: float) -> dict[int, int]:
        if begin >= self._crowded_until:
            end = min(begin + self._patience.seconds, deadline)
            if begin < end and (ready := self._look_until(begin, end)):
                return ready
        left = deadline - time.perf_counter()
        if left <= 0:
            return {}
        self._sleep(left)
        return self._look()

    def _be_crowded(self) -> None:
        """Another process ran in between: do not ask for a while."""
        self._crowded_until = time.perf_counter() + RESPITE

    # How to look, once or awake, and how to sleep.

    def _look(self) -> dict[int, int]:
        return dict(self._epoll.poll(0))

    def _look_until(self, begin: float, end: float) -> dict[int, int]:
        poll, clock = self._epoll.poll, time.perf_counter
        last = begin
        while last < end:
            if ready := poll(0):
                return dict(ready)
            now = clock()
            os.sched_yield()  # to QEMU's thread that brings an answer or an interrupt, perhaps
            if now - last > CROWDED:
                self._be_crowded()
                break
            last = now
        return {}

    def _sleep(self, seconds: float) -> None:
        # Not epoll's own wait, which knows only milliseconds.
        select.select([self._epoll], [], [], seconds)
