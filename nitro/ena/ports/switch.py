"""A learning switch in memory, for tests and for cards that share a process. It keeps frames
finished, as a wire would, and remembers which port a MAC address was last seen on."""

from __future__ import annotations

import os
from collections import deque

from nitro.ena.offload import PLAIN, Buffer, wire_frames
from nitro.ena.ports import scatter

_QUEUE_LIMIT = 1024
_ONE = (1).to_bytes(8, "little")


class Switch:
    """Ports that see each other's frames."""

    def __init__(self) -> None:
        self._ports: list[SwitchPort] = []
        self._seen: dict[bytes, SwitchPort] = {}

    def port(self) -> SwitchPort:
        """A new port."""
        port = SwitchPort(self)
        self._ports.append(port)
        return port

    def remove(self, port: SwitchPort) -> None:
        self._ports.remove(port)
        self._seen = {mac: seen for mac, seen in self._seen.items() if seen is not port}

    def forward(self, source: SwitchPort, frame: bytes) -> None:
        destination = frame[:6]
        self._seen[frame[6:12]] = source
        known = self._seen.get(destination)
        targets = self._ports if known is None or destination[0] & 1 else [known]
        for target in targets:
            if target is not source:
                target.arrive(frame)


class SwitchPort:
    """One socket of the switch. Readable (an eventfd) while frames wait."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._frames: deque[bytes] = deque()
        self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._eventfd

    def arrive(self, frame: bytes) -> None:
        """Queue a frame for the card; a full queue drops it."""
        if len(self._frames) < _QUEUE_LIMIT:
            if not self._frames:
                os.write(self._eventfd, _ONE)
            self._frames.append(frame)

    def send(self, header: bytes, parts: list[Buffer]) -> bool:
        for frame in wire_frames(header, bytearray().join(parts)):
            self._switch.forward(self, bytes(frame))
        return True

    def receive(self, header: bytearray, parts: list[Buffer]) -> int:
        if not self._frames:
            return 0
        frame = self._frames.popleft()
        if not self._frames:
            os.read(self._eventfd, 8)
        header[:] = PLAIN
        return scatter(frame, parts)

    def accept(self, *, checksums: bool, segments: bool) -> None:
        """Frames are finished here anyhow."""

    def close(self) -> None:
        self._switch.remove(self)
        os.close(self._eventfd)
