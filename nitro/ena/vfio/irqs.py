"""MSI-X vectors as eventfds that the client handed over."""

from __future__ import annotations

import os

from nitro.ena.vfio.transport import close_all

_ONE = (1).to_bytes(8, "little")


class Irqs:
    """`count` vectors; one without an eventfd is raised into nothing, as with a masked vector."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._eventfds: dict[int, int] = {}

    def raise_vector(self, number: int) -> None:
        eventfd = self._eventfds.get(number)
        if eventfd is not None:
            try:
                os.write(eventfd, _ONE)
            except BlockingIOError:
                return  # a counter that nobody reads is full: the interrupt is pending

    def set(self, start: int, count: int, eventfds: tuple[int, ...]) -> None:
        """Give vectors `start`… these eventfds; those left over lose theirs."""
        for number in range(start, start + count):
            self._drop(number)
            if number - start < len(eventfds):
                os.set_blocking(eventfds[number - start], False)
                self._eventfds[number] = eventfds[number - start]

    def disable(self) -> None:
        for number in list(self._eventfds):
            self._drop(number)

    def _drop(self, number: int) -> None:
        if (old := self._eventfds.pop(number, None)) is not None:
            close_all((old,))
