"""Cables whose other end is the test: one that holds frames in lists, one that is a descriptor."""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import ClassVar, Literal
from weakref import WeakSet

from nitro.ena.offload import HEADER_SIZE, PLAIN, Buffer
from nitro.ena.ports import scatter

_ROOM = 1 << 21
_LARGEST = 1 << 17


class FakePort:
    """A cable whose other end is the test. `full` makes `send` refuse; `asked` is called when the
    card looks for a frame."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bytes]] = []
        self.waiting: deque[tuple[bytes, bytes]] = deque()
        self.full = False
        self.asked: Callable[[], None] = lambda: None
        self.accepts: dict[str, bool] = {}

    def fileno(self) -> int:
        return -1

    def send(self, header: bytes, parts: list[Buffer]) -> bool:
        if not self.full:
            self.sent.append((bytes(header), b"".join(parts)))
        return not self.full

    def receive(self, header: bytearray, parts: list[Buffer]) -> int:
        self.asked()
        if not self.waiting:
            return 0
        header[:], frame = self.waiting.popleft()
        return scatter(frame, parts)

    def accept(self, *, checksums: bool, segments: bool) -> None:
        self.accepts = {"checksums": checksums, "segments": segments}

    def close(self) -> None:
        pass

    @property
    def pending(self) -> bool:
        """Whether a frame waits for the card."""
        return bool(self.waiting)

    def drain(self) -> None:
        """Nothing was sent, nothing waits."""
        self.sent.clear()
        self.waiting.clear()

    def deliver(self, frame: bytes, header: bytes = PLAIN) -> None:
        self.waiting.append((header, frame))


class SocketPort(FakePort):
    """Packets of a socket, one for each frame.

    What waits goes in when the card asks for the descriptor, or for a frame.
    """

    is_descriptor: Literal[True] = True
    opened: ClassVar[WeakSet[SocketPort]] = WeakSet()

    def __init__(self) -> None:
        super().__init__()
        self.opened.add(self)
        self._sent: list[tuple[bytes, bytes]] = []
        self._sockets = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for each in self._sockets:
            each.setblocking(False)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
        self._near, self._far = (each.fileno() for each in self._sockets)

    def close(self) -> None:
        for each in self._sockets:
            each.close()

    @classmethod
    def close_all(cls) -> None:
        """A card is a circle of objects: long after its test, its port would still be open."""
        for port in list(cls.opened):
            port.close()

    @property
    def sent(self) -> list[tuple[bytes, bytes]]:
        """What came out at the far end, so far."""
        try:
            while data := os.read(self._far, _LARGEST):
                self._sent.append((data[:HEADER_SIZE], data[HEADER_SIZE:]))
        except BlockingIOError:
            pass
        return self._sent

    @sent.setter
    def sent(self, value: list[tuple[bytes, bytes]]) -> None:
        self._sent = value

    def fileno(self) -> int:
        """-1 where the port is full, as one that cannot be written to is not to be tried."""
        self._feed()
        return -1 if self.full else self._near

    def send(self, header: bytes, parts: list[Buffer]) -> bool:
        if self.full:
            return False
        os.writev(self._near, [header, *parts])
        return True

    def receive(self, header: bytearray, parts: list[Buffer]) -> int:
        self._feed()
        try:
            return os.readv(self._near, [header, *parts]) - HEADER_SIZE
        except BlockingIOError:
            return 0

    def _feed(self) -> None:
        self.asked()
        while self.waiting:
            header, frame = self.waiting[0]
            try:
                os.writev(self._far, [header, frame])
            except BlockingIOError:
                return
            self.waiting.popleft()

    @property
    def pending(self) -> bool:
        return bool(self.waiting or select.select([self._near], [], [], 0)[0])

    def drain(self) -> None:
        super().drain()
        while self.receive(bytearray(HEADER_SIZE), [bytearray(_LARGEST)]):
            pass
