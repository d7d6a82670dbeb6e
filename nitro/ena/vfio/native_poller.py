"""The same waiting with the C loop, which does the asking."""

from __future__ import annotations

import select

from nitro.ena.native.loop import Found, Loop
from nitro.ena.vfio.poller import CROWDED, IN, Poller


class NativePoller(Poller):
    """A poller to which reading from `client` is always of interest."""

    def __init__(self, loop: Loop, client: int) -> None:
        super().__init__()
        self._ask, self._client = loop.ask, client

    def watch(self, descriptor: int, events: int) -> None:
        if descriptor != self._client:
            super().watch(descriptor, events)

    def _look(self) -> dict[int, int]:
        return self._look_for(0)

    def _look_until(self, begin: float, end: float) -> dict[int, int]:
        return self._look_for(end - begin)

    def _look_for(self, seconds: float) -> dict[int, int]:
        epoll, nanoseconds = self._epoll.fileno(), int(seconds * 1e9)
        found = self._ask(self._client, epoll, nanoseconds, int(CROWDED * 1e9))
        if found & Found.CROWDED:
            self._be_crowded()
        ready = dict(self._epoll.poll(0)) if found & Found.OTHERS else {}
        if found & Found.CLIENT:
            ready[self._client] = IN
        return ready

    def _sleep(self, seconds: float) -> None:
        select.select([self._client, self._epoll.fileno()], [], [], seconds)
